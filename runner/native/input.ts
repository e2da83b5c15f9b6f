import type { Readable } from "node:stream";

/** What a person says while the agent works. */
export class Input {
  #text = "";

  constructor(stream: Readable) {
    stream.setEncoding("utf8").on("data", (part: string) => (this.#text += part));
  }

  /** What was said since it was last asked for; null where nothing was. */
  take(): string | null {
    const text = this.#text.trim();
    this.#text = "";
    return text === "" ? null : text;
  }
}
