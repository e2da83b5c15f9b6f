import { and, desc, eq, gte, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { type Db, tables } from "#db";
import type { RequestRow } from "./records.ts";

const { requests } = tables;

/** How many of some durations were no longer than each bound; cumulative, as Prometheus counts. */
export interface Histogram {
  readonly bounds: readonly { readonly ms: number; readonly count: number }[];
  readonly count: number;
  readonly sumMs: number;
}

/** What came through the gateway within some time, by the request log. */
export interface Traffic {
  readonly outcomes: readonly { readonly outcome: RequestRow["outcome"]; readonly requests: number }[];
  /** Requests that ended in an error of ours, by its code. */
  readonly codes: readonly { readonly code: string; readonly requests: number }[];
  /** Calls to providers, by target and status, the most frequent first; null where no answer came. */
  readonly attempts: readonly { readonly target: string; readonly status: number | null; readonly calls: number }[];
  /** Requests that took more than one attempt. */
  readonly retried: number;
  /** From arrival until the call left for the provider. */
  readonly overhead: Histogram;
  /** From arrival until the first byte of a streamed answer. */
  readonly firstByte: Histogram;
}

/** Targets and statuses are counted apart, up to so many. */
const ATTEMPTS_MAX = 180;

const OVERHEAD_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const FIRST_BYTE_MS = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/** Counts the request log from `from` (inclusive) to `to` (exclusive), by one statement of each kind over an index. */
export async function traffic(db: Db, { from, to }: { readonly from: number; readonly to: number }): Promise<Traffic> {
  const within = and(gte(requests.at, from), lt(requests.at, to));
  const counted = sql<number>`count(*)`;
  const [outcomes, codes, attempts, [retried], [overhead], [firstByte]] = await db.batch([
    db.select({ outcome: requests.outcome, requests: counted }).from(requests).where(within).groupBy(requests.outcome),
    db
      .select({ code: sql<string>`${requests.code}`, requests: counted })
      .from(requests)
      .where(and(within, isNotNull(requests.code)))
      .groupBy(requests.code),
    attemptsOf(db, within),
    db
      .select({ requests: counted })
      .from(requests)
      .where(and(within, sql`json_array_length(${requests.attempts}) > 1`)),
    histogramOf(db, requests.overheadMs, OVERHEAD_MS, within),
    histogramOf(db, requests.firstByteMs, FIRST_BYTE_MS, and(within, eq(requests.stream, true))),
  ]);
  return {
    outcomes,
    codes,
    attempts,
    retried: retried!.requests,
    overhead: histogram(overhead!, OVERHEAD_MS),
    firstByte: histogram(firstByte!, FIRST_BYTE_MS),
  };
}

function attemptsOf(db: Db, where: SQL | undefined) {
  const target = sql<string>`(attempt.value ->> 'provider') || '/' || (attempt.value ->> 'model')`;
  const status = sql<number | null>`attempt.value ->> 'status'`;
  const calls = sql<number>`count(*)`;
  return db
    .select({ target, status, calls })
    .from(requests)
    .innerJoin(sql`json_each(${requests.attempts}) attempt`, sql`true`)
    .where(where)
    .groupBy(target, status)
    .orderBy(desc(calls))
    .limit(ATTEMPTS_MAX);
}

function histogramOf(db: Db, column: SQLiteColumn, bounds: readonly number[], where: SQL | undefined) {
  const counts = bounds.map((ms) => sql`coalesce(sum(${column} <= ${ms}), 0)`);
  const cumulative = sql<string>`json_array(${sql.join(counts, sql`, `)})`;
  return db
    .select({ counts: cumulative, count: sql<number>`count(${column})`, sumMs: sql<number>`coalesce(sum(${column}), 0)` })
    .from(requests)
    .where(where);
}

function histogram(row: { readonly counts: string; readonly count: number; readonly sumMs: number }, bounds: readonly number[]): Histogram {
  const counts = JSON.parse(row.counts) as number[];
  return { bounds: bounds.map((ms, at) => ({ ms, count: counts[at] ?? 0 })), count: row.count, sumMs: row.sumMs };
}
