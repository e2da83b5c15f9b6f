/** SQL as a Durable Object's storage runs it. */
export interface CounterSql {
  exec(query: string, ...values: (string | number)[]): Iterable<Record<string, unknown>>;
}

/** What is counted: by which name, for whom, and over how long. */
export interface Counter {
  readonly name: string;
  readonly principal: string;
  readonly windowS: number;
}

/** A place in a counter. `count` holds the taker's own. */
export interface Ticket {
  readonly count: number;
  /** Where it was counted, for giving it back. */
  readonly slot: number;
  /** Milliseconds until the oldest that counts no longer does. */
  readonly resetsMs: number;
}

/** The longest window there is. */
export const WINDOW_S_MAX = 86_400;
/** Slots of a window: a count is right to within one of them, and never too small. */
const SLOTS = 60;

/** Makes the table; harmless where it stands. */
export function createCounters(sql: CounterSql): void {
  sql.exec(
    "CREATE TABLE IF NOT EXISTS counters (name TEXT, principal TEXT, width INTEGER, slot INTEGER, count INTEGER NOT NULL, PRIMARY KEY (name, principal, width, slot)) WITHOUT ROWID",
  );
  sql.exec("CREATE INDEX IF NOT EXISTS counters_end ON counters (slot)");
}

/**
 * Counts the taker and says how many there are: the counter is one object's, so of any number at once each gets a number of its own.
 * A window slides by its slots, and what is in part of one counts whole.
 */
export function take(sql: CounterSql, { name, principal, windowS }: Counter, now: number): Ticket {
  const width = widthOf(windowS);
  const slot = now - (now % width);
  const from = slot - Math.ceil((windowS * 1_000) / width) * width;
  const key = [name, principal, width] as const;
  sql.exec("DELETE FROM counters WHERE name = ? AND principal = ? AND width = ? AND slot < ?", ...key, from);
  sql.exec("INSERT INTO counters VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", ...key, slot);
  const [row] = sql.exec(
    "SELECT sum(count) AS count, min(slot) AS oldest FROM counters WHERE name = ? AND principal = ? AND width = ? AND count > 0",
    ...key,
  );
  const { count, oldest } = row as { count: number; oldest: number };
  return { count, slot, resetsMs: oldest + (slot - from) + width - now };
}

/** Gives a ticket back: what it was taken for did not happen. */
export function giveBack(sql: CounterSql, { name, principal, windowS }: Counter, slot: number): void {
  sql.exec(
    "UPDATE counters SET count = count - 1 WHERE name = ? AND principal = ? AND width = ? AND slot = ? AND count > 0",
    name,
    principal,
    widthOf(windowS),
    slot,
  );
}

/** Drops what no window reaches any more; says whether anything is left. */
export function tidy(sql: CounterSql, now: number): boolean {
  sql.exec("DELETE FROM counters WHERE slot < ?", now - (WINDOW_S_MAX + WINDOW_S_MAX / SLOTS) * 1_000);
  const [row] = sql.exec("SELECT 1 AS one FROM counters LIMIT 1");
  return row !== undefined;
}

function widthOf(windowS: number): number {
  return Math.max(1_000, Math.ceil(windowS / SLOTS) * 1_000);
}
