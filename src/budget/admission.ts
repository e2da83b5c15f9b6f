import { larger, minus } from "./amount.ts";
import type { Admission, Amount, Granted, Refusal } from "./contract.ts";
import type { Payer } from "./facts.ts";
import { lend } from "./floats.ts";
import { type Grant, grant, growth, type Standing, tightest } from "./grant.ts";
import { type HoldRow, holdOf, insertHold, isKnown } from "./holds.ts";
import { drawnFrom, heldBesides, leaseOf, type LeaseRow, limitOf, refusedDraw, reserveFrom, unfitness } from "./leases.ts";
import { legAt, measured } from "./legs.ts";
import { count, paceRefusal, pacesOf, type Recent, recentOf } from "./pace.ts";
import type { Sql } from "./sql.ts";
import { standingsAt, standingsOf } from "./standings.ts";
import { windowAt } from "./windows.ts";

const UNKNOWN_HOLD: Refusal = { kind: "mismatch" };

/** Where requests are admitted: over which tables, who pays, and when. */
export interface Desk {
  readonly sql: Sql;
  readonly payer: Payer;
  readonly now: number;
}

/** What an admission is judged by: where the budgets stand, or the lease in the place of those in USD, and what the key did lately. */
interface View {
  readonly standings: readonly Standing[];
  readonly recent: Recent;
}

/** Admits a request by pace and by money, or says why not; what was admitted before is granted again to the same request alone. */
export function admit(desk: Desk, admission: Admission): Granted | Refusal {
  const body = bodyOf(admission);
  if (!isKnown(desk.sql, admission.id)) return admitNew(desk, admission, body);
  const hold = holdOf(desk.sql, admission.id);
  return hold?.body === body ? granted(desk, hold, viewOf(desk, hold)) : UNKNOWN_HOLD;
}

function admitNew(desk: Desk, admission: Admission, body: string): Granted | Refusal {
  const { sql, now } = desk;
  const { key } = desk.payer;
  const { id, lease: named = null } = admission;
  const unfit = unfitness(key, admission.epoch, now);
  if (unfit) return unfit;
  const lease = named === null ? null : drawnFrom(sql, { lease: named, key: admission.key }, now);
  if (named !== null && !lease) return { kind: "lease_ended", lease: named };
  const counted = admission.likely.tokens;
  const seen = view(desk, admission.key, lease);
  const refused = paceRefusal(key.limits, seen.recent, counted, now);
  if (refused) return refused;
  const given = grant(admission, seen.standings, now);
  if ("kind" in given) return refusedDraw(sql, lease, given, { request: id, own: 0 });
  const hold = take(desk, admission, given, { body, counted, lease });
  const left = after(seen, hold);
  const float = lend(sql, admission, { path: left.standings, limits: key.limits, recent: left.recent }, now);
  return { ...granted(desk, hold, left), ...(float && { float }) };
}

/** Grows a hold to an absolute amount, or says why not; a smaller one changes nothing. */
export function extend(desk: Desk, id: string, to: Amount): Granted | Refusal {
  const { sql } = desk;
  const hold = holdOf(sql, id);
  if (!hold) return UNKNOWN_HOLD;
  const amount = { ...larger(hold, to), requests: hold.requests };
  const more = minus(amount, hold);
  if (more.nano > 0 || more.tokens > 0) {
    const refusal = grow(desk, hold, more);
    if (refusal) return refusal;
    sql.exec("UPDATE holds SET nano = ?, tokens = ? WHERE id = ?", amount.nano, amount.tokens, id);
  }
  return granted(desk, { ...hold, ...amount }, viewOf(desk, hold));
}

/** Holds more, by the same budgets or lease as before, or says why not. */
function grow({ sql, payer, now }: Desk, hold: HoldRow, more: Amount): Refusal | null {
  const { id, key, legs, lease: named } = hold;
  const lease = named === null ? null : drawnFrom(sql, { lease: named, key }, now);
  if (named !== null && !lease) return { kind: "lease_ended", lease: named };
  const path = [...(lease ? [limitOf(lease)] : []), ...standingsOf(sql, heldBesides(named, legs), payer.budgets)];
  const refusal = growth(more, path, now);
  if (refusal) return refusedDraw(sql, lease, refusal, { request: id, own: hold.nano });
  reserveFrom(sql, named, { request: id, legs }, more);
  return null;
}

function view({ sql, payer: { key, budgets }, now }: Desk, id: string, lease: LeaseRow | null): View {
  const standings = standingsAt(sql, heldBesides(lease, budgets), now);
  return { standings: lease ? [limitOf(lease), ...standings] : standings, recent: recentOf(sql, id, now, key.limits) };
}

function viewOf(desk: Desk, { key, lease }: HoldRow): View {
  return view(desk, key, lease === null ? null : leaseOf(desk.sql, lease));
}

function take(
  { sql, payer: { key: facts, budgets }, now }: Desk,
  admission: Admission,
  { amount, bound }: Grant,
  drawn: { readonly body: string; readonly counted: number; readonly lease: LeaseRow | null },
): HoldRow {
  const { body, counted } = drawn;
  const lease = drawn.lease?.id ?? null;
  const legs = [...(drawn.lease?.legs ?? []), ...heldBesides(lease, budgets).map((budget) => legAt(budget, now))];
  const second = Math.floor(now / 1000);
  const { rpm, tpm } = facts.limits;
  const paced = rpm !== null || tpm !== null;
  const { id, key, event, elsewhere = [] } = admission;
  const hold = { id, key, body, ...amount, legs, second, counted, paced, bound, event, elsewhere, lease };
  reserveFrom(sql, lease, { request: id, legs }, amount);
  insertHold(sql, hold, now + admission.ttlMs);
  if (paced) count(sql, key, second, { requests: 1, tokens: counted });
  return hold;
}

function granted({ payer, now }: Desk, hold: HoldRow, { standings, recent }: View): Granted {
  const inUsd = standings.filter(({ budget }) => budget.unit === "usd");
  const least = inUsd.length === 0 ? null : tightest(inUsd);
  return {
    kind: "granted",
    granted: { nano: hold.nano, tokens: hold.tokens, requests: hold.requests },
    bound: hold.bound,
    legs: hold.legs,
    tightest: least && {
      budget: least.budget.id,
      scope: least.budget.scope,
      remaining: Math.max(0, least.budget.limit - least.balance.spent - least.balance.reserved),
      resetsAt: windowAt(least.budget.window, least.budget.timeZone, now).end,
    },
    ...pacesOf(payer.key.limits, recent, now),
  };
}

/** The view once a hold is taken, without reading it again. */
function after({ standings, recent }: View, hold: HoldRow): View {
  const taken = standings.map(({ budget, balance }) => ({
    budget,
    balance: { ...balance, reserved: balance.reserved + measured(hold, budget.unit) },
  }));
  const { requests, tokens, inFlight } = recent;
  return { standings: taken, recent: { ...recent, requests: requests + 1, tokens: tokens + hold.counted, inFlight: inFlight + 1 } };
}

/** What must be the same for an id to be a repeat. */
function bodyOf({ key, floor, ceiling, likely, stream, lease }: Admission): string {
  return JSON.stringify([key, floor, ceiling, likely, stream, lease]);
}
