import type { RequestEvent } from "#audit";
import { type Amount, type Asked, type Granted, larger, type LedgerStub, lesser, type Refusal, refusalError } from "#budget";
import { outputTokens, inputTokens, nanoCeil, NO_USAGE, TollgateError, type Usage } from "#core";
import { outputCap, receipt, type Receipt } from "#models";
import type { Bill, Draft, Gateway } from "./contract.ts";
import { type Ending, requestEvent } from "./event.ts";
import { type Lost, NO_PAST, type Past, tokensWithLost, withLost } from "./past.ts";
import { holdWider, together, type Wider, widerLedgersOf, within } from "./wider.ts";

const FLOOR_ONLY = 1;

/** What is charged for a receipt: its total rounded up, its tokens, one request. */
function amountOf({ total, usage }: Receipt): Amount {
  return { nano: nanoCeil(total), tokens: inputTokens(usage) + outputTokens(usage), requests: 1 };
}

/**
 * One request's money in flight. Whoever holds it ends it: disposing gives the money back, `move` hands the duty on, and `settle`
 * books what was used. If the isolate dies, the ledger expires it into an estimated record.
 */
export class Hold implements AsyncDisposable {
  readonly draft: Draft;
  /** What this attempt was granted; what earlier ones lost is held beside it. */
  readonly granted: Granted;
  readonly past: Past;
  /** Every ledger that holds it; the last is the team's, which keeps its record and tells the others how it ends. */
  readonly #ledgers: readonly LedgerStub[];
  #mine = true;

  constructor(draft: Draft, granted: Granted, ledgers: readonly LedgerStub[], past: Past = NO_PAST) {
    this.draft = draft;
    this.granted = granted;
    this.past = past;
    this.#ledgers = ledgers;
  }

  get #ledger(): LedgerStub {
    return this.#ledgers.at(-1)!;
  }

  /** Hands the duty to end this hold to another owner; the request may have been changed since, and more been granted. */
  move(draft: Draft = this.draft, granted: Amount = this.granted.granted, past: Past = this.past): Hold {
    const moved = new Hold(draft, { ...this.granted, granted }, this.#ledgers, past);
    this.#mine = false;
    return moved;
  }

  /** Whether nothing limits what the request may cost. */
  get unbound(): boolean {
    const { bound, granted } = this.granted;
    const { ceiling } = this.draft.bounds;
    return !bound && this.draft.arrival.costMax === null && granted.nano >= ceiling.nano && granted.tokens >= ceiling.tokens;
  }

  /** Output tokens that the request may come to; null where nothing binds it, or it has no output to bind. */
  get cap(): number | null {
    if (this.draft.bounds.outputMax === 0) return null;
    const [paid, { outputMax }] = [this.#paidCap, this.draft.policies];
    return paid === null || outputMax === null ? (paid ?? outputMax) : Math.min(paid, outputMax);
  }

  get #paidCap(): number | null {
    const { bound, granted } = this.granted;
    const { bounds, arrival } = this.draft;
    if (bound) return outputCap(bounds, granted);
    return arrival.costMax === null ? null : outputCap(bounds, { ...bounds.ceiling, nano: arrival.costMax });
  }

  /** The arithmetic of a usage at this request's price. */
  price(usage: Usage, serviceTier: string | null): Receipt {
    const { price, tableHash } = this.draft;
    return receipt(price, usage, serviceTier, tableHash);
  }

  /** The gateway's own milliseconds until a call left at this time. */
  overheadMs(sentAt: number): number {
    return sentAt - this.draft.arrival.at - this.past.spentMs;
  }

  /** Asks for more for this attempt, up to an absolute amount; null when it was granted. */
  async extend(to: Amount, past: Past = this.past): Promise<TollgateError | null> {
    try {
      for (const ledger of this.#ledgers) {
        const answer = await ledger.extend(this.draft.caller.key, this.draft.arrival.id, withLost(to, past));
        if (answer.kind !== "granted") return refusalError(answer);
      }
      return null;
    } catch (cause) {
      return unreachable(cause);
    }
  }

  /** Books what was used. If the ledger cannot be told, the hold's expiry books its estimate. */
  async settle(paid: Receipt, status: "actual" | "estimated", ending: Ending): Promise<void> {
    await this.#book({ receipt: paid, status }, amountOf(paid), ending);
  }

  /** Books the whole reservation: the provider may have billed it and nobody can say. */
  async forfeit(ending: Ending): Promise<void> {
    const { bill, amount } = this.forfeited();
    await this.#book(bill, amount, ending);
  }

  /** This attempt at its whole reservation: of what was granted for the dearest target of a route, what this one may come to. */
  forfeited(): Lost {
    const { bound, granted } = this.granted;
    const { ceiling, likely } = this.draft.bounds;
    const amount = bound ? lesser(granted, ceiling) : likely;
    const bill = { receipt: this.price(NO_USAGE, null), status: "estimated", chargedNano: amount.nano } as const;
    return { target: this.draft.target, bill, amount };
  }

  /** This attempt at what it is known to have used. */
  lost(usage: Usage, serviceTier: string | null): Lost {
    const paid = this.price(usage, serviceTier);
    return { target: this.draft.target, bill: { receipt: paid, status: "estimated" }, amount: amountOf(paid) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#mine) await this.#ledger.release(this.draft.arrival.id);
    this.#mine = false;
  }

  async #book(bill: Bill, amount: Amount, ending: Ending): Promise<void> {
    this.#mine = false;
    const { draft, past } = this;
    const event = () => requestEvent({ draft, past, reserved: this.granted.granted }, bill, ending);
    const usage = tokensWithLost(bill.receipt.usage, past);
    const paid = { id: draft.arrival.id, actual: withLost(amount, past), usage, event: () => JSON.stringify(event()) };
    const settled = this.#ledger.settle(paid);
    const { governor } = draft.arrival;
    await (governor ? Promise.all([settled, governor.settled(event())]) : settled);
  }
}

/** What a reservation found besides a refusal to be thrown: money, or that the caller's facts must be read again. */
export type Admitted = Hold | "stale";

/**
 * Asks the team's ledger, in one trip, whether the caller is still good, within its pace and able to pay.
 * @throws TollgateError `budget_exceeded`, `rate_limited`, `invalid_api_key`.
 */
export async function reserve(draft: Draft, at: Gateway): Promise<Admitted> {
  const { arrival, caller, ask } = draft;
  const capped = wanted(draft);
  const admission = {
    id: arrival.id,
    key: caller.key,
    epoch: caller.epoch,
    ...capped,
    stream: ask.stream,
    ...(caller.task !== null && { lease: caller.task }),
    ttlMs: (at.config.TOLLGATE_TIMEOUT_TOTAL_S + at.config.TOLLGATE_HOLD_GRACE_S) * 1000,
    event: () => JSON.stringify(pendingEvent(draft, capped.likely)),
  };
  const names = await widerLedgersOf(draft, at);
  if (names.length === 0) return admitted(draft, admission, NO_WIDER, at);
  const wider = await holdWider(admission, names, at).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if ("kind" in wider) throw refusalError(wider);
  try {
    const answer = await admitted(draft, within(admission, wider), wider, at);
    if (answer === "stale") at.background(giveBack(wider, admission.id));
    return answer;
  } catch (refused) {
    at.background(giveBack(wider, admission.id));
    throw refused;
  }
}

const NO_WIDER: Wider = { elsewhere: [], ledgers: [], granted: [] };

async function giveBack({ ledgers }: Wider, id: string): Promise<void> {
  await Promise.all(ledgers.map((ledger) => ledger.release(id)));
}

async function admitted(draft: Draft, admission: Asked, wider: Wider, at: Gateway): Promise<Admitted> {
  const ledger = at.ledger(draft.caller.team);
  const answer: Granted | Refusal = await ledger.reserve(admission).catch((cause: unknown) => {
    // The reservation may stand although its answer was lost; nothing will be sent on it.
    at.background(ledger.release(admission.id));
    throw unreachable(cause);
  });
  if (answer.kind === "granted") return new Hold(draft, together(answer, wider), [...wider.ledgers, ledger]);
  if (answer.kind === "stale") return "stale";
  throw refusalError(answer);
}

/** A ledger that cannot be reached admits nothing: a budget that is not known is taken as spent. */
export function unreachable(cause: unknown): TollgateError {
  return new TollgateError("overloaded", "Budgets cannot be read at the moment; try again", {
    cause,
    retryAfterMs: 1_000,
    reason: "ledger",
  });
}

/** The three amounts of an admission. */
type Wanted = Pick<Asked, "floor" | "likely" | "ceiling">;

/** What a request is reserved for: whichever of its targets answers, the dearest of them is paid for. */
export function wanted(draft: Draft): Wanted {
  const own = underOwnCap(draft);
  if (draft.course === null) return own;
  return draft.course.rest.map(underOwnCap).reduce<Wanted>(
    (all, each) => ({
      floor: larger(all.floor, each.floor),
      likely: larger(all.likely, each.likely),
      ceiling: larger(all.ceiling, each.ceiling),
    }),
    own,
  );
}

/** The three amounts, none above the cap that the caller set for this request. */
export function underOwnCap({ bounds: { floor, likely, ceiling }, arrival: { costMax } }: Draft): Wanted {
  if (costMax === null) return { floor, likely, ceiling };
  if (floor.nano > costMax) {
    throw new TollgateError("invalid_request", `The request may cost more than x-tollgate-max-cost allows`, {
      param: "x-tollgate-max-cost",
    });
  }
  const share = ceiling.nano === floor.nano ? FLOOR_ONLY : (costMax - floor.nano) / (ceiling.nano - floor.nano);
  const tokens = floor.tokens + Math.floor((ceiling.tokens - floor.tokens) * Math.min(1, share));
  const under = (amount: Amount) => lesser(amount, { ...amount, nano: costMax, tokens });
  return { floor, likely: under(likely), ceiling: under(ceiling) };
}

/** The record that the hold becomes if nobody ends it. */
function pendingEvent(draft: Draft, reserved: Amount): RequestEvent {
  const ending = { outcome: "error", httpStatus: 500, code: "lost", firstByteMs: null, overheadMs: null, upstreamRequestId: null } as const;
  const bill = { receipt: receipt(draft.price, NO_USAGE, null, draft.tableHash), status: "estimated" } as const;
  return requestEvent({ draft, reserved, past: NO_PAST }, bill, { ...ending, endedAt: draft.arrival.at, sent: true });
}
