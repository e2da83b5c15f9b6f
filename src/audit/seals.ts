import { and, asc, between, eq, getTableColumns, gt, inArray, isNull, lte, max, min, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { type Db, tables } from "#db";
import { insertAll } from "./consumer.ts";
import { NOTHING_BEFORE, type StoredEntry } from "./hash.ts";

const { auditEntries, auditSeals } = tables;

/** An entry's place in its chain, and its hash there. */
export type Seal = typeof auditSeals.$inferSelect;

/** The newest place of a chain; `at` is the time of the entry that has it. */
export interface Head {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
  readonly at: number;
}

/** What is JSON is taken as the text that stands there: one that somebody broke must be found, not stumbled over. */
const AS_STORED = {
  ...getTableColumns(auditEntries),
  before: sql<string | null>`${auditEntries.before}`,
  after: sql<string | null>`${auditEntries.after}`,
  details: sql<string | null>`${auditEntries.details}`,
};

/** The entries of these that have no place in a chain, in the order of their arrival. */
export function unsealed(db: Db, ids: readonly string[]): Promise<StoredEntry[]> {
  return withoutSeal(db, inArray(auditEntries.id, sql`(select value from json_each(${JSON.stringify(ids)}))`));
}

/** The first entries after one number of arrival, up to another, that have no place in a chain. */
export function unsealedBetween(db: Db, after: number, until: number, limit: number): Promise<StoredEntry[]> {
  return withoutSeal(db, and(gt(auditEntries.seq, after), lte(auditEntries.seq, until)), limit);
}

function withoutSeal(db: Db, where: SQL | undefined, limit = -1): Promise<StoredEntry[]> {
  return db
    .select(AS_STORED)
    .from(auditEntries)
    .leftJoin(auditSeals, eq(auditSeals.entry, auditEntries.id))
    .where(and(where, isNull(auditSeals.entry)))
    .orderBy(asc(auditEntries.seq))
    .limit(limit);
}

/** The number of the entry that arrived last; 0 where there is none. */
export async function lastArrival(db: Db): Promise<number> {
  const [row] = await db.select({ last: max(auditEntries.seq) }).from(auditEntries);
  return row?.last ?? 0;
}

/** The time of the oldest entry; null where there is none. */
export async function oldestTime(db: Db): Promise<number | null> {
  const [row] = await db.select({ oldest: min(auditEntries.at) }).from(auditEntries);
  return row?.oldest ?? null;
}

/** Where each chain ends in D1. */
export function tails(db: Db): Promise<Head[]> {
  const last = db
    .select({ chain: auditSeals.chain, seq: max(auditSeals.seq).as("last_seq") })
    .from(auditSeals)
    .groupBy(auditSeals.chain)
    .as("last");
  return db
    .select({ chain: auditSeals.chain, seq: auditSeals.seq, hash: auditSeals.hash, at: sql<number>`coalesce(${auditEntries.at}, 0)` })
    .from(last)
    .innerJoin(auditSeals, and(eq(auditSeals.chain, last.chain), eq(auditSeals.seq, last.seq)))
    .leftJoin(auditEntries, eq(auditEntries.id, auditSeals.entry));
}

/** Writes seals; those that stand there already are left as they are. */
export async function writeSeals(db: Db, seals: readonly Seal[]): Promise<void> {
  await insertAll(db, auditSeals, seals);
}

/** A place of a chain, with the entry that it was given to; null where that is gone. */
export interface Place extends Pick<Seal, "seq" | "entry" | "hash"> {
  readonly stored: StoredEntry | null;
}

/** The places of a chain from one to another, both included. */
export function placesOf(db: Db, chain: string, from: number, to: number): Promise<Place[]> {
  return db
    .select({ seq: auditSeals.seq, entry: auditSeals.entry, hash: auditSeals.hash, stored: AS_STORED })
    .from(auditSeals)
    .leftJoin(auditEntries, eq(auditEntries.id, auditSeals.entry))
    .where(and(eq(auditSeals.chain, chain), between(auditSeals.seq, from, to)))
    .orderBy(asc(auditSeals.seq));
}

/** What the audit shows of an entry's place. */
export interface Shown {
  readonly seq: number;
  readonly hash: string;
  /** Null where the place before is gone. */
  readonly previous: string | null;
}

/** The places of entries, by their ids; those that have none yet are left out. */
export async function sealsOf(db: Db, ids: readonly string[]): Promise<Map<string, Shown>> {
  if (ids.length === 0) return new Map();
  const before = alias(auditSeals, "before");
  const rows = await db
    .select({ entry: auditSeals.entry, seq: auditSeals.seq, hash: auditSeals.hash, previous: before.hash })
    .from(auditSeals)
    .leftJoin(before, and(eq(before.chain, auditSeals.chain), eq(before.seq, sql`${auditSeals.seq} - 1`)))
    .where(inArray(auditSeals.entry, sql`(select value from json_each(${JSON.stringify(ids)}))`));
  return new Map(rows.map(({ entry, seq, hash, previous }) => [entry, { seq, hash, previous: seq === 1 ? NOTHING_BEFORE : previous }]));
}
