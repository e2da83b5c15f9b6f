import { DurableObject } from "cloudflare:workers";
import { inArray, sql as query } from "drizzle-orm";
import { connect, type Db, tables } from "#db";
import type {
  Admission,
  Amount,
  BudgetStatus,
  Granted,
  KeyStatus,
  LeaseAsked,
  Leased,
  LeaseStatus,
  Notice,
  Refusal,
  Report,
} from "./contract.ts";
import { Facts } from "./facts.ts";
import { FLOAT_MS } from "./floats.ts";
import { Ledger } from "./ledger.ts";
import { type Bundle, dueNotices, heard, unheard } from "./notices.ts";
import { awaiting, confirmed, due, nextDelivery, packed, resend, sent } from "./outbox.ts";
import type { Sql, Value } from "./sql.ts";
import { isWider } from "./wider.ts";

/** The bindings that a ledger object uses. */
interface LedgerEnv {
  readonly DB: D1Database;
  readonly EVENTS: Queue;
  readonly LEDGER: DurableObjectNamespace<LedgerObject>;
}

const EXPIRED_PER_ALARM = 200;
const TIDIED_PER_ALARM = 10_000;
const DRAIN_MS = 200;
const CONFIRM_MS = 3_000;
const TIDY_MS = 60_000;
const EVENTS_PER_ALARM = 200;
const CONFIRMED_PER_ALARM = 500;
const NOTICES_PER_ALARM = 1_000;
/** One message carries as many events as fit into a queue's 128 kB. */
const MESSAGE_BYTES = 100_000;

function isEmpty({ began, ended, returned }: Report): boolean {
  return began.length === 0 && ended.length === 0 && returned.length === 0;
}

/** A report of one thing each. */
function partsOf({ began, ended, returned }: Report): Report[] {
  const nothing: Report = { began: [], ended: [], returned: [] };
  return [
    ...began.map((each) => ({ ...nothing, began: [each] })),
    ...ended.map((each) => ({ ...nothing, ended: [each] })),
    ...returned.map((each) => ({ ...nothing, returned: [each] })),
  ];
}

/**
 * One team's ledger: storage and RPC around the pure one. Every method that moves money carries the request's id and may be
 * repeated. The alarm expires holds, hands the outbox to the queue and drops what D1 has.
 */
export class LedgerObject extends DurableObject<LedgerEnv> {
  readonly #sql: Sql;
  readonly #ledger: Ledger;
  readonly #db: Db;
  #facts: Facts | null = null;
  #alarmAt: number | null = null;
  #confirmedAt = 0;
  #tidyAt = 0;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    this.#sql = {
      exec: <Row extends Record<string, Value>>(text: string, ...values: Value[]) => ctx.storage.sql.exec<Row>(text, ...values).toArray(),
      transaction: (work) => ctx.storage.transactionSync(work),
    };
    this.#ledger = new Ledger(this.#sql);
    this.#db = connect(env.DB);
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
      resend(this.#sql, Date.now());
      await this.#wake(this.#nextWork(Date.now()));
    });
  }

  /**
   * Admits a request, once what is reported along with it is taken down.
   * @throws Error where the control plane could not be read: what is not known to be paid for is not admitted.
   */
  async reserve(team: string, admission: Admission, report: Report): Promise<Granted | Refusal> {
    if (!isEmpty(report)) await this.report(report);
    if (isWider(team)) return this.#reserveWider(team, admission);
    const payer = await this.#of(team).payer(admission.key, admission.epoch);
    if (!payer) return { kind: "inactive" };
    const now = Date.now();
    const answer = this.#ledger.reserve(admission, payer, now);
    if (answer.kind === "granted") await this.#wake(now + Math.min(admission.ttlMs, answer.float ? FLOAT_MS : Infinity));
    return answer;
  }

  /** Admits a request by the budgets of a scope across teams; where there are none, nothing is held. */
  async #reserveWider(scope: string, admission: Admission): Promise<Granted | Refusal> {
    const payer = await this.#of(scope).anybody();
    if (payer.budgets.length === 0) {
      return { kind: "granted", granted: admission.ceiling, bound: false, legs: [], tightest: null, rpm: null, tpm: null };
    }
    const now = Date.now();
    // Floats and leases are of the team's ledger alone.
    const { float: _float, lease: _lease, ...asked } = admission;
    const answer = this.#ledger.reserve(asked, payer, now);
    if (answer.kind === "granted") await this.#wake(now + admission.ttlMs);
    return answer;
  }

  /** Takes down how requests ended whose records other ledgers keep. */
  async follow(notices: readonly Notice[]): Promise<void> {
    this.#ledger.follow(notices, Date.now());
  }

  /** Grows a hold to an absolute amount. */
  async extend(team: string, key: string, id: string, to: Amount): Promise<Granted | Refusal> {
    const payer = isWider(team) ? await this.#of(team).anybody() : await this.#of(team).payer(key);
    return payer ? this.#ledger.extend(id, to, payer, Date.now()) : { kind: "inactive" };
  }

  /**
   * Takes a lease for a task, by the budgets in USD of its key and their ancestors.
   * @throws Error where the control plane could not be read.
   */
  async lease(team: string, asked: LeaseAsked): Promise<Leased | Refusal> {
    const payer = await this.#of(team).payer(asked.key, asked.epoch);
    if (!payer) return { kind: "inactive" };
    const now = Date.now();
    const answer = this.#ledger.lease(asked, payer, now);
    if (answer.kind === "leased") await this.#wake(now + asked.ttlMs);
    return answer;
  }

  /** Ends leases, however often: once this returns, no call draws from them. */
  async endLeases(ids: readonly string[]): Promise<LeaseStatus[]> {
    const now = Date.now();
    const statuses = this.#ledger.endLeases(ids, now);
    await this.#wake(this.#nextWork(now));
    return statuses;
  }

  /** Where leases stand; those that are forgotten, or were never taken, are left out. */
  leases(ids: readonly string[]): LeaseStatus[] {
    return this.#ledger.leases(ids);
  }

  /** Takes down what an isolate says began, ended and is not needed any more. What cannot be is logged, and keeps nothing else from its place. */
  async report(report: Report): Promise<void> {
    const now = Date.now();
    try {
      this.#ledger.report(report, now);
    } catch {
      for (const part of partsOf(report)) this.#reportOne(part, now);
    }
    const ttls = report.began.map(({ admission, at }) => at + admission.ttlMs);
    await this.#wake(Math.min(report.ended.length > 0 ? now + DRAIN_MS : Infinity, ...ttls));
  }

  #reportOne(part: Report, now: number): void {
    try {
      this.#ledger.report(part, now);
    } catch (error) {
      const request = part.ended[0]?.settlement.id ?? part.began[0]?.admission.id ?? null;
      const reason = error instanceof Error ? error.name : "non-error thrown";
      // oxlint-disable-next-line no-console -- the platform's log sink; the kind of a failure only, since messages may quote an event.
      console.error(JSON.stringify({ level: "error", code: "report_refused", request, reason }));
    }
  }

  /** Gives a hold back. */
  async release(id: string): Promise<void> {
    const now = Date.now();
    this.#ledger.release(id, now);
    await this.#wake(this.#nextWork(now));
  }

  /** Everything known of a key, as it is for the task of a lease where one is named; null where the team has no such key. */
  async keyStatus(team: string, key: string, lease: string | null = null): Promise<KeyStatus | null> {
    const payer = await this.#of(team).payer(key);
    return payer && this.#ledger.keyStatus(key, payer, Date.now(), lease);
  }

  /** Where budgets of this ledger stand, all of them for null; those that are not there are left out. */
  async budgetStatus(team: string, budgets: readonly string[] | null): Promise<BudgetStatus[]> {
    return this.#ledger.budgetStatus(await this.#of(team).budgets(budgets), Date.now());
  }

  /** Reads the control plane's facts again, before it returns. */
  async refresh(team: string): Promise<void> {
    await this.#of(team).refresh();
  }

  /**
   * Each step by itself, expiry first: neither a queue nor a database that is down, nor a row that is spoiled, may keep money
   * reserved or events from their way.
   */
  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    const now = Date.now();
    const steps = [
      () => this.#ledger.expire(now, EXPIRED_PER_ALARM),
      () => this.#tidy(now),
      () => this.#notify(now),
      () => this.#drain(now),
      () => this.#confirm(now),
    ];
    const done = await Promise.allSettled(steps.map(async (step) => step()));
    const failed = done.some(({ status }) => status === "rejected");
    const next = this.#nextWork(Date.now());
    await this.#wake(failed ? Math.max(next ?? 0, Date.now() + CONFIRM_MS) : next);
  }

  /** Once a minute, and at once again while there is more than one batch to forget. */
  #tidy(now: number): void {
    if (now < this.#tidyAt) return;
    const forgotten = this.#ledger.tidy(now, TIDIED_PER_ALARM);
    this.#tidyAt = forgotten === TIDIED_PER_ALARM ? now : now + TIDY_MS;
  }

  /**
   * Hands due events to the queue. They stay in the outbox until D1 shows them. What the queue refuses is tried again later by
   * itself, so that one event it will never take keeps no other waiting.
   */
  async #drain(now: number): Promise<void> {
    const failures: unknown[] = [];
    for (const events of packed(due(this.#sql, now, EVENTS_PER_ALARM), MESSAGE_BYTES)) {
      const seqs = events.map(({ seq }) => seq);
      try {
        await this.env.EVENTS.send(`[${events.map(({ event }) => event).join(",")}]`, { contentType: "text" });
      } catch (error) {
        failures.push(error);
      }
      sent(this.#sql, seqs, now);
    }
    if (failures.length > 0) throw new AggregateError(failures, "the queue refused events");
  }

  /** Tells the ledgers of wider budgets how requests ended; one that is down keeps no other waiting. */
  async #notify(now: number): Promise<void> {
    const tell = async (bundle: Bundle) => {
      try {
        await this.env.LEDGER.getByName(bundle.ledger).follow(bundle.notices);
        heard(this.#sql, bundle);
      } catch {
        unheard(this.#sql, bundle, now);
      }
    };
    await Promise.all(dueNotices(this.#sql, now, NOTICES_PER_ALARM).map(tell));
  }

  /** Drops the events that D1 has. */
  async #confirm(now: number): Promise<void> {
    if (now - this.#confirmedAt < CONFIRM_MS) return;
    this.#confirmedAt = now;
    const deliveries = awaiting(this.#sql, CONFIRMED_PER_ALARM);
    if (deliveries.length === 0) return;
    const { costRecords } = tables;
    const named = query`(select value from json_each(${JSON.stringify(deliveries.flatMap(({ ids }) => ids))}))`;
    const found = await this.#db.select({ id: costRecords.id }).from(costRecords).where(inArray(costRecords.id, named));
    const arrived = new Set(found.map(({ id }) => id));
    const whole = deliveries.filter(({ ids }) => ids.every((id) => arrived.has(id)));
    if (whole.length > 0) confirmed(this.#sql, whole);
  }

  /** When there is next something to do; null where there is nothing. */
  #nextWork(now: number): number | null {
    const { expiry, forgetting } = this.#ledger.nextDue();
    const delivery = nextDelivery(this.#sql);
    const next = Math.min(
      expiry ?? Infinity,
      forgetting === null ? Infinity : Math.max(forgetting, this.#tidyAt),
      delivery?.dueAt ?? Infinity,
      delivery?.awaiting ? this.#confirmedAt + CONFIRM_MS : Infinity,
    );
    return next === Infinity ? null : Math.max(next, now + DRAIN_MS);
  }

  async #wake(at: number | null): Promise<void> {
    if (at === null || at === Infinity || (this.#alarmAt !== null && this.#alarmAt <= at)) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }

  #of(team: string): Facts {
    this.#facts ??= new Facts(this.#db, team, () => Date.now());
    return this.#facts;
  }
}
