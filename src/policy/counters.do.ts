import { DurableObject } from "cloudflare:workers";
import { type Counter, createCounters, giveBack, take, type Ticket, tidy } from "./counters.ts";

const TIDY_MS = 3_600_000;

/** One team's counters, which its policies read: beside the ledger, so that they cost a request nothing whose policies count nothing. */
export class CounterObject extends DurableObject<object> {
  #alarmed = false;

  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    createCounters(ctx.storage.sql);
  }

  /** Counts one request in each, in one trip. */
  async take(counters: readonly Counter[]): Promise<Ticket[]> {
    const now = Date.now();
    const tickets = this.ctx.storage.transactionSync(() => counters.map((counter) => take(this.ctx.storage.sql, counter, now)));
    await this.#wake();
    return tickets;
  }

  /** Gives tickets back, each with the counter that it was taken from. */
  giveBack(tickets: readonly { readonly counter: Counter; readonly slot: number }[]): void {
    this.ctx.storage.transactionSync(() => {
      for (const { counter, slot } of tickets) giveBack(this.ctx.storage.sql, counter, slot);
    });
  }

  override async alarm(): Promise<void> {
    this.#alarmed = false;
    if (tidy(this.ctx.storage.sql, Date.now())) await this.#wake();
  }

  async #wake(): Promise<void> {
    if (this.#alarmed) return;
    this.#alarmed = true;
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + TIDY_MS);
  }
}
