import { usdFromNano } from "#core";
import type { Amount, Told } from "./contract.ts";
import type { Sql } from "./sql.ts";

/** A finished event as the ledger sees it: opaque but for its cost. */
interface Event {
  readonly cost: { readonly id: string; readonly actualUsd?: string; readonly nanoUsd?: number; readonly reprices?: string };
  readonly charges: readonly Told[];
}

/** How long the consumer has until an event that D1 does not show is sent again; doubles with each try up to ten minutes. */
const RESEND_MS = 10_000;
const RESEND_MS_MAX = 600_000;

/** What is delivered together must fit into one message of the queue with others beside it. */
const ROW_BYTES = 50_000;

/** How an event ends before anything was charged; what the flow writes is spliced there and not parsed again. */
const UNCHARGED = '"charges":[]}';

/** The event of a settled request, with what each budget was charged. */
export function finished(event: string, charges: readonly Told[]): Delivery {
  const parsed = event.endsWith(UNCHARGED) ? null : (JSON.parse(event) as Event);
  const text = parsed
    ? JSON.stringify({ ...parsed, charges })
    : `${event.slice(0, -UNCHARGED.length)}"charges":${JSON.stringify(charges)}}`;
  return { id: /"cost":\{"id":"([^"]+)"/.exec(event)?.[1] ?? (JSON.parse(event) as Event).cost.id, event: text };
}

/** The event of a hold that expired: what was reserved is what is billed. */
export function estimated(event: string, { nano }: Amount, charges: readonly Told[]): Delivery {
  const parsed = JSON.parse(event) as Event;
  return delivery({ ...parsed, cost: { ...parsed.cost, actualUsd: usdFromNano(nano), nanoUsd: nano }, charges });
}

/** The event of a request that was settled after it had expired: a new record that takes the estimate's place. */
export function late(event: string, charges: readonly Told[]): Delivery {
  const parsed = JSON.parse(event) as Event;
  return delivery({ ...parsed, cost: { ...parsed.cost, id: `${parsed.cost.id}_late`, reprices: parsed.cost.id }, charges });
}

function delivery(event: Event): Delivery {
  return { id: event.cost.id, event: JSON.stringify(event) };
}

/** Puts events into the outbox, in the transaction that made them true: one row for all, since they travel together. */
export function deliver(sql: Sql, events: readonly Delivery[], now: number): void {
  for (const together of packed(events, ROW_BYTES)) {
    const ids = together.map(({ id }) => id).join(" ");
    const text = together.map(({ event }) => event).join(",");
    const [row] = sql.exec<{ seq: number }>("INSERT INTO outbox_events (ids, events) VALUES (?, ?) RETURNING seq", ids, text);
    sql.exec("INSERT INTO outbox_due (seq, tries, due_at) VALUES (?, 0, ?)", row!.seq, now);
  }
}

/** An event as JSON text, by the id of its cost record. */
export interface Delivery {
  readonly id: string;
  readonly event: string;
}

/** What travels together: events as JSON texts with commas between them. */
interface Parcel {
  readonly seq: number;
  readonly event: string;
}

/** Events that are due, oldest first: unsent ones, and sent ones that nobody has seen in D1 for too long. */
export function due(sql: Sql, now: number, limit: number): Parcel[] {
  return sql.exec<{ seq: number; event: string }>(
    "SELECT seq, events AS event FROM outbox_due JOIN outbox_events USING (seq) WHERE due_at <= ? ORDER BY due_at LIMIT ?",
    now,
    limit,
  );
}

const encoder = new TextEncoder();

/** Events in lists that each fit into one message of so many bytes. */
export function packed<Item extends { readonly event: string }>(events: readonly Item[], bytesMax: number): Item[][] {
  const lists: Item[][] = [];
  let bytes = Infinity;
  for (const each of events) {
    const size = encoder.encode(each.event).byteLength + 1;
    if (bytes + size > bytesMax) {
      lists.push([]);
      bytes = 0;
    }
    lists.at(-1)!.push(each);
    bytes += size;
  }
  return lists;
}

/** Notes that events were handed to the queue; they stay until D1 shows them. */
export function sent(sql: Sql, seqs: readonly number[], now: number): void {
  sql.exec(
    `UPDATE outbox_due SET tries = tries + 1, due_at = ? + min(?, ? * (1 << min(tries, 10))) WHERE seq IN (SELECT value FROM json_each(?))`,
    now,
    RESEND_MS_MAX,
    RESEND_MS,
    JSON.stringify(seqs),
  );
}

/** Makes every event due: the object has just woken, and a queue that died with it may have lost what it was handed. */
export function resend(sql: Sql, now: number): void {
  sql.exec("UPDATE outbox_due SET due_at = ? WHERE due_at > ?", now, now);
}

/** Cost records that were sent together and may have arrived. */
export interface Awaited {
  readonly seq: number;
  readonly ids: readonly string[];
}

/** What was sent and may have arrived. */
export function awaiting(sql: Sql, limit: number): Awaited[] {
  return sql
    .exec<{ seq: number; ids: string }>(
      "SELECT seq, ids FROM outbox_due JOIN outbox_events USING (seq) WHERE tries > 0 ORDER BY due_at LIMIT ?",
      limit,
    )
    .map(({ seq, ids }) => ({ seq, ids: ids.split(" ") }));
}

/** Drops what D1 holds the whole of. */
export function confirmed(sql: Sql, arrived: readonly Awaited[]): void {
  const seqs = JSON.stringify(arrived.map(({ seq }) => seq));
  sql.transaction(() => {
    for (const table of ["outbox_due", "outbox_events"])
      sql.exec(`DELETE FROM ${table} WHERE seq IN (SELECT value FROM json_each(?))`, seqs);
  });
}

/** So many tries on, an event is looked for in D1 only when it is sent again: one that cannot arrive must not keep its ledger awake. */
const AWAITED_TRIES = 4;

/** When the outbox next wants attention; null where it is empty. `awaiting`: something sent may show in D1 any moment. */
export function nextDelivery(sql: Sql): { readonly dueAt: number; readonly awaiting: boolean } | null {
  const [row] = sql.exec<{ due: number | null; waiting: number }>(
    `SELECT (SELECT min(due_at) FROM outbox_due) AS due, EXISTS (SELECT 1 FROM outbox_due WHERE tries BETWEEN 1 AND ?) AS waiting`,
    AWAITED_TRIES,
  );
  return row && row.due !== null ? { dueAt: row.due, awaiting: row.waiting === 1 } : null;
}
