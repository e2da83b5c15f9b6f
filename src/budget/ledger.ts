import type { PaceLimits } from "#core";
import { larger, minus, NOTHING } from "./amount.ts";
import { begin, end, type Ending, endingOf, everyLeg, follow, settle, total } from "./booking.ts";
import type {
  Admission,
  Amount,
  Budget,
  BudgetStatus,
  Granted,
  KeyStatus,
  LeaseAsked,
  Leased,
  LeaseStatus,
  Notice,
  Refusal,
  Report,
  Settled,
  Settlement,
} from "./contract.ts";
import type { Payer } from "./facts.ts";
import { endFloat, giveBack, lend, nextOverdue, overdue } from "./floats.ts";
import { forecast } from "./forecast.ts";
import { type Grant, grant, growth, type Standing, tightest } from "./grant.ts";
import { type HoldRow, holdOf, insertHold, isKnown } from "./holds.ts";
import {
  drawnFrom,
  endLease,
  forgetLeases,
  heldBesides,
  leaseOf,
  leaseStanding,
  type LeaseRow,
  limitOf,
  nextLease,
  overdueLeases,
  refusedDraw,
  reserveFrom,
  restsOf,
  statusesOf,
  takeLease,
  unfitness,
} from "./leases.ts";
import { chargesOf, legAt, measured, told } from "./legs.ts";
import { nextNotice } from "./notices.ts";
import { deliver, estimated } from "./outbox.ts";
import { count, forgetPace, paceOf, paceRefusal, type Recent, recentOf } from "./pace.ts";
import { createTables, type Sql } from "./sql.ts";
import { standingsAt, standingsOf } from "./standings.ts";
import { windowAt } from "./windows.ts";

const ENDED_KEPT_MS = 24 * 3_600_000;
/** Limits that make everything be counted. */
const EVERY_LIMIT = { rpm: 1, tpm: 1, concurrency: 1 };
const UNUSED = { nano: 0, requests: 0, input: 0, output: 0 };
const UNKNOWN_HOLD: Refusal = { kind: "mismatch" };

/**
 * The ledger of one team: who may spend how much, what is held and what was spent. Pure over its SQL and the time it is given;
 * every method is one transaction, and every method may be repeated with the same id.
 */
export class Ledger {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    createTables(sql);
  }

  /** Admits a request by pace and by money, or says why not. */
  reserve(admission: Admission, payer: Payer, now: number): Granted | Refusal {
    return this.#sql.transaction(() => {
      const body = bodyOf(admission);
      if (!isKnown(this.#sql, admission.id)) return this.#admit(admission, body, payer, now);
      const hold = holdOf(this.#sql, admission.id);
      return hold?.body === body ? this.#granted(hold, payer, this.#viewOf(hold, payer, now), now) : UNKNOWN_HOLD;
    });
  }

  #admit(admission: Admission, body: string, payer: Payer, now: number): Granted | Refusal {
    const { key } = payer;
    const { id, lease: named = null } = admission;
    const unfit = unfitness(key, admission.epoch, now);
    if (unfit) return unfit;
    const lease = named === null ? null : drawnFrom(this.#sql, { lease: named, key: admission.key }, now);
    if (named !== null && !lease) return { kind: "lease_ended", lease: named };
    const counted = admission.likely.tokens;
    const view = this.#view(admission.key, payer, lease, now);
    const refused = paceRefusal(key.limits, view.recent, counted, now);
    if (refused) return refused;
    const granted = grant(admission, view.standings, now);
    if ("kind" in granted) return refusedDraw(this.#sql, lease, granted, { request: id, own: 0 });
    const hold = this.#hold(admission, granted, payer, { now, body, counted, lease });
    const left = after(view, hold);
    const float = lend(this.#sql, admission, { path: left.standings, limits: key.limits, recent: left.recent }, now);
    return { ...this.#granted(hold, payer, left, now), ...(float && { float }) };
  }

  /** Grows a hold to an absolute amount; a smaller one changes nothing. */
  extend(id: string, to: Amount, payer: Payer, now: number): Granted | Refusal {
    return this.#sql.transaction(() => {
      const hold = holdOf(this.#sql, id);
      if (!hold) return UNKNOWN_HOLD;
      const amount = { ...larger(hold, to), requests: hold.requests };
      const more = minus(amount, hold);
      if (more.nano > 0 || more.tokens > 0) {
        const refusal = this.#grow(hold, more, payer, now);
        if (refusal) return refusal;
        this.#sql.exec("UPDATE holds SET nano = ?, tokens = ? WHERE id = ?", amount.nano, amount.tokens, id);
      }
      return this.#granted({ ...hold, ...amount }, payer, this.#viewOf(hold, payer, now), now);
    });
  }

  /** Holds more, by the same budgets or lease as before, or says why not. */
  #grow(hold: HoldRow, more: Amount, { budgets }: Payer, now: number): Refusal | null {
    const { id, key, legs, lease: named } = hold;
    const lease = named === null ? null : drawnFrom(this.#sql, { lease: named, key }, now);
    if (named !== null && !lease) return { kind: "lease_ended", lease: named };
    const path = [...(lease ? [limitOf(lease)] : []), ...standingsOf(this.#sql, heldBesides(named, legs), budgets)];
    const refusal = growth(more, path, now);
    if (refusal) return refusedDraw(this.#sql, lease, refusal, { request: id, own: hold.nano });
    reserveFrom(this.#sql, named, { request: id, legs }, more);
    return null;
  }

  /** Takes a lease for a task, or says why not. */
  lease(asked: LeaseAsked, payer: Payer, now: number): Leased | Refusal {
    return this.#sql.transaction(() => takeLease(this.#sql, asked, payer, now));
  }

  /** Ends leases: no call draws from them any more. */
  endLeases(ids: readonly string[], now: number): LeaseStatus[] {
    return this.#sql.transaction(() => ids.map((id) => endLease(this.#sql, id, now)));
  }

  /** Where leases stand, as long as they are remembered. */
  leases(ids: readonly string[]): LeaseStatus[] {
    return statusesOf(this.#sql, ids);
  }

  /** Books what a request used, exactly once; after expiry it replaces the estimate. */
  settle(settlement: Settlement, now: number): Settled {
    return this.report({ began: [], ended: [{ settlement, floated: null, slot: null }], returned: [] }, now)[0]!;
  }

  /** Takes down what an isolate tells of the requests that it admitted itself, and books those that are over. */
  report({ began, ended, returned }: Report, now: number): Settled[] {
    return this.#sql.transaction(() => {
      begin(this.#sql, began);
      const settled = settle(this.#sql, ended, now);
      for (const each of returned) giveBack(this.#sql, each);
      return settled;
    });
  }

  /** Takes down how requests ended whose records another ledger keeps. */
  follow(notices: readonly Notice[], now: number): void {
    this.#sql.transaction(() => {
      for (const notice of notices) follow(this.#sql, notice, now);
    });
  }

  /**
   * Gives a hold back: nothing was sent upstream, so nothing counts. One that is not known is remembered as given back all the same:
   * what would make it may still be on its way here, and nobody would end it.
   */
  release(id: string, now: number): void {
    this.#sql.transaction(() => {
      const hold = holdOf(this.#sql, id);
      if (!hold && isKnown(this.#sql, id)) return;
      end(this.#sql, [hold ? endingOf(hold, "released", NOTHING) : givenBack(id)], now);
      if (hold?.paced) count(this.#sql, hold.key, hold.second, { requests: -1, tokens: 0 });
    });
  }

  /**
   * Turns holds whose time is up into estimated records at their reserved amount, and takes back floats and leases whose time is up; at
   * most `limit` of each. Says how many were due.
   * @throws the first failure, once every other one has had its turn: one that cannot end keeps no other reserved.
   */
  expire(now: number, limit: number): number {
    const due = this.#sql.exec<{ id: string }>("SELECT id FROM holds WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", now, limit);
    const floats = overdue(this.#sql, now, limit);
    const leases = overdueLeases(this.#sql, now, limit);
    const steps = [
      ...floats.map((id) => () => endFloat(this.#sql, id)),
      ...leases.map((id) => () => void endLease(this.#sql, id, now)),
      ...due.map(
        ({ id }) =>
          () =>
            this.#expireOne(id, now),
      ),
    ];
    const failures: unknown[] = [];
    for (const step of steps) {
      try {
        this.#sql.transaction(step);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return steps.length;
  }

  #expireOne(id: string, now: number): void {
    const hold = holdOf(this.#sql, id);
    if (!hold) return;
    if (hold.event === "") {
      end(this.#sql, [endingOf(hold, "expired", NOTHING)], now);
      return;
    }
    end(this.#sql, [endingOf(hold, "expired", hold)], now);
    total(this.#sql, [{ key: hold.key, nano: hold.nano, requests: hold.requests, input: 0, output: 0 }]);
    const [charged = []] = told(this.#sql, [chargesOf([...hold.legs, ...everyLeg(hold.elsewhere)], hold)]);
    deliver(this.#sql, [estimated(hold.event, hold, charged)], now);
  }

  /** Drops what nobody can ask for any more, at most `limit` ended holds; says how many. */
  tidy(now: number, limit: number): number {
    forgetPace(this.#sql, now);
    forgetLeases(this.#sql, now - ENDED_KEPT_MS);
    const old = "SELECT id FROM ended WHERE at <= ? LIMIT ?";
    return this.#sql.exec(`DELETE FROM ended WHERE id IN (${old}) RETURNING 1 AS dropped`, now - ENDED_KEPT_MS, limit).length;
  }

  /** When the first hold expires, and when the first ended one may be forgotten; null where there is none. */
  nextDue(): { readonly expiry: number | null; readonly forgetting: number | null } {
    const [hold] = this.#sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM holds");
    const [ended] = this.#sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM ended");
    const lease = nextLease(this.#sql);
    const due = [hold?.at, lease.expiresAt, nextOverdue(this.#sql), nextNotice(this.#sql)];
    const over = [ended?.at, lease.endedAt].map((at) => (typeof at === "number" ? at + ENDED_KEPT_MS : null));
    return { expiry: earliest(due), forgetting: earliest(over) };
  }

  /** Everything known of a key; where a task of it asks, by its lease. */
  keyStatus(id: string, { key, budgets }: Payer, now: number, lease: string | null = null): KeyStatus {
    const [total = UNUSED] = this.#sql.exec<{ nano: number; requests: number; input: number; output: number }>(
      "SELECT nano, requests, input, output FROM totals WHERE key = ?",
      id,
    );
    const [held] = this.#sql.exec<{ nano: number | null }>("SELECT sum(nano) AS nano FROM holds WHERE key = ?", id);
    const recent = recentOf(this.#sql, id, now, EVERY_LIMIT);
    return {
      key: id,
      epoch: key.epoch,
      active: key.active,
      spent: total.nano,
      reserved: (held?.nano ?? 0) + restsOf(this.#sql, id),
      requests: total.requests,
      tokens: { input: total.input, output: total.output },
      limits: key.limits,
      ...shown(key.limits, recent, now),
      inFlight: recent.inFlight - recent.lent.slots,
      budgets: [
        ...(lease === null ? [] : [leaseStanding(this.#sql, { lease, key: id }, now)]),
        ...this.budgetStatus(heldBesides(lease, budgets), now),
      ],
    };
  }

  /** Where budgets stand in their present windows. */
  budgetStatus(budgets: readonly Budget[], now: number): BudgetStatus[] {
    return standingsAt(this.#sql, budgets, now).map(({ budget, balance }) => {
      const window = windowAt(budget.window, budget.timeZone, now);
      const remaining = Math.max(0, budget.limit - balance.spent - balance.reserved);
      const expected = forecast(balance.spent, window, now);
      return { budget, ...balance, remaining, windowStart: window.start, resetsAt: window.end, forecast: expected };
    });
  }

  /** What an admission is judged by: where the budgets stand, or the lease in the place of those in USD, and what the key did lately. */
  #view(id: string, { key, budgets }: Payer, lease: LeaseRow | null, now: number): View {
    const standings = standingsAt(this.#sql, heldBesides(lease, budgets), now);
    return { standings: lease ? [limitOf(lease), ...standings] : standings, recent: recentOf(this.#sql, id, now, key.limits) };
  }

  #viewOf({ key, lease }: HoldRow, payer: Payer, now: number): View {
    return this.#view(key, payer, lease === null ? null : leaseOf(this.#sql, lease), now);
  }

  #hold(
    admission: Admission,
    { amount, bound }: Grant,
    { key: facts, budgets }: Payer,
    at: { now: number; body: string; counted: number; lease: LeaseRow | null },
  ): HoldRow {
    const { now, body, counted } = at;
    const lease = at.lease?.id ?? null;
    const legs = [...(at.lease?.legs ?? []), ...heldBesides(lease, budgets).map((budget) => legAt(budget, now))];
    const second = Math.floor(now / 1000);
    const { rpm, tpm } = facts.limits;
    const paced = rpm !== null || tpm !== null;
    const { id, key, event, elsewhere = [] } = admission;
    const hold = { id, key, body, ...amount, legs, second, counted, paced, bound, event, elsewhere, lease };
    reserveFrom(this.#sql, lease, { request: id, legs }, amount);
    insertHold(this.#sql, hold, now + admission.ttlMs);
    if (paced) count(this.#sql, key, second, { requests: 1, tokens: counted });
    return hold;
  }

  #granted(hold: HoldRow, { key }: Payer, { standings, recent }: View, now: number): Granted {
    const inUsd = standings.filter(({ budget }) => budget.unit === "usd");
    const least = inUsd.length === 0 ? null : tightest(inUsd);
    return {
      kind: "granted",
      granted: { nano: hold.nano, tokens: hold.tokens, requests: hold.requests },
      bound: hold.bound,
      legs: hold.legs,
      tightest: least && {
        budget: least.budget.id,
        scope: least.budget.scope,
        remaining: Math.max(0, least.budget.limit - least.balance.spent - least.balance.reserved),
        resetsAt: windowAt(least.budget.window, least.budget.timeZone, now).end,
      },
      ...shown(key.limits, recent, now),
    };
  }
}

/** What an admission is judged by. */
interface View {
  readonly standings: readonly Standing[];
  readonly recent: Recent;
}

/** The view once a hold is taken, without reading it again. */
function after({ standings, recent }: View, hold: HoldRow): View {
  const taken = standings.map(({ budget, balance }) => ({
    budget,
    balance: { ...balance, reserved: balance.reserved + measured(hold, budget.unit) },
  }));
  const { requests, tokens, inFlight } = recent;
  return { standings: taken, recent: { ...recent, requests: requests + 1, tokens: tokens + hold.counted, inFlight: inFlight + 1 } };
}

/** The pace of a key as it is shown: what is only lent has not been used. */
function shown({ rpm, tpm }: PaceLimits, { requests, tokens, lent }: Recent, now: number): Pick<Granted, "rpm" | "tpm"> {
  return { rpm: paceOf(rpm, Math.max(0, requests - lent.requests), now), tpm: paceOf(tpm, Math.max(0, tokens - lent.tokens), now) };
}

/** What must be the same for an id to be a repeat. */
function bodyOf({ key, floor, ceiling, likely, stream, lease }: Admission): string {
  return JSON.stringify([key, floor, ceiling, likely, stream, lease]);
}

/** The first of several times, of which there may be none. */
function earliest(times: readonly (number | null | undefined)[]): number | null {
  const first = Math.min(...times.map((at) => at ?? Infinity));
  return first === Infinity ? null : first;
}

/** The ending of what was never held. */
function givenBack(id: string): Ending {
  return { id, key: "", how: "released", legs: [], elsewhere: [], held: NOTHING, actual: NOTHING, paced: null, lease: null };
}
