import { lt, inArray } from "drizzle-orm";
import { type Db, tables } from "#db";

const ROWS_PER_STATEMENT = 5_000;

/** Drops rows of the request log, and of what policies said, from before a time, some thousands at a go, so that no statement runs long. */
export async function pruneRequests(db: Db, before: number): Promise<void> {
  for (const table of [tables.requests, tables.policyDecisions]) {
    for (;;) {
      const old = db.select({ id: table.id }).from(table).where(lt(table.at, before)).limit(ROWS_PER_STATEMENT);
      const gone = await db.delete(table).where(inArray(table.id, old)).returning({ id: table.id });
      if (gone.length < ROWS_PER_STATEMENT) break;
    }
  }
}
