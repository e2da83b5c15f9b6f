import { type JobEvent, PROTOCOL_VERSION } from "./protocol.ts";

/** What an event says, before it has its place. */
type Said = { [Type in JobEvent["type"]]: Pick<Extract<JobEvent, { type: Type }>, "type" | "data"> }[JobEvent["type"]];

/** A job's events in order, each kept until a reader says that it has it. */
export class EventLog {
  readonly #events: JobEvent[] = [];
  readonly #waiting = new Set<() => void>();
  #dropped = 0;
  #ended = false;

  /** Adds an event; `exit` is the last. */
  add(said: Said): void {
    if (this.#ended) return;
    this.#events.push({ v: PROTOCOL_VERSION, seq: this.#dropped + this.#events.length + 1, at: Date.now(), ...said });
    this.#ended = said.type === "exit";
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Drops what a reader has, and gives what comes after it, until the exit or until `gone`. */
  async *after(seq: number, gone: AbortSignal): AsyncGenerator<JobEvent> {
    this.#drop(seq);
    for (let next = Math.max(seq, this.#dropped) + 1; !gone.aborted; next++) {
      while (next > this.#dropped + this.#events.length) {
        if (this.#ended || gone.aborted) return;
        await this.#more(gone);
      }
      // Another reader may have dropped it in the meantime: it is ahead, and this one is no longer asked.
      const event = this.#events[next - this.#dropped - 1];
      if (!event) return;
      yield event;
    }
  }

  #drop(seq: number): void {
    const count = Math.min(Math.max(0, seq - this.#dropped), this.#events.length);
    this.#events.splice(0, count);
    this.#dropped += count;
  }

  #more(gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        gone.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      gone.addEventListener("abort", wake, { once: true });
    });
  }
}
