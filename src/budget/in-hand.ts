import { covers, NOTHING, plus, times } from "./amount.ts";
import type { Amount, Asked, Float, Floated, GivenBack, Granted, Pace } from "./contract.ts";
import { paceOf } from "./pace.ts";

/** What a float came with: its own answer, and the facts by which it was asked for. */
interface Origin {
  readonly granted: Granted;
  readonly epoch: number;
  readonly askedAt: number;
}

/** A float in an isolate's hands: what of it has not been admitted, and what the ledger had left beside it. */
export class InHand {
  readonly float: Float;
  readonly #granted: Granted;
  readonly #epoch: number;
  readonly #until: number;
  /** Null where no budget limits it. */
  #left: Amount | null;
  /** Null where no pace does. */
  #pace: { requests: number; tokens: number; slots: number } | null;

  constructor(float: Float, { granted, epoch, askedAt }: Origin) {
    this.float = float;
    this.#granted = granted;
    this.#epoch = epoch;
    this.#until = askedAt + float.usableMs;
    this.#left = float.amount;
    this.#pace = float.pace && { ...float.pace };
  }

  /** Admits a request, if its facts are those of the float and there is enough of everything. */
  admit(asked: Asked, now: number): { readonly granted: Granted; readonly floated: Floated } | null {
    if (asked.epoch !== this.#epoch || now >= this.#until) return null;
    const granted = this.#left ? asked.likely : asked.ceiling;
    const counted = asked.likely.tokens;
    if (!this.#covers(granted, counted)) return null;
    this.#move(granted, counted, -1);
    if (this.#pace) this.#pace.slots--;
    const { id, legs } = this.float;
    const paced = this.float.pace && { second: this.float.pace.second, counted };
    const admission = { id: asked.id, key: asked.key, ttlMs: asked.ttlMs };
    return { granted: this.#answer(granted, now), floated: { admission, granted, float: id, legs, paced, at: now } };
  }

  /** Takes back what a request was admitted with that is not to be sent after all. */
  takeBack({ granted, paced }: Floated): void {
    this.#move(granted, paced?.counted ?? 0, 1);
    this.freeSlot();
  }

  /** A request of this float is over: its place is free for another. */
  freeSlot(): void {
    if (this.#pace) this.#pace.slots++;
  }

  /** What goes back to the ledger; null where nothing was reserved there. */
  rest(): GivenBack | null {
    if (!this.#left && !this.#pace) return null;
    return { float: this.float.id, rest: this.#left ?? NOTHING, pace: this.#pace && { ...this.#pace } };
  }

  #covers(amount: Amount, counted: number): boolean {
    const [left, pace] = [this.#left, this.#pace];
    return (!left || covers(left, amount)) && (!pace || (pace.requests >= 1 && pace.tokens >= counted && pace.slots >= 1));
  }

  #move(amount: Amount, counted: number, sign: 1 | -1): void {
    if (this.#left) this.#left = plus(this.#left, times(amount, sign));
    if (!this.#pace) return;
    this.#pace.requests += sign;
    this.#pace.tokens += sign * counted;
  }

  /** What is left is what the ledger had left, less what was admitted here since. */
  #answer(granted: Amount, now: number): Granted {
    const { tightest, rpm, tpm } = this.#granted;
    const [from, to] = [this.float, this.#left];
    const spent = from.amount && to ? from.amount.nano - to.nano : 0;
    return {
      kind: "granted",
      granted,
      bound: false,
      legs: from.legs,
      tightest: tightest && { ...tightest, remaining: Math.max(0, tightest.remaining - spent) },
      rpm: further(rpm, used(from.pace?.requests, this.#pace?.requests), now),
      tpm: further(tpm, used(from.pace?.tokens, this.#pace?.tokens), now),
    };
  }
}

/** How much of a part has been used; nothing of one that there is not. */
function used(from = 0, left = 0): number {
  return from - left;
}

/** A pace as it stands once so much more was used. */
function further(pace: Pace | null, more: number, now: number): Pace | null {
  return pace && paceOf(pace.limit, pace.limit - pace.remaining + more, now);
}
