import type { Amount, Elsewhere, Notice } from "./contract.ts";
import type { Sql } from "./sql.ts";

/** How long a wider budget's ledger has until it is told again; doubles with each try up to five minutes. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 300_000;

/** A request that ended, and the other ledgers that hold it. */
interface Ended {
  readonly id: string;
  readonly how: Notice["how"];
  readonly actual: Amount;
  readonly elsewhere: readonly Elsewhere[];
}

/** Notes, in the transaction that made it true, that other ledgers must hear of an ending. */
export function notify(sql: Sql, endings: readonly Ended[], now: number): void {
  for (const { id, how, actual, elsewhere } of endings) {
    const { nano, tokens, requests } = actual;
    const notice: Notice = { id, how, actual: { nano, tokens, requests } };
    for (const { ledger } of elsewhere)
      sql.exec("INSERT INTO notices (ledger, notice, tries, due_at) VALUES (?, ?, 0, ?)", ledger, JSON.stringify(notice), now);
  }
}

/** What one ledger is due to hear, oldest first. */
export interface Bundle {
  readonly ledger: string;
  readonly seqs: readonly number[];
  readonly notices: readonly Notice[];
}

/** Notices that are due, by the ledger they are for; at most `limit`. */
export function dueNotices(sql: Sql, now: number, limit: number): Bundle[] {
  const rows = sql.exec<{ seq: number; ledger: string; notice: string }>(
    "SELECT seq, ledger, notice FROM notices WHERE due_at <= ? ORDER BY seq LIMIT ?",
    now,
    limit,
  );
  return [...Map.groupBy(rows, ({ ledger }) => ledger)].map(([ledger, its]) => ({
    ledger,
    seqs: its.map(({ seq }) => seq),
    notices: its.map(({ notice }) => JSON.parse(notice) as Notice),
  }));
}

/** Drops what was heard. */
export function heard(sql: Sql, { seqs }: Bundle): void {
  sql.exec("DELETE FROM notices WHERE seq IN (SELECT value FROM json_each(?))", JSON.stringify(seqs));
}

/** Puts off what was not. */
export function unheard(sql: Sql, { seqs }: Bundle, now: number): void {
  sql.exec(
    "UPDATE notices SET tries = tries + 1, due_at = ? + min(?, ? * (1 << min(tries, 10))) WHERE seq IN (SELECT value FROM json_each(?))",
    now,
    RETRY_MS_MAX,
    RETRY_MS,
    JSON.stringify(seqs),
  );
}

/** When the next notice is due; null where there is none. */
export function nextNotice(sql: Sql): number | null {
  return sql.exec<{ at: number | null }>("SELECT min(due_at) AS at FROM notices")[0]?.at ?? null;
}
