import type { PaceLimits } from "#core";
import { lesser, minus, NOTHING } from "./amount.ts";
import type { Admission, Amount, Float, GivenBack, Leg, Refusal } from "./contract.ts";
import type { Standing } from "./grant.ts";
import { legAt, measured, reserve } from "./legs.ts";
import { isPaced, type Recent } from "./pace.ts";
import { endSlice, giveBackPace, lendPace, partOfPace } from "./slices.ts";
import type { Sql } from "./sql.ts";
import { windowAt } from "./windows.ts";

/** How long an isolate may admit from a float, from when it asked. A revoked key goes on for as long at most. */
const USABLE_MS = 2_000;
/** How long a report of what was admitted may take; later ones are booked all the same, beyond what was reserved. */
const GRACE_MS = 1_000;
/** After so long a float is over, whatever became of its isolate. */
export const FLOAT_MS = USABLE_MS + GRACE_MS;
/** A float takes at most this part of what is left of a budget, so that many of them leave room for each other. */
const SHARE = 16;
/** A float that pays for fewer likely requests is not worth its trip. */
const REQUESTS_MIN = 4;
/** Where no budget counts a unit. */
const PLENTY = 2 ** 50;
const UNITS = ["nano", "tokens", "requests"] as const;

/** A float as the ledger remembers it: what of it has not been drawn yet. */
interface FloatRow extends Amount {
  readonly id: string;
  readonly key: string;
  readonly legs: readonly Leg[];
}

/** What a float is lent from: the budgets on the path, and the key's pace. */
export interface Means {
  readonly path: readonly Standing[];
  readonly limits: PaceLimits;
  readonly recent: Recent;
}

/**
 * Lends an isolate a part of every budget on the path, where all of them are tight, and of the key's pace; null where a budget is
 * strict, or anything has too little left.
 */
export function lend(sql: Sql, { key, likely, float }: Admission, { path, limits, recent }: Means, now: number): Float | null {
  if (!float || path.some(({ budget }) => budget.mode === "strict")) return null;
  if (path.length === 0 && !isPaced(limits)) return { id: float.id, amount: null, legs: [], pace: null, usableMs: USABLE_MS };
  const amount = part(float.wanted, path);
  const pace = isPaced(limits) ? partOfPace(float, likely.tokens, limits, recent) : null;
  if (UNITS.some((unit) => amount[unit] < REQUESTS_MIN * likely[unit]) || pace === "too little") return null;
  const ends = path.map(({ budget }) => windowAt(budget.window, budget.timeZone, now).end ?? Infinity);
  const until = Math.min(now + USABLE_MS, ...ends);
  const row = { id: float.id, key, ...amount, legs: path.map(({ budget }) => legAt(budget, now)) };
  insertFloat(sql, row, until + GRACE_MS);
  const slice = pace && lendPace(sql, { key, float: float.id }, pace, until);
  return { id: float.id, amount: path.length === 0 ? null : amount, legs: row.legs, pace: slice, usableMs: until - now };
}

function insertFloat(sql: Sql, float: FloatRow, expiresAt: number): void {
  reserve(sql, float.legs, float);
  sql.exec(
    "INSERT INTO floats (id, key, nano, tokens, requests, legs, expires_at, returned) VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
    float.id,
    float.key,
    float.nano,
    float.tokens,
    float.requests,
    JSON.stringify(float.legs),
    expiresAt,
  );
}

/** As much as is wanted, but of no budget more than its share of what is left. */
function part(wanted: Amount, path: readonly Standing[]): Amount {
  const of = (name: keyof Amount, unit: Standing["budget"]["unit"]) => {
    const rooms = path
      .filter(({ budget }) => budget.unit === unit)
      .map(({ budget, balance }) => budget.limit - balance.spent - balance.reserved);
    return rooms.length === 0 ? PLENTY : Math.max(0, Math.min(wanted[name], ...rooms.map((room) => Math.floor(room / SHARE))));
  };
  return { nano: of("nano", "usd"), tokens: of("tokens", "tokens"), requests: of("requests", "requests") };
}

/** What one transaction draws from floats: each is read once and written once, however many requests were admitted from it. */
export class Draws {
  readonly #sql: Sql;
  /** What is left of each; null of those that are gone. */
  readonly #left = new Map<string, Amount | null>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Takes what a request was granted out of its float, and says how much of it the float still had: nothing, once it is gone. */
  take(id: string, granted: Amount): Amount {
    const left = this.#leftOf(id);
    if (!left) return NOTHING;
    const drawn = lesser(left, granted);
    this.#left.set(id, minus(left, drawn));
    return drawn;
  }

  /** Writes down what is left. */
  write(): void {
    for (const [id, left] of this.#left)
      if (left)
        this.#sql.exec("UPDATE floats SET nano = ?, tokens = ?, requests = ? WHERE id = ?", left.nano, left.tokens, left.requests, id);
  }

  #leftOf(id: string): Amount | null {
    const known = this.#left.get(id);
    if (known !== undefined) return known;
    const float = floatOf(this.#sql, id);
    this.#left.set(id, float);
    return float;
  }
}

/** Gives back, once, what nobody admitted from a float. What was admitted stays reserved until it is told, or the float's time is up. */
export function giveBack(sql: Sql, { float: id, rest, pace }: GivenBack): void {
  const [known] = sql.exec<{ returned: number }>("SELECT returned FROM floats WHERE id = ?", id);
  if (known?.returned !== 0) return;
  const { legs, key } = floatOf(sql, id)!;
  const draws = new Draws(sql);
  reserve(sql, legs, draws.take(id, rest), -1);
  draws.write();
  if (pace) giveBackPace(sql, key, id, pace);
  sql.exec("UPDATE floats SET returned = 1 WHERE id = ?", id);
}

/** Ends a float whose time is up. */
export function endFloat(sql: Sql, id: string): void {
  const float = floatOf(sql, id);
  if (!float) return;
  reserve(sql, float.legs, float, -1);
  endSlice(sql, float.key, id);
  sql.exec("DELETE FROM floats WHERE id = ?", id);
}

/** Floats whose time is up. */
export function overdue(sql: Sql, now: number, limit: number): string[] {
  return sql
    .exec<{ id: string }>("SELECT id FROM floats WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?", now, limit)
    .map(({ id }) => id);
}

/** When the next float's time is up; null where there is none. */
export function nextOverdue(sql: Sql): number | null {
  return sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM floats")[0]?.at ?? null;
}

/** A refusal that says how much of its budget's reservations lies in floats. */
export function withFloating(sql: Sql, refusal: Refusal): Refusal {
  if (refusal.kind !== "budget_exceeded") return refusal;
  const rows = sql.exec<{ nano: number; tokens: number; requests: number; legs: string }>(
    "SELECT nano, tokens, requests, legs FROM floats",
  );
  const floating = rows
    .filter(({ legs }) => (JSON.parse(legs) as Leg[]).some(({ budget }) => budget === refusal.budget))
    .reduce((sum, row) => sum + measured(row, refusal.unit), 0);
  return { ...refusal, floating };
}

function floatOf(sql: Sql, id: string): FloatRow | null {
  const [row] = sql.exec<{ id: string; key: string; nano: number; tokens: number; requests: number; legs: string }>(
    "SELECT id, key, nano, tokens, requests, legs FROM floats WHERE id = ?",
    id,
  );
  return row ? { ...row, legs: JSON.parse(row.legs) as Leg[] } : null;
}
