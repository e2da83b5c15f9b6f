import { and, desc, eq, getTableColumns, gte, lt, type SQL, sql } from "drizzle-orm";
import { type Db, type Page, type Paging, tables } from "#db";
import { type Attributed, type Attribution, owned, same, searchedByTag, tagsOf } from "./attribution.ts";
import { after, listed } from "./paging.ts";

const { costRecords, requests } = tables;

/** A stored cost record, receipt included. */
export type CostRow = typeof costRecords.$inferSelect;
/** A stored row of the request log. */
export type RequestRow = typeof requests.$inferSelect;

/** A record that a later one reprices is no longer what was paid. */
export const CURRENT = sql`not exists (select 1 from ${costRecords} as newer where newer.reprices = ${costRecords.id})`;

/** Cost records, newest first; repriced ones stand beside what they reprice, at the same time. */
export function listRecords(db: Db, filter: Attribution, paging: Paging): Promise<Page<CostRow>> {
  return newest(db, costRecords, { filter, paging });
}

/** Cost records that no later one reprices, newest first. */
export function listCurrent(db: Db, filter: Attribution, paging: Paging): Promise<Page<CostRow>> {
  return newest(db, costRecords, { filter, paging, also: CURRENT });
}

/** One cost record within the reader's own rows, or null; another's looks exactly like a missing one. */
export async function getRecord(db: Db, id: string, filter: Attribution): Promise<CostRow | null> {
  const [row] = await db
    .select()
    .from(costRecords)
    .where(and(eq(costRecords.id, id), ...owned(costRecords, filter)));
  return row ?? null;
}

/** The cost records of one request within the reader's own rows: the first, and after it those that reprice it, in their order. */
export async function recordsOf(db: Db, request: string, filter: Attribution): Promise<CostRow[]> {
  const mine = and(eq(costRecords.request, request), ...owned(costRecords, filter));
  const rows = await db.select().from(costRecords).where(mine);
  const successors = new Map(rows.map((row) => [row.reprices, row]));
  const ordered: CostRow[] = [];
  for (let next = successors.get(null); next; next = successors.get(next.id)) ordered.push(next);
  return ordered;
}

/** The request log, newest first. */
export function listRequests(db: Db, filter: Attribution, paging: Paging): Promise<Page<RequestRow>> {
  return newest(db, requests, { filter, paging });
}

/** One row of the request log within the reader's own, or null. */
export async function getRequest(db: Db, id: string, filter: Attribution): Promise<RequestRow | null> {
  const [row] = await db
    .select()
    .from(requests)
    .where(and(eq(requests.id, id), ...owned(requests, filter)));
  return row ?? null;
}

/** What a listing wants of a table. */
interface Wanted {
  readonly filter: Attribution;
  readonly paging: Paging;
  readonly also?: SQL;
}

/** The rows of a page, in the order of the index that they are searched by. */
async function newest<Table extends Attributed>(
  db: Db,
  table: Table,
  { filter, paging, also }: Wanted,
): Promise<Page<Table["$inferSelect"]>> {
  const { from, to, tag } = filter;
  const tags = tagsOf(table);
  const byTag = searchedByTag(filter);
  const order = byTag ? tags : table;
  const where = and(
    byTag ? same(tags.tag, tag) : undefined,
    from === undefined ? undefined : gte(order.at, from),
    to === undefined ? undefined : lt(order.at, to),
    after(order, paging.cursor),
    ...owned(table, filter),
    also,
  );
  const all = db.select(getTableColumns<Attributed>(table)).from<Attributed>(table).$dynamic();
  const chosen = byTag ? all.innerJoin(tags, eq(table.id, tags.id)) : all;
  const rows = await chosen
    .where(where)
    .orderBy(desc(order.at), desc(order.id))
    .limit(paging.limit + 1);
  return listed(rows, paging.limit);
}
