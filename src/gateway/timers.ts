/** What is to be done when its time has come. */
interface Due {
  readonly at: number;
  readonly fire: () => void;
}

/** The platform's timer is first set for so soon that hardly anything is due before it: most requests are over by then. */
const LOOK_MS = 1_000;

/**
 * The timers of one request, of which the platform keeps one: to set and clear one there costs more than what most of them watch over.
 * One that is cancelled leaves the platform's as it is; it rings once more, for nothing, where the request lasts as long.
 */
export class Timers {
  readonly #now: () => number;
  readonly #due = new Set<Due>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #setFor = Infinity;

  /** @param now the time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Has something done in so many milliseconds, unless what this returns is called before. */
  after(ms: number, fire: () => void): () => void {
    const now = this.#now();
    const due = { at: now + ms, fire };
    this.#due.add(due);
    this.#set(Math.min(ms, LOOK_MS), now);
    return () => void this.#due.delete(due);
  }

  #set(ms: number, now: number): void {
    if (this.#setFor <= now + ms) return;
    clearTimeout(this.#timer);
    this.#setFor = now + ms;
    this.#timer = setTimeout(() => this.#ring(), ms);
  }

  #ring(): void {
    this.#setFor = Infinity;
    const now = this.#now();
    for (const due of this.#due) {
      if (due.at > now) continue;
      this.#due.delete(due);
      due.fire();
    }
    const next = Math.min(...[...this.#due].map(({ at }) => at));
    if (next !== Infinity) this.#set(next - now, now);
  }

  /** What a promise comes to within so many milliseconds; null where it takes longer. */
  async within<Value>(ms: number, work: Promise<Value>): Promise<Value | null> {
    const late = Promise.withResolvers<null>();
    const cancel = this.after(ms, () => late.resolve(null));
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      cancel();
    }
  }
}
