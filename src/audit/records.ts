import { and, desc, eq, getTableColumns, gte, lt, type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { TollgateError } from "#core";
import { type Db, tables } from "#db";
import { type Attributed, type Attribution, owned, same, searchedByTag, tagsOf } from "./attribution.ts";

const { auditEntries, costRecords, requests } = tables;

/** A stored cost record, receipt included. */
export type CostRow = typeof costRecords.$inferSelect;
/** A stored row of the request log. */
export type RequestRow = typeof requests.$inferSelect;
/** A stored audit entry. */
export type AuditRow = typeof auditEntries.$inferSelect;

/** What an audit search may ask for; `text` is looked for in type, subject, details, before and after. */
export interface AuditFilter {
  readonly from?: number;
  readonly to?: number;
  readonly type?: string;
  readonly severity?: AuditRow["severity"];
  readonly actor?: string;
  readonly subject?: string;
  readonly key?: string;
  readonly team?: string;
  readonly task?: string;
  readonly text?: string;
}

/** How much, and after what. */
export interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

/** One page, newest first. */
export interface Listing<Row> {
  readonly rows: Row[];
  readonly next: string | null;
}

/** A record that a later one reprices is no longer what was paid. */
export const CURRENT = sql`not exists (select 1 from ${costRecords} as newer where newer.reprices = ${costRecords.id})`;

/** Cost records, newest first; repriced ones stand beside what they reprice, at the same time. */
export function listRecords(db: Db, filter: Attribution, paging: Paging): Promise<Listing<CostRow>> {
  return newest(db, costRecords, { filter, paging });
}

/** Cost records that no later one reprices, newest first. */
export function listCurrent(db: Db, filter: Attribution, paging: Paging): Promise<Listing<CostRow>> {
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
export function listRequests(db: Db, filter: Attribution, paging: Paging): Promise<Listing<RequestRow>> {
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
): Promise<Listing<Table["$inferSelect"]>> {
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

/** Audit entries, newest first. */
export async function searchAudit(db: Db, filter: AuditFilter, paging: Paging): Promise<Listing<AuditRow>> {
  const { from, to, text } = filter;
  const haystack = sql`${auditEntries.type} || ' ' || coalesce(${auditEntries.subjectId}, '') || ' ' || ${auditEntries.details} || ' ' || coalesce(${auditEntries.before}, '') || ' ' || coalesce(${auditEntries.after}, '')`;
  const where = and(
    from === undefined ? undefined : gte(auditEntries.at, from),
    to === undefined ? undefined : lt(auditEntries.at, to),
    same(auditEntries.type, filter.type),
    same(auditEntries.severity, filter.severity),
    same(auditEntries.actorId, filter.actor),
    same(auditEntries.subjectId, filter.subject),
    same(auditEntries.key, filter.key),
    same(auditEntries.team, filter.team),
    same(auditEntries.task, filter.task),
    text === undefined ? undefined : sql`instr(lower(${haystack}), lower(${text})) > 0`,
    after(auditEntries, paging.cursor),
  );
  const order = [desc(auditEntries.at), desc(auditEntries.id)];
  const rows = await db
    .select()
    .from(auditEntries)
    .where(where)
    .orderBy(...order)
    .limit(paging.limit + 1);
  return listed(rows, paging.limit);
}

/** What comes after a cursor that a listing answered. @throws TollgateError `invalid_request` naming `cursor`. */
function after(table: { readonly at: AnySQLiteColumn; readonly id: AnySQLiteColumn }, cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\.([\x21-\x7e]{1,128})$/.exec(cursor);
  if (!match) throw new TollgateError("invalid_request", "cursor is not one that a list answered", { param: "cursor" });
  return sql`(${table.at}, ${table.id}) < (${Number(match[1])}, ${match[2]!})`;
}

function listed<Row extends { readonly at: number; readonly id: string }>(rows: Row[], limit: number): Listing<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last ? `${last.at}.${last.id}` : null };
}
