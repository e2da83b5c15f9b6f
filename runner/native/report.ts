import { abridge } from "./abridge.ts";
import type { Line, Outcome } from "./contract.ts";

const TEXT_CHARS_MAX = 20_000;
const VALUE_CHARS_MAX = 4_000;
/** The task keeps 4 MiB of output, and the result must be among it. */
const LINES_BYTES_MAX = 3 * 2 ** 20;

/** What the agent tells of its work, line by line, long texts without their middles. */
export class Report {
  readonly #write: (text: string) => void;
  #bytesLeft = LINES_BYTES_MAX;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Tells something while it works; nothing more once too much was told. */
  tell(line: Exclude<Line, { type: "result" }>): void {
    const text = `${JSON.stringify(brief(line))}\n`;
    this.#bytesLeft -= Buffer.byteLength(text);
    if (this.#bytesLeft >= 0) this.#write(text);
  }

  /** Tells how it ended: the last line, whatever was told before. */
  end(outcome: Outcome, turns: number): void {
    const line: Line = { type: "result", turns, ...outcome, text: abridge(outcome.text, 65_536) };
    this.#write(`${JSON.stringify(line)}\n`);
  }
}

function brief(line: Exclude<Line, { type: "result" }>): Line {
  switch (line.type) {
    case "tool_use": {
      const input = JSON.stringify(line.input);
      return input.length <= VALUE_CHARS_MAX ? line : { ...line, input: abridge(input, VALUE_CHARS_MAX) };
    }
    case "tool_result":
      return { ...line, text: abridge(line.text, VALUE_CHARS_MAX) };
    case "text":
    case "notice":
    case "input":
      return { ...line, text: abridge(line.text, TEXT_CHARS_MAX) };
    case "system":
      return line;
  }
}
