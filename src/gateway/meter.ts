import type { Reported, StreamReader } from "#wire";
import type { Keeper } from "./keeper.ts";

/** How far the meter may be ahead of a reader whose pace it keeps. */
const AHEAD_BYTES = 262_144;

/** Who else has to do with a stream: the cache that keeps it, and the reader whose pace is kept; null where there is none. */
interface Beside {
  readonly keeper: Pick<Keeper, "push"> | null;
  readonly passed: (() => number) | null;
}

/**
 * Reads the copy of a stream that goes to the client, in gulps and beside it. Between gulps the copy waits in the tee, so memory
 * is bounded by what a provider sends between two of them.
 */
export class Meter {
  readonly #copy: ReadableStream<Uint8Array>;
  /** Made for whoever reads before the end: most streams are over by then. */
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  readonly #sink: StreamReader;
  readonly #passed: (() => number) | null;
  readonly #keeper: Pick<Keeper, "push"> | null;
  #pending: Promise<ReadableStreamReadResult<Uint8Array>> | null = null;
  #ended = false;
  #bytes = 0;

  /**
   * What is read is given to `sink` and, where it is kept, to `keeper`. `passed` tells how many bytes have left the tee for a reader that may
   * stand still: the meter does not run away from it, since what is between waits in memory.
   */
  constructor(copy: ReadableStream<Uint8Array>, sink: StreamReader, { keeper, passed }: Beside) {
    this.#copy = copy;
    this.#sink = sink;
    this.#keeper = keeper;
    this.#passed = passed;
  }

  /** Whether it is the reader that is waited for, and not the provider. */
  get behind(): boolean {
    return this.#passed !== null && (this.#ended || this.#bytes > this.#passed());
  }

  /** Bytes read so far: a stream whose count stands still is idle. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the stream was read to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What the answer has said of itself so far. */
  reported(): Reported {
    return this.#sink.reported();
  }

  /** Takes what has arrived, without waiting for more; the read that finds nothing is kept for the next gulp. */
  async take(): Promise<void> {
    if (this.#ended) return;
    this.#reader ??= this.#copy.getReader();
    while (this.#passed === null || this.#bytes - this.#passed() < AHEAD_BYTES) {
      this.#pending ??= this.#reader.read();
      const got = await atOnce(this.#pending);
      if (got === null) return;
      this.#pending = null;
      this.#ended = got.done;
      if (got.done) return;
      this.#push(got.value);
    }
  }

  /**
   * Takes everything that is left of a stream that has ended. One that nobody has read from yet is taken in one piece, since a read for
   * each chunk costs more than the chunk.
   */
  async rest(): Promise<void> {
    if (this.#ended) return;
    if (!this.#reader) {
      this.#push(new Uint8Array(await new Response(this.#copy).arrayBuffer()));
      this.#ended = true;
      return;
    }
    for (;;) {
      const got = await (this.#pending ?? this.#reader.read());
      this.#pending = null;
      this.#ended = got.done;
      if (got.done) return;
      this.#push(got.value);
    }
  }

  /** Lets go of the copy, so that the upstream is cancelled once the client's branch is. */
  async drop(): Promise<void> {
    await this.take().catch(() => undefined);
    await this.#reader?.cancel().catch(() => undefined);
  }

  #push(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    this.#sink.push(chunk);
    this.#keeper?.push(chunk);
  }
}

/** What a promise has come to by now; null where it is still to come. A gulp of many chunks leaves no timers behind, of which the runtime counts 10,000. */
async function atOnce<Value>(work: Promise<Value>): Promise<Value | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), 0);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
