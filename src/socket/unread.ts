import { WINDOW } from "./bounds.ts";

/**
 * What a session has said and its client has not acknowledged: what a connection that breaks is told again, and the measure of how far
 * its reader is behind. Numbers only grow, one by one.
 */
export class Unread {
  readonly #said = new Map<number, string>();
  #seq: number;
  #size = 0;

  /** `seq` is the number said last. */
  constructor(seq = 0) {
    this.#seq = seq;
  }

  /** The number said last. */
  get seq(): number {
    return this.#seq;
  }

  /** Characters that are not acknowledged. */
  get size(): number {
    return this.#size;
  }

  /** Whether nothing more should be read for this client. */
  get full(): boolean {
    return this.#size >= WINDOW;
  }

  /** Numbers a message and keeps it; `write` is given its number. */
  add(write: (seq: number) => string): string {
    const text = write(++this.#seq);
    this.#said.set(this.#seq, text);
    this.#size += text.length;
    return text;
  }

  /** Forgets everything up to a number. */
  acknowledge(upTo: number): void {
    for (const [seq, text] of this.#said) {
      if (seq > upTo) return;
      this.#said.delete(seq);
      this.#size -= text.length;
    }
  }

  /** What was said after a number, in order; null where part of it is forgotten, or was never said. */
  after(seq: number): readonly string[] | null {
    if (seq > this.#seq || seq < this.#seq - this.#said.size) return null;
    this.acknowledge(seq);
    return [...this.#said.values()];
  }
}
