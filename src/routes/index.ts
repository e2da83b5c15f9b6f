export { everyPlace, RouteBook } from "./book.ts";
export * from "./contract.ts";
export { type Fault, faultOfStatus, FAULTS } from "./faults.ts";
export { Health } from "./health.ts";
export { order, spread } from "./order.ts";
export { type RouteRow, RouteStore } from "./store.ts";
