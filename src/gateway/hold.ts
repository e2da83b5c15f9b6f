import type { RequestEvent } from "#audit";
import type { Amount, Asked, Granted, LedgerStub, Refusal } from "#budget";
import { outputTokens, inputTokens, nanoCeil, NO_USAGE, TollgateError, type Usage } from "#core";
import { outputCap, receipt, type Receipt } from "#models";
import type { Draft, Gateway } from "./contract.ts";
import { type Ending, requestEvent } from "./event.ts";
import { refusalError } from "./refuse.ts";
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
  readonly granted: Granted;
  /** Every ledger that holds it; the last is the team's, which keeps its record and tells the others how it ends. */
  readonly #ledgers: readonly LedgerStub[];
  #mine = true;

  constructor(draft: Draft, granted: Granted, ledgers: readonly LedgerStub[]) {
    this.draft = draft;
    this.granted = granted;
    this.#ledgers = ledgers;
  }

  get #ledger(): LedgerStub {
    return this.#ledgers.at(-1)!;
  }

  /** Hands the duty to end this hold to another owner. */
  move(): Hold {
    const moved = new Hold(this.draft, this.granted, this.#ledgers);
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
    const { bound, granted } = this.granted;
    const { bounds, arrival } = this.draft;
    if (bounds.outputMax === 0) return null;
    if (bound) return outputCap(bounds, granted);
    return arrival.costMax === null ? null : outputCap(bounds, { ...bounds.ceiling, nano: arrival.costMax });
  }

  /** The arithmetic of a usage at this request's price. */
  price(usage: Usage, serviceTier: string | null): Receipt {
    const { price, tableHash } = this.draft;
    return receipt(price, usage, serviceTier, tableHash);
  }

  /** Asks for more, up to an absolute amount; null when it was granted. */
  async extend(to: Amount): Promise<TollgateError | null> {
    try {
      for (const ledger of this.#ledgers) {
        const answer = await ledger.extend(this.draft.caller.key, this.draft.arrival.id, to);
        if (answer.kind !== "granted") return refusalError(answer);
      }
      return null;
    } catch (cause) {
      return unreachable(cause);
    }
  }

  /** Books what was used. If the ledger cannot be told, the hold's expiry books its estimate. */
  async settle(paid: Receipt, status: "actual" | "estimated", ending: Ending): Promise<void> {
    this.#mine = false;
    const event = requestEvent({ draft: this.draft, reserved: this.granted.granted }, { receipt: paid, status }, ending);
    await this.#book(amountOf(paid), paid.usage, event);
  }

  /** Books the whole reservation: the provider may have billed it and nobody can say. */
  async forfeit(ending: Ending): Promise<void> {
    this.#mine = false;
    const { bound, granted } = this.granted;
    const amount = bound ? granted : this.draft.bounds.likely;
    const bill = { receipt: this.price(NO_USAGE, null), status: "estimated", chargedNano: amount.nano } as const;
    const event = requestEvent({ draft: this.draft, reserved: granted }, bill, ending);
    await this.#book(amount, NO_USAGE, event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#mine) await this.#ledger.release(this.draft.arrival.id);
    this.#mine = false;
  }

  async #book(actual: Amount, used: Usage, event: RequestEvent): Promise<void> {
    const usage = { input: inputTokens(used), output: outputTokens(used) };
    await this.#ledger.settle({ id: this.draft.arrival.id, actual, usage, event: JSON.stringify(event) });
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
  const capped = underOwnCap(draft);
  const admission = {
    id: arrival.id,
    key: caller.key,
    epoch: caller.epoch,
    ...capped,
    stream: ask.stream,
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

/** The three amounts, none above the cap that the caller set for this request. */
export function underOwnCap({ bounds: { floor, likely, ceiling }, arrival: { costMax } }: Draft) {
  if (costMax === null) return { floor, likely, ceiling };
  if (floor.nano > costMax) {
    throw new TollgateError("invalid_request", `The request may cost more than x-tollgate-max-cost allows`, {
      param: "x-tollgate-max-cost",
    });
  }
  const share = ceiling.nano === floor.nano ? FLOOR_ONLY : (costMax - floor.nano) / (ceiling.nano - floor.nano);
  const tokens = floor.tokens + Math.floor((ceiling.tokens - floor.tokens) * Math.min(1, share));
  const under = (amount: Amount) => ({
    nano: Math.min(amount.nano, costMax),
    tokens: Math.min(amount.tokens, tokens),
    requests: amount.requests,
  });
  return { floor, likely: under(likely), ceiling: under(ceiling) };
}

/** The record that the hold becomes if nobody ends it. */
function pendingEvent(draft: Draft, reserved: Amount): RequestEvent {
  const ending = { outcome: "error", httpStatus: 500, code: "lost", firstByteMs: null, overheadMs: null, upstreamRequestId: null } as const;
  const bill = { receipt: receipt(draft.price, NO_USAGE, null, draft.tableHash), status: "estimated" } as const;
  return requestEvent({ draft, reserved }, bill, { ...ending, endedAt: draft.arrival.at, sent: true });
}
