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
    const id = together.map((each) => each.id).join(" ");
    sql.exec("INSERT INTO outbox (id, event, tries, due_at) VALUES (?, ?, 0, ?)", id, together.map(({ event }) => event).join(","), now);
  }
}

/** Events, as JSON texts with commas between them, by the ids of their cost records with spaces between them. */
export interface Delivery {
  readonly id: string;
  readonly event: string;
}

/** Events that are due, oldest first: unsent ones, and sent ones that nobody has seen in D1 for too long. */
export function due(sql: Sql, now: number, limit: number): Delivery[] {
  return sql.exec<{ id: string; event: string }>("SELECT id, event FROM outbox WHERE due_at <= ? ORDER BY due_at LIMIT ?", now, limit);
}

const encoder = new TextEncoder();

/** Events in lists that each fit into one message of so many bytes. */
export function packed(events: readonly Delivery[], bytesMax: number): Delivery[][] {
  const lists: Delivery[][] = [];
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
export function sent(sql: Sql, ids: readonly string[], now: number): void {
  sql.exec(
    `UPDATE outbox SET tries = tries + 1, due_at = ? + min(?, ? * (1 << min(tries, 10))) WHERE id IN (SELECT value FROM json_each(?))`,
    now,
    RESEND_MS_MAX,
    RESEND_MS,
    JSON.stringify(ids),
  );
}

/** Makes every event due: the object has just woken, and a queue that died with it may have lost what it was handed. */
export function resend(sql: Sql, now: number): void {
  sql.exec("UPDATE outbox SET due_at = ? WHERE due_at > ?", now, now);
}

/** The cost records that were sent and may have arrived, as they were delivered together. */
export function awaiting(sql: Sql, limit: number): (readonly string[])[] {
  return sql.exec<{ id: string }>("SELECT id FROM outbox WHERE tries > 0 ORDER BY due_at LIMIT ?", limit).map(({ id }) => id.split(" "));
}

/** Drops what D1 holds the whole of. */
export function confirmed(sql: Sql, deliveries: readonly (readonly string[])[]): void {
  const ids = deliveries.map((together) => together.join(" "));
  sql.exec("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))", JSON.stringify(ids));
}

/** So many tries on, an event is looked for in D1 only when it is sent again: one that cannot arrive must not keep its ledger awake. */
const AWAITED_TRIES = 4;

/** When the outbox next wants attention; null where it is empty. `awaiting`: something sent may show in D1 any moment. */
export function nextDelivery(sql: Sql): { readonly dueAt: number; readonly awaiting: boolean } | null {
  const [row] = sql.exec<{ due: number | null; waiting: number | null }>(
    "SELECT min(due_at) AS due, max(tries BETWEEN 1 AND ?) AS waiting FROM outbox",
    AWAITED_TRIES,
  );
  return row && row.due !== null ? { dueAt: row.due, awaiting: row.waiting === 1 } : null;
}
