import { TollgateError } from "#core";

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

/** What a promise comes to within so many milliseconds; null where it takes longer. No timer outlasts it. */
export async function within<Value>(ms: number, work: Promise<Value>): Promise<Value | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The clock of one upstream call, and the signal that ends it. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #restMs: number;
  #timer: ReturnType<typeof setTimeout>;
  #begun = false;
  #why: GivenUp | null = null;
  #shared = false;
  #hasLeft = false;

  constructor({ totalMs, firstByteMs }: { readonly totalMs: number; readonly firstByteMs: number }, client: AbortSignal) {
    const firstMs = Math.min(firstByteMs, totalMs);
    this.#restMs = totalMs - firstMs;
    this.#timer = setTimeout(() => this.#firstElapsed(), firstMs);
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
    clearTimeout(this.#timer);
  }

  /** One timer serves both limits: it looks at the shorter one first, and runs on to the longer where the answer has begun. */
  #firstElapsed(): void {
    if (this.#restMs === 0) return this.giveUp("total");
    if (!this.#begun) return this.giveUp("first_byte");
    this.#timer = setTimeout(() => this.giveUp("total"), this.#restMs);
  }

  /** The caller's error for a call that ran out of time; null where time was not the reason. */
  timeoutError(): TollgateError | null {
    const message = this.#why === null ? undefined : TIMEOUTS[this.#why];
    return message === undefined ? null : new TollgateError("upstream_timeout", message);
  }
}
