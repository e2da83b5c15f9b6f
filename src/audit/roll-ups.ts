import { sql } from "drizzle-orm";
import { type Db, tables } from "#db";

const { costBatches, costRecords } = tables;

/**
 * Makes one batch of the cost records that a statement inserts: these statements belong into one transaction, in this order. A trigger
 * counts the new ones together as the batch closes; records that are inserted without a batch are counted one by one.
 */
export function countedTogether<Insert>(db: Db, insert: Insert) {
  const open = db.insert(costBatches).select(sql`select coalesce(max(rowid), 0) from ${costRecords}`);
  return [open, insert, db.delete(costBatches)] as const;
}
