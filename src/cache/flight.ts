import { joined } from "#wire";
import type { Ended, Facts, News, Room, Told } from "./contract.ts";

/** How long a follower that hears nothing waits before it is told so. */
const WAIT_MS = 5_000;
/** One who makes an answer says at least every few seconds that it still does; after this much silence it is gone. */
export const LOST_MS = 10_000;
/** How long what has ended stays for those who have not heard it all. */
const LINGER_MS = 60_000;

/** What is told to one who can hear no more. */
export const BROKEN: News = { facts: null, bytes: new Uint8Array(), ended: { kind: "broken" } };

interface Follower {
  offset: number;
  heardAt: number;
}

/**
 * One answer in the making: what the leader tells, and who follows. Lives in memory only; whoever makes it serves its own client from
 * its own call, so losing a flight costs the leader nothing.
 */
export class Flight {
  readonly digest: string;
  readonly room: Room;
  /** Whether it may be kept when it is whole. */
  keeps = true;
  #facts: Facts | null = null;
  #chunks: Uint8Array[] = [];
  /** Offset of the first byte that is still here, and of the end. */
  #from = 0;
  #size = 0;
  #ended: Ended | null = null;
  #heardAt: number;
  #followers = new Map<string, Follower>();
  #count = 0;
  #news = Promise.withResolvers<void>();

  constructor(digest: string, room: Room, now: number) {
    this.digest = digest;
    this.room = room;
    this.#heardAt = now;
  }

  get ended(): Ended | null {
    return this.#ended;
  }

  /** What is known of the answer; null before it began. */
  get facts(): Facts | null {
    return this.#facts;
  }

  /** What is here of the answer: all of it, but where it has outgrown its room. */
  get bytes(): Uint8Array {
    return joined(this.#chunks);
  }

  /** Whether it can be followed from its beginning. */
  get isOpen(): boolean {
    return this.keeps && this.#ended === null;
  }

  /** Takes a follower in. */
  join(now: number): string {
    const name = String(++this.#count);
    this.#followers.set(name, { offset: 0, heardAt: now });
    return name;
  }

  /** Lets a follower go that wants no more. */
  leave(follower: string): void {
    this.#followers.delete(follower);
  }

  /** How many follow: those that were heard of lately. */
  followers(now: number): number {
    for (const [name, { heardAt }] of this.#followers) if (now - heardAt > LOST_MS) this.#followers.delete(name);
    return this.#followers.size;
  }

  /** Takes what the leader tells. */
  hear({ facts, bytes, ended }: Told, now: number): void {
    this.#heardAt = now;
    if (this.#ended) return;
    this.#facts ??= facts;
    if (bytes.byteLength > 0) {
      this.#chunks.push(bytes);
      this.#size += bytes.byteLength;
    }
    if (this.#size > this.room.answerBytesMax) this.#outgrown();
    this.#ended = ended;
    this.#tell();
  }

  /** Ends it where its leader has not been heard of; says whether it has ended so long ago that nobody asks any more. */
  isOver(now: number): boolean {
    const silence = now - this.#heardAt;
    if (!this.#ended && silence > LOST_MS) {
      this.#ended = { kind: "broken" };
      this.#tell();
    }
    return this.#ended !== null && silence > LINGER_MS;
  }

  /** What a follower has not heard, from the offset that it has come to; waits a few seconds where that is nothing. */
  async next(name: string, offset: number, clock: () => number): Promise<News> {
    const isNew = this.#ended !== null || offset < this.#size;
    if (this.#hearOf(name, offset, clock()) && !isNew) await this.#within(WAIT_MS);
    this.isOver(clock());
    // One that fell behind so far that what it needs is gone hears of no more.
    if (!this.#hearOf(name, offset, clock()) || offset < this.#from) return BROKEN;
    return { facts: this.#facts, bytes: this.#since(offset), ended: this.#ended };
  }

  /** The bytes from an offset on, as a copy: what is sent of a part is no more than the part. */
  #since(offset: number): Uint8Array {
    let at = this.#from;
    const parts = this.#chunks.map((chunk) => {
      const from = Math.max(0, offset - at);
      at += chunk.byteLength;
      return chunk.subarray(from);
    });
    return joined(parts);
  }

  #hearOf(name: string, offset: number, heardAt: number): boolean {
    const follower = this.#followers.get(name);
    if (follower) Object.assign(follower, { offset, heardAt });
    return follower !== undefined;
  }

  async #within(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([this.#news.promise, late]);
    clearTimeout(timer);
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  /** Too large to be kept: nobody can begin to follow it, and it holds what its slowest follower has still to hear, within bounds. */
  #outgrown(): void {
    this.keeps = false;
    const heard = Math.min(this.#size, ...[...this.#followers.values()].map(({ offset }) => offset));
    for (;;) {
      const [first] = this.#chunks;
      if (!first) return;
      const isHeard = this.#from + first.byteLength <= heard;
      if (!isHeard && this.#size - this.#from <= this.room.answerBytesMax) return;
      this.#chunks.shift();
      this.#from += first.byteLength;
    }
  }
}
