import type { Capability } from "#core";
import type { Reported } from "./contract.ts";
import { type Observer, observer, UNREADABLE } from "./observe.ts";
import { SseReader } from "./sse.ts";

/** What a whole JSON answer says of itself; an answer that is no JSON says nothing. Never throws. */
export function reportedFromJson(capability: Capability, text: string): Reported {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
  const watching = observer(capability);
  watching.whole(answer);
  return watching.reported();
}

/** Reads what a stream says of itself, beside the client. Never throws, whatever a provider sends; its memory is bounded by a line. */
export class StreamReader {
  readonly #observer: Observer;
  readonly #events: SseReader;

  constructor(capability: Capability) {
    this.#observer = observer(capability);
    this.#events = new SseReader((data, event) => this.#observer.see(data, event));
  }

  /** Takes the next bytes, split anywhere. */
  push(chunk: Uint8Array): void {
    this.#events.push(chunk);
  }

  /** What is known so far. */
  reported(): Reported {
    return this.#observer.reported();
  }
}
