export { PriceBook } from "./book.ts";
export { bounds, closeTokens, outputCap } from "./bounds.ts";
export { listModels, type ModelCard, type Shelf } from "./cards.ts";
export * from "./contract.ts";
export { receipt } from "./receipt.ts";
export { allowed, type Known, resolveModel } from "./resolve.ts";
export { type ModelRow, ModelStore } from "./store.ts";
export { type NewPrice, PriceStore } from "./price-store.ts";
