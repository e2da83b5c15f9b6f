import { lt, inArray } from "drizzle-orm";
import { type Db, tables } from "#db";

const ROWS_PER_STATEMENT = 5_000;

/** Drops rows of the request log from before a time, some thousands at a go, so that no statement runs long. */
export async function pruneRequests(db: Db, before: number): Promise<void> {
  const { requests } = tables;
  for (;;) {
    const old = db.select({ id: requests.id }).from(requests).where(lt(requests.at, before)).limit(ROWS_PER_STATEMENT);
    const gone = await db.delete(requests).where(inArray(requests.id, old)).returning({ id: requests.id });
    if (gone.length < ROWS_PER_STATEMENT) return;
  }
}
