import { sql } from "drizzle-orm";
import { type Db, tables } from "#db";

const { costBatches, costRecords } = tables;

/**
 * Makes one batch of the records that a statement inserts: what the statements answered belongs into one transaction, in this order. A
 * trigger then counts the new ones together as the batch closes; a record that is inserted by itself is counted by itself.
 */
export function countedTogether<Insert>(db: Db, insert: Insert) {
  const open = db.insert(costBatches).select(sql`select coalesce(max(rowid), 0) from ${costRecords}`);
  return [open, insert, db.delete(costBatches)] as const;
}
