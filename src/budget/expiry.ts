import { NOTHING } from "./amount.ts";
import { end, endingOf, everyLeg, total } from "./booking.ts";
import { endFloat, nextOverdue, overdue } from "./floats.ts";
import { holdOf } from "./holds.ts";
import { endLease, forgetLeases, nextLease, overdueLeases } from "./leases.ts";
import { chargesOf, told } from "./legs.ts";
import { nextNotice } from "./notices.ts";
import { deliver, estimated } from "./outbox.ts";
import { forgetPace } from "./pace.ts";
import type { Sql } from "./sql.ts";

const ENDED_KEPT_MS = 24 * 3_600_000;

/**
 * Turns holds whose time is up into estimated records at their reserved amount, and takes back floats and leases whose time is up; at
 * most `limit` of each. Says how many were due.
 * @throws the first failure, once every other one has had its turn: one that cannot end keeps no other reserved.
 */
export function expire(sql: Sql, now: number, limit: number): number {
  const due = sql.exec<{ id: string }>("SELECT id FROM holds WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", now, limit);
  const holds = due.map(({ id }) => id);
  const floats = overdue(sql, now, limit);
  const leases = overdueLeases(sql, now, limit);
  const steps = [
    ...floats.map((id) => () => endFloat(sql, id)),
    ...leases.map((id) => () => void endLease(sql, id, now)),
    ...holds.map((id) => () => expireOne(sql, id, now)),
  ];
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      sql.transaction(step);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return steps.length;
}

function expireOne(sql: Sql, id: string, now: number): void {
  const hold = holdOf(sql, id);
  if (!hold) return;
  if (hold.event === "") {
    end(sql, [endingOf(hold, "expired", NOTHING)], now);
    return;
  }
  end(sql, [endingOf(hold, "expired", hold)], now);
  total(sql, [{ key: hold.key, nano: hold.nano, requests: hold.requests, input: 0, output: 0 }]);
  const [charged = []] = told(sql, [chargesOf([...hold.legs, ...everyLeg(hold.elsewhere)], hold)]);
  deliver(sql, [estimated(hold.event, hold, charged)], now);
}

/** Drops what nobody can ask for any more, at most `limit` ended holds; says how many. */
export function tidy(sql: Sql, now: number, limit: number): number {
  forgetPace(sql, now);
  forgetLeases(sql, now - ENDED_KEPT_MS);
  const old = "SELECT id FROM ended WHERE at <= ? LIMIT ?";
  return sql.exec(`DELETE FROM ended WHERE id IN (${old}) RETURNING 1 AS dropped`, now - ENDED_KEPT_MS, limit).length;
}

/** When the first hold expires, and when the first ended one may be forgotten; null where there is none. */
export interface Due {
  readonly expiry: number | null;
  readonly forgetting: number | null;
}

/** What is due next. */
export function nextDue(sql: Sql): Due {
  const [hold] = sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM holds");
  const [ended] = sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM ended");
  const lease = nextLease(sql);
  const due = [hold?.at, lease.expiresAt, nextOverdue(sql), nextNotice(sql)];
  const over = [ended?.at, lease.endedAt].map((at) => (typeof at === "number" ? at + ENDED_KEPT_MS : null));
  return { expiry: earliest(due), forgetting: earliest(over) };
}

/** The first of several times, of which there may be none. */
function earliest(times: readonly (number | null | undefined)[]): number | null {
  const first = Math.min(...times.map((at) => at ?? Infinity));
  return first === Infinity ? null : first;
}
