import { admit, extend } from "./admission.ts";
import { NOTHING } from "./amount.ts";
import { begin, end, type Ending, endingOf, follow, settle } from "./booking.ts";
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
import { type Due, expire, nextDue, tidy } from "./expiry.ts";
import type { Payer } from "./facts.ts";
import { giveBack } from "./floats.ts";
import { forecast } from "./forecast.ts";
import { holdOf, isKnown } from "./holds.ts";
import { endLease, heldBesides, leaseStanding, restsOf, statusesOf, takeLease } from "./leases.ts";
import { count, pacesOf, recentOf } from "./pace.ts";
import { createTables, type Sql } from "./sql.ts";
import { standingsAt } from "./standings.ts";
import { windowAt } from "./windows.ts";

/** Limits that make everything be counted. */
const EVERY_LIMIT = { rpm: 1, tpm: 1, concurrency: 1 };
const UNUSED = { nano: 0, requests: 0, input: 0, output: 0 };

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
    return this.#sql.transaction(() => admit({ sql: this.#sql, payer, now }, admission));
  }

  /** Grows a hold to an absolute amount; a smaller one changes nothing. */
  extend(id: string, to: Amount, payer: Payer, now: number): Granted | Refusal {
    return this.#sql.transaction(() => extend({ sql: this.#sql, payer, now }, id, to));
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

  /** Ends what time is up, at most `limit` of each kind, each in a transaction of its own; says how many were due. */
  expire(now: number, limit: number): number {
    return expire(this.#sql, now, limit);
  }

  /** Drops what nobody can ask for any more, at most `limit` ended holds; says how many. */
  tidy(now: number, limit: number): number {
    return tidy(this.#sql, now, limit);
  }

  /** When there is next something to expire, and to forget. */
  nextDue(): Due {
    return nextDue(this.#sql);
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
      ...pacesOf(key.limits, recent, now),
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
}

/** The ending of what was never held. */
function givenBack(id: string): Ending {
  return { id, key: "", how: "released", legs: [], elsewhere: [], held: NOTHING, actual: NOTHING, paced: null, lease: null };
}
