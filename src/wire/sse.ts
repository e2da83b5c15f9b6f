const EVENT_MAX = 16 * 1024 * 1024;

/** Where the lines of a text end: in CRLF, LF or CR. Either mark is looked for once, however far ahead it is. */
class LineEnds {
  readonly #text: string;
  #cr: number;
  #lf: number;

  constructor(text: string, from: number) {
    this.#text = text;
    this.#cr = this.#place("\r", from);
    this.#lf = this.#place("\n", from);
  }

  /** The next line end, and where the line behind it begins; null where there is none. */
  next(): { readonly end: number; readonly behind: number } | null {
    const end = Math.min(this.#cr, this.#lf);
    if (end === Infinity) return null;
    const behind = this.#lf === this.#cr + 1 ? end + 2 : end + 1;
    if (this.#cr < behind) this.#cr = this.#place("\r", behind);
    if (this.#lf < behind) this.#lf = this.#place("\n", behind);
    return { end, behind };
  }

  #place(mark: string, from: number): number {
    const found = this.#text.indexOf(mark, from);
    return found === -1 ? Infinity : found;
  }
}

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
    const ends = new LineEnds(decoded, from);
    for (let found = ends.next(); found; found = ends.next()) {
      this.#line(this.#rest + decoded.slice(from, found.end));
      this.#rest = "";
      from = found.behind;
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
