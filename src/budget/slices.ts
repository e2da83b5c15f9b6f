import type { PaceLimits } from "#core";
import type { Counted, PacePart, Slice, Wish } from "./contract.ts";
import { count, type Recent } from "./pace.ts";
import type { Sql } from "./sql.ts";

/** A float takes at most this part of what is left of a key's minute. */
const SHARE = 4;
/** Near the limit nothing is lent: each request asks. */
const REQUESTS_MIN = 2;
/** A float takes at most this part of the places that are free. */
const SLOTS_SHARE = 2;
const SLOTS_MIN = 2;
/** Where there is no limit. */
const PLENTY = 2 ** 50;

/** A slice as the ledger remembers it: what of it has not been drawn yet. */
interface SliceRow {
  readonly second: number;
  readonly requests: number;
  readonly tokens: number;
}

/** A request of a float, as far as its pace is concerned. */
interface Paced {
  readonly key: string;
  readonly float: string;
  readonly paced: Counted | null;
}

/** How much of a key's pace a float may have. */
export function partOfPace({ wanted, slots }: Wish, tokensEach: number, limits: PaceLimits, recent: Recent): PacePart | "too little" {
  const of = (limit: number | null, used: number, share: number, most: number) =>
    limit === null ? PLENTY : Math.max(0, Math.min(most, Math.floor((limit - used) / share)));
  const part = {
    requests: of(limits.rpm, recent.requests, SHARE, wanted.requests),
    tokens: of(limits.tpm, recent.tokens, SHARE, wanted.tokens),
    slots: of(limits.concurrency, recent.inFlight, SLOTS_SHARE, slots),
  };
  const enough = part.requests >= REQUESTS_MIN && part.tokens >= REQUESTS_MIN * tokensEach && part.slots >= SLOTS_MIN;
  return enough ? part : "too little";
}

/** Lends a part of a key's pace: it counts as used, in the last second in which it can be. */
export function lendPace(sql: Sql, at: { readonly key: string; readonly float: string }, part: PacePart, untilMs: number): Slice {
  const { key, float } = at;
  const second = Math.floor(untilMs / 1000);
  const limited = (amount: number) => (amount === PLENTY ? 0 : amount);
  const [requests, tokens] = [limited(part.requests), limited(part.tokens)];
  sql.exec(
    "INSERT INTO slices (key, float, second, requests, tokens, slots) VALUES (?, ?, ?, ?, ?, ?)",
    key,
    float,
    second,
    requests,
    tokens,
    // Null stays null however many places are taken: what is not limited is not counted.
    part.slots === PLENTY ? null : part.slots,
  );
  if (requests > 0 || tokens > 0) count(sql, key, second, { requests, tokens });
  return { ...part, second };
}

/** Counts a request that was admitted from a float: out of its slice, and beyond it what the slice has not, or has no more. */
export function drawPace(sql: Sql, { key, float, paced }: Paced): void {
  if (!paced) return;
  const used = { requests: 1, tokens: paced.counted };
  const drawn = take(sql, key, float, { ...used, slots: 1 });
  const beyond = { requests: used.requests - drawn.requests, tokens: used.tokens - drawn.tokens };
  if (beyond.requests > 0 || beyond.tokens > 0) count(sql, key, paced.second, beyond);
}

/** A request that was admitted from a float is over, and its isolate keeps the place. */
export function keepSlot(sql: Sql, key: string, float: string): void {
  sql.exec("UPDATE slices SET slots = slots + 1 WHERE key = ? AND float = ?", key, float);
}

/** Gives back what was not admitted of a slice. What was stays counted until it is told, or the float's time is up. */
export function giveBackPace(sql: Sql, key: string, float: string, rest: PacePart): void {
  const slice = sliceOf(sql, key, float);
  if (!slice) return;
  uncount(sql, key, { ...take(sql, key, float, rest), second: slice.second });
}

/** Ends the slice of a float whose time is up. */
export function endSlice(sql: Sql, key: string, float: string): void {
  const slice = sliceOf(sql, key, float);
  if (!slice) return;
  uncount(sql, key, slice);
  sql.exec("DELETE FROM slices WHERE key = ? AND float = ?", key, float);
}

/**
 * Takes requests and tokens out of a slice as far as it has them, and places in full: one may be taken again before the ledger hears
 * that it was left, so their number may be below zero for as long.
 */
function take(sql: Sql, key: string, float: string, part: PacePart): Omit<SliceRow, "second"> {
  const slice = sliceOf(sql, key, float);
  if (!slice) return { requests: 0, tokens: 0 };
  const taken = { requests: Math.min(slice.requests, part.requests), tokens: Math.min(slice.tokens, part.tokens) };
  sql.exec(
    "UPDATE slices SET requests = requests - ?, tokens = tokens - ?, slots = slots - ? WHERE key = ? AND float = ?",
    taken.requests,
    taken.tokens,
    part.slots,
    key,
    float,
  );
  return taken;
}

function uncount(sql: Sql, key: string, { second, requests, tokens }: SliceRow): void {
  if (requests > 0 || tokens > 0) count(sql, key, second, { requests: -requests, tokens: -tokens });
}

function sliceOf(sql: Sql, key: string, float: string): SliceRow | null {
  const [row] = sql.exec<{ second: number; requests: number; tokens: number }>(
    "SELECT second, requests, tokens FROM slices WHERE key = ? AND float = ?",
    key,
    float,
  );
  return row ?? null;
}
