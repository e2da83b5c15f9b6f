import type { Amount, Charge, Elsewhere, Leg, Notice } from "./contract.ts";
import type { Sql } from "./sql.ts";

/** One request's reservation. */
export interface HoldRow extends Amount {
  readonly id: string;
  readonly key: string;
  readonly body: string;
  readonly legs: readonly Leg[];
  /** The second of its admission, where its pace was counted. */
  readonly second: number;
  /** Tokens that were counted there. */
  readonly counted: number;
  /** Whether they were counted at all: a key without limits of pace is not. */
  readonly paced: boolean;
  readonly bound: boolean;
  readonly event: string;
  readonly elsewhere: readonly Elsewhere[];
  /** The lease that its money was drawn from. */
  readonly lease: string | null;
}

/** How a reservation ended, kept for a day so that a repeat is answered alike. */
export interface EndedRow extends Amount {
  readonly id: string;
  readonly key: string;
  readonly how: Notice["how"];
  readonly legs: readonly Leg[];
  readonly elsewhere: readonly Elsewhere[];
  readonly charged: readonly Charge[];
  readonly lease: string | null;
}

/** The hold of an id, if it lives. */
export function holdOf(sql: Sql, id: string): HoldRow | null {
  return holdsOf(sql, [id]).get(id) ?? null;
}

/** The holds that live, by their ids. */
export function holdsOf(sql: Sql, ids: readonly string[]): ReadonlyMap<string, HoldRow> {
  const rows = sql.exec<{
    id: string;
    key: string;
    body: string;
    nano: number;
    tokens: number;
    requests: number;
    legs: string;
    second: number;
    counted: number;
    paced: number;
    bound: number;
    event: string;
    elsewhere: string;
    lease: string | null;
  }>(
    `SELECT id, key, body, nano, tokens, requests, legs, second, counted, paced, bound, event, elsewhere, lease FROM holds
     WHERE id IN (SELECT value FROM json_each(?))`,
    JSON.stringify(ids),
  );
  return new Map(
    rows.map((row) => {
      const lists = { legs: JSON.parse(row.legs) as Leg[], elsewhere: JSON.parse(row.elsewhere) as Elsewhere[] };
      return [row.id, { ...row, ...lists, paced: row.paced === 1, bound: row.bound === 1 }];
    }),
  );
}

/** How holds ended, by their ids. */
export function endedOf(sql: Sql, ids: readonly string[]): ReadonlyMap<string, EndedRow> {
  const rows = sql.exec<{
    id: string;
    key: string;
    how: EndedRow["how"];
    nano: number;
    tokens: number;
    requests: number;
    legs: string;
    charged: string;
    elsewhere: string;
    lease: string | null;
  }>(
    "SELECT id, key, how, nano, tokens, requests, legs, charged, elsewhere, lease FROM ended WHERE id IN (SELECT value FROM json_each(?))",
    JSON.stringify(ids),
  );
  return new Map(
    rows.map((row) => {
      const lists = { legs: JSON.parse(row.legs) as Leg[], elsewhere: JSON.parse(row.elsewhere) as Elsewhere[] };
      return [row.id, { ...row, ...lists, charged: JSON.parse(row.charged) as Charge[] }];
    }),
  );
}

/** Takes a hold down; its balances are another matter. */
export function insertHold(sql: Sql, hold: HoldRow, expiresAt: number): void {
  sql.exec(
    `INSERT INTO holds (id, key, body, nano, tokens, requests, legs, second, counted, paced, bound, expires_at, event, elsewhere, lease)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    hold.id,
    hold.key,
    hold.body,
    hold.nano,
    hold.tokens,
    hold.requests,
    JSON.stringify(hold.legs),
    hold.second,
    hold.counted,
    Number(hold.paced),
    Number(hold.bound),
    expiresAt,
    hold.event,
    JSON.stringify(hold.elsewhere),
    hold.lease,
  );
}

/** Whether an id has been used, be its hold alive or ended. */
export function isKnown(sql: Sql, id: string): boolean {
  return sql.exec("SELECT 1 AS known FROM holds WHERE id = ?1 UNION ALL SELECT 1 FROM ended WHERE id = ?1", id).length > 0;
}
