import type { Reported, StreamReader } from "#wire";
import type { Keeper } from "./keeper.ts";

/**
 * Reads the copy of a stream that goes to the client, in gulps and beside it. Between gulps the copy waits in the tee, so memory
 * is bounded by what a provider sends between two of them.
 */
export class Meter {
  readonly #copy: ReadableStream<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #sink: StreamReader;
  readonly #keeper: Pick<Keeper, "push"> | null;
  #pending: Promise<ReadableStreamReadResult<Uint8Array>> | null = null;
  #begun = false;
  #bytes = 0;
  #ended = false;

  /** What is read is given to `sink` and, where it is kept, to `keeper`. */
  constructor(copy: ReadableStream<Uint8Array>, sink: StreamReader, keeper: Pick<Keeper, "push"> | null = null) {
    this.#copy = copy;
    this.#reader = copy.getReader();
    this.#sink = sink;
    this.#keeper = keeper;
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
    this.#begun = true;
    for (;;) {
      this.#pending ??= this.#reader.read();
      const got = await Promise.race([this.#pending, new Promise<null>((resolve) => setTimeout(resolve, 0, null))]);
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
    if (!this.#begun) {
      this.#reader.releaseLock();
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
    await this.#reader.cancel().catch(() => undefined);
  }

  #push(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    this.#sink.push(chunk);
    this.#keeper?.push(chunk);
  }
}
