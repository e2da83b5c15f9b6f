import { lastSaid, onward, type Pass } from "#wire";

/** What comes closer together than this is looked at together, and waits for it no longer. */
const GATHER_MS = 2;
/** What is looked at together at the most; more is not waited for. */
const GULP_BYTES = 16_384;
/** How far what gathers may be ahead of what was read: it waits in memory. */
const AHEAD_BYTES = 262_144;
/** As it gathers, nobody is woken up for less. */
const STRIDE_BYTES = 32_768;

/** Where gulps come from; null is the end. */
interface Source {
  /** Whether more comes together while nobody reads. */
  readonly gathers: boolean;
  read(): Promise<Uint8Array | null>;
  /** Lets go of what is still to come. */
  leave(): void;
}

/** What is done to a stream on its way, and whether its chunks may gather: a provider's own may, where no reader's pace is kept. */
interface Way {
  readonly passes: readonly Pass[];
  readonly gathers: boolean;
  readonly now: () => number;
}

/**
 * Passes a stream on with all that is done to it, and leaves the end open. To be woken up costs far more than what is done with a chunk; so
 * chunks that come fast are let gather for a moment, without anybody being woken up, and are passed on together. Those that come one by
 * one go on at once, and so does the first.
 */
export async function passOn(
  stream: ReadableStream<Uint8Array>,
  writable: WritableStream<Uint8Array>,
  { passes, gathers, now }: Way,
): Promise<void> {
  const source = gathers ? new Gathering(stream) : chunksOf(stream);
  const writer = writable.getWriter();
  const say = (bytes: Uint8Array | null) => (bytes === null || bytes.byteLength === 0 ? undefined : writer.write(bytes));
  try {
    for (let dense = false; ;) {
      if (dense && source.gathers) await moment();
      const from = now();
      const gulp = await source.read();
      if (gulp === null) break;
      dense = gulp.byteLength < GULP_BYTES && now() - from < GATHER_MS;
      await say(await onward(gulp, passes));
    }
    for await (const last of lastSaid(passes)) await say(last);
  } catch (cause) {
    source.leave();
    throw cause;
  } finally {
    writer.releaseLock();
  }
}

function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, GATHER_MS));
}

function chunksOf(stream: ReadableStream<Uint8Array>): Source {
  const reader = stream.getReader();
  return {
    gathers: false,
    read: async () => (await reader.read()).value ?? null,
    leave: () => void reader.cancel().catch(() => undefined),
  };
}

/**
 * A stream that is read in gulps: the runtime's own pipe carries it past, to nobody, and what is read of the other half of it is all that has
 * come meanwhile. The pipe stands still where it is too far ahead.
 */
class Gathering implements Source {
  readonly #gulps: ReadableStreamBYOBReader;
  readonly #ahead: ReadableStreamBYOBReader;
  #read = 0;
  #passed = 0;
  #caughtUp = Promise.withResolvers<void>();
  #over = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    const [ahead, gathered] = stream.tee();
    const { readable, writable } = new IdentityTransformStream();
    this.#gulps = gathered.getReader({ mode: "byob" });
    this.#ahead = readable.getReader({ mode: "byob" });
    const over = () => void (this.#over = true);
    // How a stream ends, or breaks off, those learn who read it.
    ahead.pipeTo(writable).then(over, over);
    this.#drain().catch(over);
  }

  get gathers(): boolean {
    return !this.#over;
  }

  async read(): Promise<Uint8Array | null> {
    const { done, value } = await this.#gulps.read(new Uint8Array(GULP_BYTES));
    if (done) return null;
    this.#read += value.byteLength;
    this.#caughtUp.resolve();
    return value;
  }

  leave(): void {
    this.#caughtUp.resolve();
    for (const reader of [this.#gulps, this.#ahead]) reader.cancel().catch(() => undefined);
  }

  async #drain(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#ahead.readAtLeast(STRIDE_BYTES, new Uint8Array(STRIDE_BYTES));
      if (done) return;
      this.#passed += value.byteLength;
      while (this.#passed - this.#read > AHEAD_BYTES) {
        this.#caughtUp = Promise.withResolvers();
        await this.#caughtUp.promise;
      }
    }
  }
}
