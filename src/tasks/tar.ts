/** Where a file lies in a tar. */
export interface Place {
  readonly from: number;
  readonly length: number;
}

const BLOCK = 512;
const NAME_BYTES_MAX = 4_096;
const REGULAR = new Set(["0", "\0"]);
const LONG_NAME = "L";

/**
 * Says where each regular file lies in a tar of GNU's form, as the runner packs it, while its bytes pass by: names below `./`, long ones
 * before their header. Links, devices and folders are none, so no name leads anywhere but to bytes of the tar's own.
 */
export class TarScan {
  readonly #found: (path: string, place: Place) => void;
  #at = 0;
  #header = new Uint8Array(BLOCK);
  #filled = 0;
  /** Bytes of contents that are still to pass. */
  #rest = 0;
  /** A long name as far as it has passed; null where none does. */
  #name: number[] | null = null;
  #nameLength = 0;
  #longName: string | null = null;

  constructor(found: (path: string, place: Place) => void) {
    this.#found = found;
  }

  /** How many bytes have passed. */
  get bytes(): number {
    return this.#at;
  }

  /** Takes the bytes that follow. */
  pass(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const part = bytes.subarray(from, from + (this.#rest > 0 ? this.#rest : BLOCK - this.#filled));
      this.#at += part.length;
      from += part.length;
      if (this.#rest > 0) this.#contents(part);
      else this.#head(part);
    }
  }

  #contents(part: Uint8Array): void {
    this.#rest -= part.length;
    if (!this.#name) return;
    for (const byte of part.subarray(0, this.#nameLength - this.#name.length)) this.#name.push(byte);
    if (this.#rest > 0) return;
    this.#longName = text(Uint8Array.from(this.#name));
    this.#name = null;
  }

  #head(part: Uint8Array): void {
    this.#header.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled < BLOCK) return;
    this.#filled = 0;
    if (this.#header[0] === 0) return;
    const length = lengthOf(this.#header);
    const type = String.fromCharCode(this.#header[156] ?? 0);
    this.#rest = Math.ceil(length / BLOCK) * BLOCK;
    if (type === LONG_NAME) {
      this.#name = [];
      this.#nameLength = Math.min(length, NAME_BYTES_MAX);
      return;
    }
    const name = this.#longName ?? text(this.#header.subarray(0, 100));
    this.#longName = null;
    if (REGULAR.has(type)) this.#found(name.replace(/^\.\//, ""), { from: this.#at, length });
  }
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or, where the first bit is set, the bytes themselves. */
function lengthOf(header: Uint8Array): number {
  const field = header.subarray(124, 136);
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(text(field).trim() || "0", 8);
  return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
}
