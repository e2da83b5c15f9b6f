import { lastSaid, onward, type Pass } from "#wire";

/** What comes closer together than this is looked at together, and waits for it no longer. */
const GATHER_MS = 2;
/** What comes closer together than this may gather while nobody has time to look: on a busy machine that is longer than it seems. */
const NEAR_MS = 25;
/** What is looked at together at the most; more is not waited for. */
const GULP_BYTES = 16_384;
/** How far what gathers may be ahead of what was read: it waits in memory. */
const AHEAD_BYTES = 262_144;
/** As it gathers, nobody is woken up for less. */
const STRIDE_BYTES = 32_768;

/** Where gulps come from. */
interface Source {
  /** What has come, waited for where nothing has; null is the end. */
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
  const gulps = new Gulps(stream, gathers, now);
  const writer = writable.getWriter();
  const say = (bytes: Uint8Array | null) => (bytes === null || bytes.byteLength === 0 ? undefined : writer.write(bytes));
  try {
    for (let gulp = await gulps.next(); gulp !== null; gulp = await gulps.next()) await say(await onward(gulp, passes));
    for await (const last of lastSaid(passes)) await say(last);
  } catch (cause) {
    gulps.leave();
    throw cause;
  } finally {
    writer.releaseLock();
  }
}

/** A stream that is read chunk by chunk until its chunks come close together, and then as they gather. */
class Gulps {
  readonly #chunks: Chunks;
  readonly #gathers: boolean;
  readonly #now: () => number;
  #gathering: Gathering | null = null;
  /** How long the last gulp was waited for. */
  #tookMs = Infinity;
  #wasFull = false;

  constructor(stream: ReadableStream<Uint8Array>, gathers: boolean, now: () => number) {
    this.#chunks = new Chunks(stream);
    this.#gathers = gathers;
    this.#now = now;
  }

  /** The next gulp; null is the end. */
  async next(): Promise<Uint8Array | null> {
    if (this.#gathers && this.#tookMs < NEAR_MS) this.#gathering ??= new Gathering(this.#chunks.rest());
    if (this.#tookMs < GATHER_MS && !this.#wasFull) await this.#gathering?.moment();
    const from = this.#now();
    const gulp = await this.#source.read();
    this.#tookMs = this.#now() - from;
    this.#wasFull = gulp?.byteLength === GULP_BYTES;
    return gulp;
  }

  leave(): void {
    this.#source.leave();
  }

  get #source(): Source {
    return this.#gathering ?? this.#chunks;
  }
}

/** A stream that is read chunk by chunk. */
class Chunks implements Source {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#stream = stream;
    this.#reader = stream.getReader();
  }

  async read(): Promise<Uint8Array | null> {
    return (await this.#reader.read()).value ?? null;
  }

  leave(): void {
    this.#reader.cancel().catch(() => undefined);
  }

  /** What is still to come, to be read otherwise. */
  rest(): ReadableStream<Uint8Array> {
    this.#reader.releaseLock();
    return this.#stream;
  }
}

/**
 * A stream that is read in gulps: the runtime's own pipe carries it past, to nobody, and what is read of the other half of it is all that has
 * come meanwhile. The pipe stands still where it is too far ahead.
 */
class Gathering implements Source {
  readonly #gulps: ReadableStreamBYOBReader;
  readonly #ahead: ReadableStreamBYOBReader;
  #isOver = false;
  /** Ends the moment that is waited for. */
  #wake: () => void = () => undefined;
  #read = 0;
  #passed = 0;
  #caughtUp = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    const [ahead, gathered] = stream.tee();
    const { readable, writable } = new IdentityTransformStream();
    this.#gulps = gathered.getReader({ mode: "byob" });
    this.#ahead = readable.getReader({ mode: "byob" });
    const over = () => {
      this.#isOver = true;
      this.#wake();
    };
    // How a stream ends, or breaks off, those learn who read it.
    ahead.pipeTo(writable).then(over, over);
    this.#drain().catch(over);
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

  /** Waits while more gathers; not at all where all has come. */
  async moment(): Promise<void> {
    if (this.#isOver) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, GATHER_MS);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
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
