import type { Amount, BudgetStatus, LeaseAsked, Leased, LeaseStatus, Leg, Limit, Refusal } from "./contract.ts";
import type { KeyFacts, Payer } from "./facts.ts";
import { withFloating } from "./floats.ts";
import { growth, type Standing } from "./grant.ts";
import { legAt, reserve } from "./legs.ts";
import type { Sql } from "./sql.ts";
import { standingsAt } from "./standings.ts";

/**
 * A lease as the ledger remembers it. `drawn` is what its calls in flight hold; what is neither spent nor drawn is its rest, reserved
 * for the calls to come until it ends. So what is spent and drawn never passes the cap, but by bills beyond what was held for them.
 */
export interface LeaseRow {
  readonly id: string;
  readonly key: string;
  readonly cap: number;
  readonly spent: number;
  readonly drawn: number;
  /** The first call that was refused here, and not admitted since. */
  readonly refused: string | null;
  /** Windows of budgets in USD alone: tokens and requests are held by each call. */
  readonly legs: readonly Leg[];
  readonly expiresAt: number;
  readonly endedAt: number | null;
}

/** A call that draws, and how much of what is drawn it holds itself. */
interface Drawing {
  readonly request: string;
  readonly own: number;
}

/** Takes a lease, whole, out of every budget in USD that binds its key; the same again for an id that has one. */
export function takeLease(sql: Sql, asked: LeaseAsked, { key, budgets }: Payer, now: number): Leased | Refusal {
  const { id, cap, ttlMs } = asked;
  const known = leaseOf(sql, id);
  if (known && known.endedAt !== null) return { kind: "lease_ended", lease: id };
  if (known) return known.key === asked.key && known.cap === cap ? { kind: "leased", status: statusOf(known) } : { kind: "mismatch" };
  const unfit = unfitness(key, asked.epoch, now);
  if (unfit) return unfit;
  const path = standingsAt(sql, budgets.filter(inUsd), now);
  const exceeded = growth(money(cap), path, now);
  if (exceeded) return withFloating(sql, exceeded);
  const legs = path.map(({ budget }) => legAt(budget, now));
  const lease = { id, key: asked.key, cap, spent: 0, drawn: 0, refused: null, legs, expiresAt: now + ttlMs, endedAt: null };
  insertLease(sql, lease);
  reserve(sql, legs, money(cap));
  return { kind: "leased", status: statusOf(lease) };
}

/** Why a key may not ask for anything at all; null where it may. */
export function unfitness(key: KeyFacts, epoch: number, now: number): Refusal | null {
  if (!key.active || (key.expiresAt !== null && key.expiresAt <= now)) return { kind: "inactive" };
  return epoch < key.epoch ? { kind: "stale", epoch: key.epoch } : null;
}

/**
 * Ends a lease, however often: its rest goes back, and nothing is drawn any more. What its calls in flight hold is theirs until they
 * end. One that is not known is remembered as ended all the same: what would make it may still be on its way here.
 */
export function endLease(sql: Sql, id: string, now: number): LeaseStatus {
  const known = leaseOf(sql, id);
  const lease = known ?? { id, key: "", cap: 0, spent: 0, drawn: 0, refused: null, legs: [], expiresAt: now, endedAt: null };
  if (lease.endedAt !== null) return statusOf(lease);
  const ended = { ...lease, endedAt: now };
  if (known) {
    reserve(sql, lease.legs, money(restOf(lease)), -1);
    sql.exec("UPDATE leases SET ended_at = ? WHERE id = ?", now, id);
  } else insertLease(sql, ended);
  return statusOf(ended);
}

/** The lease that an admission names, if it may draw from it: another key's is none. */
export function drawnFrom(sql: Sql, { lease, key }: { readonly lease: string; readonly key: string }, now: number): LeaseRow | null {
  const found = leaseOf(sql, lease);
  return found && found.key === key && found.endedAt === null && found.expiresAt > now ? found : null;
}

/** A lease as a limit on the path of its calls: as strict as a budget can be. */
export function limitOf({ id, cap, spent, drawn }: Pick<LeaseRow, "id" | "cap" | "spent" | "drawn">): Standing {
  const scope = { kind: "task", id } as const;
  const budget: Limit = { id, scope, window: "total", timeZone: "UTC", unit: "usd", limit: cap, mode: "strict" };
  return { budget, balance: { spent, reserved: drawn, over: 0 } };
}

/** A lease as its task sees it, in the place of the budgets in USD: one that admits no more has nothing left. */
export function leaseStanding(sql: Sql, named: { readonly lease: string; readonly key: string }, now: number): BudgetStatus {
  const lease = drawnFrom(sql, named, now);
  const spent = lease?.spent ?? 0;
  const limit = lease?.cap ?? 0;
  const remaining = lease ? restOf(lease) : 0;
  const { budget } = limitOf({ id: named.lease, cap: limit, spent, drawn: 0 });
  const reserved = Math.max(0, limit - spent - remaining);
  return { budget, spent, reserved, over: 0, remaining, windowStart: null, resetsAt: null, forecast: null };
}

/** The budgets that a call is held in itself: those in USD hold its lease already. */
export function heldBesides<Of extends Pick<Leg, "unit">>(lease: unknown, budgets: readonly Of[]): readonly Of[] {
  return lease === null ? budgets : budgets.filter((each) => !inUsd(each));
}

/** Reserves an amount for a call: where it draws from a lease, its money is moved there, and all else held on its legs. */
export function reserveFrom(
  sql: Sql,
  lease: string | null,
  { request, legs }: { request: string; legs: readonly Leg[] },
  amount: Amount,
): void {
  reserve(sql, heldBesides(lease, legs), amount);
  if (lease === null) return;
  sql.exec("UPDATE leases SET drawn = drawn + ?, refused = nullif(refused, ?) WHERE id = ?", amount.nano, request, lease);
}

/**
 * A refusal as a call of a task meets it, remembered where it was for want of its task's money. What its other calls hold may come back
 * within seconds; it is worth waiting for where it would do.
 */
export function refusedDraw(sql: Sql, lease: LeaseRow | null, refusal: Refusal, { request, own }: Drawing): Refusal {
  if (!lease || refusal.kind !== "budget_exceeded" || refusal.scope.kind !== "task") return withFloating(sql, refusal);
  sql.exec("UPDATE leases SET refused = coalesce(refused, ?) WHERE id = ?", request, lease.id);
  const enough = lease.cap - lease.spent - own >= refusal.requested;
  return { ...refusal, floating: enough ? lease.drawn - own : 0 };
}

/** Books what a call came to that held so much of its lease; says how much of the budgets' reservation that frees: the rest stays with the lease. */
export function freedBy(sql: Sql, id: string, { held, actual }: { readonly held: number; readonly actual: number }): number {
  const lease = leaseOf(sql, id);
  // A lease that is forgotten has long ended: nothing goes back to it.
  return lease ? charge(sql, lease, { spent: actual, drawn: -held }) : held;
}

/** Books a better figure for a call that has ended; says how much of the budgets' reservation that frees. */
export function rebook(sql: Sql, id: string, more: number): number {
  const lease = leaseOf(sql, id);
  return lease ? charge(sql, lease, { spent: more, drawn: 0 }) : 0;
}

function charge(sql: Sql, lease: LeaseRow, by: { readonly spent: number; readonly drawn: number }): number {
  const after = { ...lease, spent: lease.spent + by.spent, drawn: lease.drawn + by.drawn };
  sql.exec("UPDATE leases SET spent = ?, drawn = ? WHERE id = ?", after.spent, after.drawn, lease.id);
  return reservedOf(lease) - reservedOf(after);
}

/** Leases whose time is up, that nobody has ended. */
export function overdueLeases(sql: Sql, now: number, limit: number): string[] {
  return sql
    .exec<{ id: string }>("SELECT id FROM leases WHERE ended_at IS NULL AND expires_at <= ? ORDER BY expires_at, id LIMIT ?", now, limit)
    .map(({ id }) => id);
}

/** When the first lease ends by itself, and when the first of those that ended did; null where there is none. */
export function nextLease(sql: Sql): { readonly expiresAt: number | null; readonly endedAt: number | null } {
  const [next] = sql.exec<{ expires: number | null; ended: number | null }>(
    `SELECT (SELECT min(expires_at) FROM leases WHERE ended_at IS NULL) AS expires,
       (SELECT min(ended_at) FROM leases WHERE ended_at IS NOT NULL) AS ended`,
  );
  return { expiresAt: next?.expires ?? null, endedAt: next?.ended ?? null };
}

/** Drops leases that ended before a time. */
export function forgetLeases(sql: Sql, endedBefore: number): void {
  sql.exec("DELETE FROM leases WHERE ended_at <= ?", endedBefore);
}

/** What is reserved for the calls to come of a key's tasks. */
export function restsOf(sql: Sql, key: string): number {
  const [sum] = sql.exec<{ nano: number | null }>(
    "SELECT sum(max(0, cap - spent - drawn)) AS nano FROM leases WHERE key = ? AND ended_at IS NULL",
    key,
  );
  return sum?.nano ?? 0;
}

/** Where leases stand; those that are not there are left out. */
export function statusesOf(sql: Sql, ids: readonly string[]): LeaseStatus[] {
  return leasesOf(sql, ids).map(statusOf);
}

/** The lease of an id, ended or not. */
export function leaseOf(sql: Sql, id: string): LeaseRow | null {
  return leasesOf(sql, [id])[0] ?? null;
}

function leasesOf(sql: Sql, ids: readonly string[]): LeaseRow[] {
  const rows = sql.exec<Omit<Stored, "legs"> & { legs: string }>(
    `SELECT id, key, cap, spent, drawn, refused, legs, expires_at AS expiresAt, ended_at AS endedAt FROM leases
     WHERE id IN (SELECT value FROM json_each(?))`,
    JSON.stringify(ids),
  );
  return rows.map((row) => ({ ...row, legs: JSON.parse(row.legs) as Leg[] }));
}

type Stored = { -readonly [Name in keyof LeaseRow]: LeaseRow[Name] };

function insertLease(sql: Sql, { id, key, cap, spent, drawn, refused, legs, expiresAt, endedAt }: LeaseRow): void {
  sql.exec(
    "INSERT INTO leases (id, key, cap, spent, drawn, refused, legs, expires_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    id,
    key,
    cap,
    spent,
    drawn,
    refused,
    JSON.stringify(legs),
    expiresAt,
    endedAt,
  );
}

function restOf({ cap, spent, drawn, endedAt }: LeaseRow): number {
  return endedAt === null ? Math.max(0, cap - spent - drawn) : 0;
}

/** What the budgets hold for a lease: all its calls in flight, and its rest. */
function reservedOf(lease: LeaseRow): number {
  return lease.drawn + restOf(lease);
}

function statusOf(lease: LeaseRow): LeaseStatus {
  const { id, cap, spent, refused, endedAt } = lease;
  return { id, cap, spent, reserved: reservedOf(lease), refused: refused !== null, ended: endedAt !== null };
}

function inUsd({ unit }: Pick<Leg, "unit">): boolean {
  return unit === "usd";
}

function money(nano: number): Amount {
  return { nano, tokens: 0, requests: 0 };
}
