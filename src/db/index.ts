export { connect, type Db } from "./connect.ts";
export * as tables from "./schema.ts";
