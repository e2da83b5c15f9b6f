export { connect, type Db } from "./connect.ts";
export { after, type Page, paged, type Paging } from "./cursor.ts";
export * as tables from "./schema.ts";
