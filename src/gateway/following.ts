import type { Facts, News, Shelf } from "#cache";

/** News of an answer that has begun. */
export type Begun = News & { readonly facts: Facts };

/** An answer that is being made for another request, as one request hears it. */
export class Following {
  readonly #shelf: Shelf;
  readonly #flight: string;
  readonly #follower: string;
  /** Ends the waiting. */
  readonly #signal: AbortSignal;
  #offset = 0;

  constructor(shelf: Shelf, { flight, follower }: { readonly flight: string; readonly follower: string }, signal: AbortSignal) {
    this.#shelf = shelf;
    this.#flight = flight;
    this.#follower = follower;
    this.#signal = signal;
  }

  /** Waits for the first bytes. Null where there will be none: nothing has gone to the client yet, and somebody else can make its answer. */
  async first(): Promise<Begun | null> {
    for (;;) {
      const news = await this.#next();
      const { facts, bytes, ended } = news;
      if (ended?.kind === "broken") return null;
      if (facts && (ended || bytes.byteLength > 0)) return { ...news, facts };
    }
  }

  /** The answer's bytes, beginning with those of the first news; `whole` is called at the end with what the answer cost. */
  stream(first: News, whole: (costUsd: string) => void): ReadableStream<Uint8Array> {
    let known: News | null = first;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        for (;;) {
          const { bytes, ended } = known ?? (await this.#next());
          known = null;
          if (bytes.byteLength > 0) controller.enqueue(bytes);
          if (ended?.kind === "whole") {
            whole(ended.costUsd);
            return controller.close();
          }
          // What came before the break goes out first; the break is told again.
          if (bytes.byteLength > 0) return;
          if (ended) throw new Error("the answer that was followed broke off");
        }
      },
      cancel: () => this.leave(),
    });
  }

  /** Wants no more. */
  async leave(): Promise<void> {
    await this.#shelf.leave(this.#flight, this.#follower);
  }

  async #next(): Promise<News> {
    const news = await unlessAborted(this.#shelf.next(this.#flight, this.#follower, this.#offset), this.#signal);
    this.#offset += news.bytes.byteLength;
    return news;
  }
}

/** What a promise comes to. @throws the signal's reason, once it is aborted. */
async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
