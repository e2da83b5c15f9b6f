export { connect, type Db } from "./connect.ts";
export { after, type Page, paged, type Paging, placeOf } from "./cursor.ts";
export * as tables from "./schema.ts";
