import { and, desc, eq, gte, lt, or, type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { TollgateError } from "#core";
import { type Db, tables } from "#db";

const { auditEntries, costRecords, requests } = tables;

/** A stored cost record, receipt included. */
export type CostRow = typeof costRecords.$inferSelect;
/** A stored row of the request log. */
export type RequestRow = typeof requests.$inferSelect;
/** A stored audit entry. */
export type AuditRow = typeof auditEntries.$inferSelect;

/** Whose and when: `from` inclusive, `to` exclusive, in milliseconds. A key holder's reader sets `key`, and sees no other's rows. */
export interface Attribution {
  readonly from?: number;
  readonly to?: number;
  readonly key?: string;
  readonly team?: string;
  readonly user?: string;
  readonly endUser?: string;
  readonly session?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly capability?: string;
  readonly tag?: string;
}

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

/** The conditions on cost records; every value is bound, none becomes part of the statement. */
export function costConditions(filter: Attribution): (SQL | undefined)[] {
  return conditions(costRecords, filter);
}

/** Cost records, newest first. */
export async function listRecords(db: Db, filter: Attribution, paging: Paging): Promise<Listing<CostRow>> {
  const where = and(...costConditions(filter), after(costRecords, paging.cursor));
  const order = [desc(costRecords.at), desc(costRecords.id)];
  const rows = await db
    .select()
    .from(costRecords)
    .where(where)
    .orderBy(...order)
    .limit(paging.limit + 1);
  return listed(rows, paging.limit);
}

/** One cost record within the reader's own rows, or null; another's looks exactly like a missing one. */
export async function getRecord(db: Db, id: string, filter: Attribution): Promise<CostRow | null> {
  const [row] = await db
    .select()
    .from(costRecords)
    .where(and(eq(costRecords.id, id), ...costConditions(filter)));
  return row ?? null;
}

/** The request log, newest first. */
export async function listRequests(db: Db, filter: Attribution, paging: Paging): Promise<Listing<RequestRow>> {
  const where = and(...conditions(requests, filter), after(requests, paging.cursor));
  const order = [desc(requests.at), desc(requests.id)];
  const rows = await db
    .select()
    .from(requests)
    .where(where)
    .orderBy(...order)
    .limit(paging.limit + 1);
  return listed(rows, paging.limit);
}

/** One row of the request log within the reader's own, or null. */
export async function getRequest(db: Db, id: string, filter: Attribution): Promise<RequestRow | null> {
  const [row] = await db
    .select()
    .from(requests)
    .where(and(eq(requests.id, id), ...conditions(requests, filter)));
  return row ?? null;
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

type Attributed = typeof costRecords | typeof requests;

function conditions(table: Attributed, filter: Attribution): (SQL | undefined)[] {
  const { from, to, tag } = filter;
  return [
    from === undefined ? undefined : gte(table.at, from),
    to === undefined ? undefined : lt(table.at, to),
    same(table.key, filter.key),
    same(table.team, filter.team),
    same(table.user, filter.user),
    same(table.endUser, filter.endUser),
    same(table.session, filter.session),
    same(table.provider, filter.provider),
    same(table.model, filter.model),
    same(table.capability, filter.capability),
    tag === undefined ? undefined : sql`exists (select 1 from json_each(${table.tags}) as t where t.value = ${tag})`,
  ];
}

function same(column: AnySQLiteColumn, value: string | undefined): SQL | undefined {
  return value === undefined ? undefined : sql`${column} = ${value}`;
}

/** What comes after a cursor that a listing answered. @throws TollgateError `invalid_request` naming `cursor`. */
function after(table: Attributed | typeof auditEntries, cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\.([\x21-\x7e]{1,128})$/.exec(cursor);
  if (!match) throw new TollgateError("invalid_request", "cursor is not one that a list answered", { param: "cursor" });
  const at = Number(match[1]);
  return or(lt(table.at, at), sql`${table.at} = ${at} and ${table.id} < ${match[2]!}`);
}

function listed<Row extends { readonly at: number; readonly id: string }>(rows: Row[], limit: number): Listing<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last ? `${last.at}.${last.id}` : null };
}
