import type { PaceLimits } from "#core";
import type { Granted, Pace, PacePart, Refusal } from "./contract.ts";
import type { Sql } from "./sql.ts";

const WINDOW_S = 60;
const WINDOW_MS = WINDOW_S * 1000;
const CONCURRENCY_RETRY_MS = 1_000;
const NONE: PacePart = { requests: 0, tokens: 0, slots: 0 };

/**
 * What a key did in the last minute, by the second. A second counts whole until it has wholly left the window. What is lent counts
 * as used.
 */
export interface Recent {
  readonly seconds: readonly { readonly second: number; readonly requests: number; readonly tokens: number }[];
  readonly requests: number;
  readonly tokens: number;
  readonly inFlight: number;
  /** What of all this lies in floats, and nobody has told of yet. */
  readonly lent: PacePart;
}

/** Reads what a key did lately, as far as its limits ask. */
export function recentOf(sql: Sql, key: string, now: number, limits: PaceLimits): Recent {
  const paced = limits.rpm !== null || limits.tpm !== null;
  const seconds = paced ? secondsOf(sql, key, Math.floor(now / 1000) - WINDOW_S) : [];
  const lent = isPaced(limits) ? lentOf(sql, key) : NONE;
  return {
    seconds,
    requests: seconds.reduce((sum, each) => sum + each.requests, 0),
    tokens: seconds.reduce((sum, each) => sum + each.tokens, 0),
    inFlight: limits.concurrency === null ? 0 : inFlight(sql, key) + lent.slots,
    lent,
  };
}

function secondsOf(sql: Sql, key: string, oldest: number): { second: number; requests: number; tokens: number }[] {
  return sql.exec("SELECT second, requests, tokens FROM pace WHERE key = ? AND second >= ? ORDER BY second", key, oldest);
}

function inFlight(sql: Sql, key: string): number {
  return sql.exec<{ count: number }>("SELECT count(*) AS count FROM holds WHERE key = ?", key)[0]?.count ?? 0;
}

function lentOf(sql: Sql, key: string): PacePart {
  const [lent] = sql.exec<{ requests: number | null; tokens: number | null; slots: number | null }>(
    "SELECT sum(requests) AS requests, sum(tokens) AS tokens, sum(slots) AS slots FROM slices WHERE key = ?",
    key,
  );
  return { requests: lent?.requests ?? 0, tokens: lent?.tokens ?? 0, slots: lent?.slots ?? 0 };
}

/** Refuses what would pass a limit of pace; null where all is well. */
export function paceRefusal(limits: PaceLimits, recent: Recent, tokens: number, now: number): Refusal | null {
  const { lent } = recent;
  if (limits.concurrency !== null && recent.inFlight >= limits.concurrency) {
    return {
      kind: "rate_limited",
      limit: "concurrency",
      max: limits.concurrency,
      used: recent.inFlight,
      retryAfterMs: CONCURRENCY_RETRY_MS,
      floating: Math.max(0, lent.slots),
    };
  }
  if (limits.rpm !== null && recent.requests + 1 > limits.rpm) {
    const retryAfterMs = untilFree(recent, "requests", recent.requests + 1 - limits.rpm, now);
    return { kind: "rate_limited", limit: "rpm", max: limits.rpm, used: recent.requests, retryAfterMs, floating: lent.requests };
  }
  if (limits.tpm !== null && recent.tokens + tokens > limits.tpm) {
    const retryAfterMs = untilFree(recent, "tokens", recent.tokens + tokens - limits.tpm, now);
    return { kind: "rate_limited", limit: "tpm", max: limits.tpm, used: recent.tokens, retryAfterMs, floating: lent.tokens };
  }
  return null;
}

/** Milliseconds until so much has left the window, at most one window. */
function untilFree({ seconds }: Recent, what: "requests" | "tokens", amount: number, now: number): number {
  let freed = 0;
  for (const each of seconds) {
    freed += each[what];
    if (freed >= amount) return Math.min(WINDOW_MS, Math.max(1, (each.second + WINDOW_S + 1) * 1000 - now));
  }
  return WINDOW_MS;
}

/** Counts requests and tokens into a second; negative amounts take back what was counted there. */
export function count(sql: Sql, key: string, second: number, change: { readonly requests: number; readonly tokens: number }): void {
  sql.exec(
    `INSERT INTO pace (key, second, requests, tokens) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET requests = max(0, requests + excluded.requests), tokens = max(0, tokens + excluded.tokens)`,
    key,
    second,
    change.requests,
    change.tokens,
  );
}

/** Whether a key's requests must be counted as they are admitted. */
export function isPaced({ rpm, tpm, concurrency }: PaceLimits): boolean {
  return rpm !== null || tpm !== null || concurrency !== null;
}

/** Drops what no window can see any more. */
export function forgetPace(sql: Sql, now: number): void {
  sql.exec("DELETE FROM pace WHERE second < ?", Math.floor(now / 1000) - 2 * WINDOW_S);
}

/** The state of one limit, as headers and `/v1/key` show it. */
export function paceOf(limit: number | null, used: number, now: number): Pace | null {
  return limit === null ? null : { limit, remaining: Math.max(0, limit - used), resetsAt: used === 0 ? now : now + WINDOW_MS };
}

/** The pace of a key as it is shown: what is only lent has not been used. */
export function pacesOf({ rpm, tpm }: PaceLimits, { requests, tokens, lent }: Recent, now: number): Pick<Granted, "rpm" | "tpm"> {
  return { rpm: paceOf(rpm, Math.max(0, requests - lent.requests), now), tpm: paceOf(tpm, Math.max(0, tokens - lent.tokens), now) };
}
