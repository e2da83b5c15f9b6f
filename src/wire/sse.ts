const EVENT_MAX = 16 * 1024 * 1024;
const LINE_END = /\r\n|\n|\r/g;

/**
 * Reads server-sent events as the WHATWG standard says: lines end in CRLF, LF or CR and nothing else, data lines join, comments
 * and unknown fields are passed over. Splits of the bytes at any offset give the same events. An event of over 16 MiB is dropped,
 * so that a provider that never ends one fills no memory.
 */
export class SseReader {
  readonly #decoder = new TextDecoder("utf-8");
  readonly #each: (data: string, event: string) => void;
  /** The current line as far as it came. */
  #rest = "";
  #data: string[] = [];
  #size = 0;
  #event = "";
  /** The current line has lost its beginning. */
  #cut = false;
  #dropped = false;
  #afterCr = false;

  constructor(each: (data: string, event: string) => void) {
    this.#each = each;
  }

  /** Takes the next bytes and reports each event that they complete. */
  push(chunk: Uint8Array): void {
    const decoded = this.#decoder.decode(chunk, { stream: true });
    if (decoded === "") return;
    // A CR ends its line at once; the LF that may follow in the next chunk is the rest of that line end.
    let from = this.#afterCr && decoded.startsWith("\n") ? 1 : 0;
    this.#afterCr = decoded.endsWith("\r");
    LINE_END.lastIndex = from;
    for (let found = LINE_END.exec(decoded); found; found = LINE_END.exec(decoded)) {
      this.#line(this.#rest + decoded.slice(from, found.index));
      this.#rest = "";
      from = found.index + found[0].length;
    }
    this.#keep(this.#rest + decoded.slice(from));
  }

  #keep(rest: string): void {
    this.#rest = rest;
    if (this.#size + rest.length > EVENT_MAX) this.#drop();
  }

  /** Forgets the event so far, and what of the current line is there. */
  #drop(): void {
    this.#cut ||= this.#rest !== "";
    this.#rest = "";
    this.#data = [];
    this.#dropped = true;
  }

  #line(line: string): void {
    if (line === "" && !this.#cut) this.#end();
    else if (!this.#dropped) this.#field(line);
    this.#cut = false;
  }

  #end(): void {
    if (this.#data.length > 0) this.#each(this.#data.join("\n"), this.#event);
    this.#data = [];
    this.#size = 0;
    this.#event = "";
    this.#dropped = false;
  }

  #field(line: string): void {
    if (this.#size + line.length > EVENT_MAX) {
      this.#drop();
      return;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#data.push(value);
      this.#size += line.length;
    } else if (field === "event") this.#event = value;
  }
}
