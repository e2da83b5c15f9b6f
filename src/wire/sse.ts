const LINE_MAX = 4 * 1024 * 1024;
const LINE_END = /\r\n|\n|\r/g;

/**
 * Reads server-sent events as the WHATWG standard says: lines end in CRLF, LF or CR and nothing else, data lines join, comments
 * and unknown fields are passed over. Splits of the bytes at any offset give the same events. A line over 4 MiB is dropped.
 */
export class SseReader {
  readonly #decoder = new TextDecoder("utf-8");
  readonly #each: (data: string, event: string) => void;
  #rest = "";
  #data: string[] = [];
  #event = "";
  #overlong = false;
  #endsInCr = false;

  constructor(each: (data: string, event: string) => void) {
    this.#each = each;
  }

  /** Takes the next bytes and reports each event that they complete. */
  push(chunk: Uint8Array): void {
    const decoded = this.#decoder.decode(chunk, { stream: true });
    if (!this.#endsInCr && !/[\r\n]/.test(decoded)) {
      this.#keep(this.#rest + decoded);
      return;
    }
    const text = this.#rest + decoded;
    // A CR at the very end may be half of a CRLF: it waits for the next chunk.
    const end = text.endsWith("\r") ? text.length - 1 : text.length;
    let from = 0;
    LINE_END.lastIndex = 0;
    for (let found = LINE_END.exec(text); found && found.index < end; found = LINE_END.exec(text)) {
      this.#line(text.slice(from, found.index));
      from = found.index + found[0].length;
    }
    this.#keep(text.slice(from));
    this.#endsInCr = end < text.length;
  }

  #keep(rest: string): void {
    this.#overlong ||= rest.length > LINE_MAX;
    this.#rest = this.#overlong ? "" : rest;
  }

  #line(line: string): void {
    if (this.#overlong) {
      this.#overlong = false;
      return;
    }
    if (line === "") {
      if (this.#data.length > 0) this.#each(this.#data.join("\n"), this.#event);
      this.#data = [];
      this.#event = "";
      return;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
  }
}
