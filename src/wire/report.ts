import type { Capability } from "#core";
import type { Reported } from "./contract.ts";
import { type Observer, observer, UNREADABLE } from "./observe.ts";
import { SseReader } from "./sse.ts";

/** What a whole answer says of itself; one that is no JSON says nothing, but where plain text may be asked for. Never throws. */
export function reportedFromJson(capability: Capability, text: string): Reported {
  const watching = observer(capability);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    if (!watching.plain) return UNREADABLE;
    watching.plain(text);
    return watching.reported();
  }
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
