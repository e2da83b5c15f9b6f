import type { Ended, Facts, Shelf } from "#cache";
import { joined } from "#wire";
import type { Timers } from "./timers.ts";

/** How often one that has nothing to tell says that it is still there; the cache gives it three times as long. */
const BEAT_MS = 3_000;

/** What waits to be told; more is not kept in memory for a cache that does not listen, nor would it go into one message. */
const UNTOLD_BYTES_MAX = 24 * 1024 * 1024;

/** What keeps the isolate alive for work beside the answer, and the clocks. */
interface Aside {
  readonly timers: Timers;
  readonly background: (work: Promise<unknown>) => void;
  readonly now: () => number;
}

/**
 * Tells the cache of an answer while it is being made, beside its client and never in its way: one call at a time, with all that has
 * come since the last. What it cannot tell costs the answer nothing; followers then help themselves.
 */
export class Keeper {
  readonly #shelf: Shelf;
  readonly #flight: string;
  readonly #at: Aside;
  readonly #over = Promise.withResolvers<true>();
  #isOver = false;
  #facts: Facts | null = null;
  #chunks: Uint8Array[] = [];
  #untold = 0;
  #telling: Promise<void> | null = null;
  #toldAt: number;
  #followers = 0;

  constructor(shelf: Shelf, flight: string, at: Aside) {
    this.#shelf = shelf;
    this.#flight = flight;
    this.#at = at;
    this.#toldAt = at.now();
    at.background(this.#beat());
  }

  /** The answer has begun. */
  begin(facts: Facts): void {
    this.#facts = facts;
    this.flush();
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#chunks.push(chunk);
    this.#untold += chunk.byteLength;
    if (this.#untold > UNTOLD_BYTES_MAX) this.#at.background(this.fail());
  }

  /** Has what came told, without anybody waiting for it. */
  flush(): void {
    if (this.#telling === null && !this.#isOver) this.#at.background(this.#tell(null));
  }

  /** Whether others wait for this answer, as the cache says now. */
  async isFollowed(): Promise<boolean> {
    if (this.#isOver) return false;
    const telling = this.#tell(null);
    this.#at.background(telling);
    // A cache that cannot be told can have nobody wait for it; that it cannot, the log hears from the background.
    return telling.then(
      () => !this.#isOver && this.#followers > 0,
      () => false,
    );
  }

  /** The answer is whole, and cost so much: it is kept. */
  async end(costUsd: string): Promise<void> {
    await this.#end({ kind: "whole", costUsd });
  }

  /** The answer has come to nothing that could be given again. */
  async fail(): Promise<void> {
    this.#chunks = [];
    await this.#end({ kind: "broken" });
  }

  async #end(ended: Ended): Promise<void> {
    if (this.#isOver) return;
    const telling = this.#tell(ended);
    this.#stop();
    await telling;
  }

  /** Tells after what is being told. */
  async #tell(ended: Ended | null): Promise<void> {
    const before = this.#telling;
    const telling = (async () => {
      await before?.catch(() => undefined);
      await this.#send(ended);
    })();
    this.#telling = telling;
    try {
      await telling;
    } catch (cause) {
      this.#stop();
      throw cause;
    } finally {
      if (this.#telling === telling) this.#telling = null;
    }
  }

  async #send(ended: Ended | null): Promise<void> {
    const bytes = joined(this.#chunks.splice(0));
    this.#untold = 0;
    this.#toldAt = this.#at.now();
    const followers = await this.#shelf.tell(this.#flight, { facts: this.#facts, bytes, ended });
    this.#followers = followers ?? 0;
    if (followers === null) this.#stop();
  }

  #stop(): void {
    this.#isOver = true;
    this.#over.resolve(true);
  }

  async #beat(): Promise<void> {
    while ((await this.#at.timers.within(BEAT_MS, this.#over.promise)) === null) if (this.#at.now() - this.#toldAt >= BEAT_MS) this.flush();
  }
}
