import type { Amount, Charge } from "./contract.ts";
import type { Leg } from "./legs.ts";
import type { Sql } from "./sql.ts";

/** A leg as it stands in a row. */
export type StoredLeg = Leg;

/** One request's reservation. */
export interface HoldRow extends Amount {
  readonly id: string;
  readonly key: string;
  readonly body: string;
  readonly legs: readonly StoredLeg[];
  /** The second of its admission, where its pace was counted. */
  readonly second: number;
  /** Tokens that were counted there. */
  readonly counted: number;
  /** Whether they were counted at all: a key without limits of pace is not. */
  readonly paced: boolean;
  readonly bound: boolean;
  readonly event: string;
}

/** How a reservation ended, kept for a day so that a repeat is answered alike. */
export interface EndedRow extends Amount {
  readonly key: string;
  readonly how: "settled" | "expired" | "released";
  readonly legs: readonly StoredLeg[];
  readonly charged: readonly Charge[];
}

/** The hold of an id, if it lives. */
export function holdOf(sql: Sql, id: string): HoldRow | null {
  const [row] = sql.exec<{
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
  }>("SELECT id, key, body, nano, tokens, requests, legs, second, counted, paced, bound, event FROM holds WHERE id = ?", id);
  return row ? { ...row, legs: JSON.parse(row.legs) as StoredLeg[], paced: row.paced === 1, bound: row.bound === 1 } : null;
}

/** How the hold of an id ended, if it did. */
export function endedOf(sql: Sql, id: string): EndedRow | null {
  const [row] = sql.exec<{
    key: string;
    how: EndedRow["how"];
    nano: number;
    tokens: number;
    requests: number;
    legs: string;
    charged: string;
  }>("SELECT key, how, nano, tokens, requests, legs, charged FROM ended WHERE id = ?", id);
  return row ? { ...row, legs: JSON.parse(row.legs) as StoredLeg[], charged: JSON.parse(row.charged) as Charge[] } : null;
}

/** Whether an id has been used, be its hold alive or ended. */
export function isKnown(sql: Sql, id: string): boolean {
  return sql.exec("SELECT 1 AS known FROM holds WHERE id = ?1 UNION ALL SELECT 1 FROM ended WHERE id = ?1", id).length > 0;
}
