import { TollgateError } from "#core";
import type { Timers } from "./timers.ts";

/** Milliseconds that a call has: altogether, and until its answer begins. */
export interface Patience {
  readonly totalMs: number;
  readonly firstByteMs: number;
}

/** Why a call to an upstream was given up. */
export type GivenUp = "total" | "first_byte" | "idle" | "client_left" | "budget" | "fault";

/** The reason of an abort of ours, so that it can be told from the network's. */
export class CallEnded extends Error {
  override readonly name = "CallEnded";
  readonly why: GivenUp;

  constructor(why: GivenUp) {
    super(`the call was ended: ${why}`);
    this.why = why;
  }
}

const TIMEOUTS: Partial<Record<GivenUp, string>> = {
  total: "The provider took longer than this request's total timeout",
  first_byte: "The provider did not begin to answer in time",
  idle: "The provider stopped sending in the middle of its answer",
};

/** The clock of one upstream call, and the signal that ends it. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #restMs: number;
  readonly #timers: Timers;
  #cancel: () => void;
  #begun = false;
  #why: GivenUp | null = null;
  #shared = false;
  #hasLeft = false;

  constructor({ totalMs, firstByteMs }: Patience, client: AbortSignal, timers: Timers) {
    const firstMs = Math.min(firstByteMs, totalMs);
    this.#restMs = totalMs - firstMs;
    this.#timers = timers;
    this.#cancel = timers.after(firstMs, () => this.#firstElapsed());
    if (client.aborted) this.giveUp("client_left");
    client.addEventListener("abort", () => this.#left(), { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why the call was given up; null while it was not. */
  get why(): GivenUp | null {
    return this.#why;
  }

  /** Ends the call; the first reason stands. */
  giveUp(why: GivenUp): void {
    if (this.#why !== null || this.#controller.signal.aborted) return;
    this.#why = why;
    this.#controller.abort(new CallEnded(why));
  }

  /** The provider has begun to answer. */
  begun(): void {
    this.#begun = true;
  }

  /** Whether the client has left, and the call goes on all the same. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Others may wait for the answer too: that the client leaves does not by itself end the call any more. */
  share(): void {
    this.#shared = true;
  }

  #left(): void {
    this.#hasLeft = true;
    if (!this.#shared) this.giveUp("client_left");
  }

  /** Stops the clock: the call is over. */
  end(): void {
    this.#cancel();
  }

  /** One timer serves both limits: it looks at the shorter one first, and runs on to the longer where the answer has begun. */
  #firstElapsed(): void {
    if (this.#restMs === 0) return this.giveUp("total");
    if (!this.#begun) return this.giveUp("first_byte");
    this.#cancel = this.#timers.after(this.#restMs, () => this.giveUp("total"));
  }

  /** The caller's error for a call that ran out of time; null where time was not the reason. */
  timeoutError(): TollgateError | null {
    const message = this.#why === null ? undefined : TIMEOUTS[this.#why];
    return message === undefined ? null : new TollgateError("upstream_timeout", message);
  }
}
