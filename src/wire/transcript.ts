import type { Capability } from "#core";
import { editing } from "./event-frames.ts";
import type { Pass } from "./pass.ts";
import { streamEvent } from "./stream-texts.ts";

/** Characters of a stream that are read; what follows passes unread. */
const CHARACTERS_MAX = 64 * 1024;

/** What a stream says, read along while it passes: each of its runs of text, in the order that they began. */
export class Transcript {
  readonly #capability: Capability;
  readonly #runs = new Map<string, string>();
  #size = 0;

  constructor(capability: Capability) {
    this.#capability = capability;
  }

  /** The texts that were told so far. */
  get texts(): readonly string[] {
    return [...this.#runs.values()];
  }

  /** Reads along; every byte passes as it came, with the event that it belongs to. */
  along(): Pass {
    return editing((event) => {
      if (this.#size <= CHARACTERS_MAX) this.#read(event);
      return event;
    });
  }

  #read(event: Uint8Array): void {
    for (const { run, text } of streamEvent(this.#capability, event).pieces) {
      this.#runs.set(run, (this.#runs.get(run) ?? "") + text);
      this.#size += text.length;
    }
  }
}
