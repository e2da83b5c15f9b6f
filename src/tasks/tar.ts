/** Bytes that can be read anywhere. A reading may be shorter than was asked for, and is given away: no other may share its memory. */
export type Reading = (from: number, length: number) => Uint8Array;

/** Where a file lies in a tar. */
export interface Place {
  readonly from: number;
  readonly length: number;
}

const BLOCK = 512;
const NAME_BYTES_MAX = 4_096;
const REGULAR = new Set(["0", "\0"]);
const LONG_NAME = "L";

/** Finds a regular file in a tar of GNU's form, as the runner packs it: names below `./`, long ones before their header. Links are none. */
export function fileIn(read: Reading, size: number, path: string): Place | null {
  let longName: string | null = null;
  for (let at = 0; at + BLOCK <= size;) {
    const header = whole(read, at, BLOCK);
    if (header[0] === 0) return null;
    const length = lengthOf(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const from = at + BLOCK;
    if (type === LONG_NAME) longName = text(whole(read, from, Math.min(length, NAME_BYTES_MAX)));
    else {
      const name = longName ?? text(header.subarray(0, 100));
      longName = null;
      if (REGULAR.has(type) && name.replace(/^\.\//, "") === path) return { from, length };
    }
    at = from + Math.ceil(length / BLOCK) * BLOCK;
  }
  return null;
}

/** A stream of a part of the tar. */
export function streamOf(read: Reading, { from, length }: Place): ReadableStream<Uint8Array> {
  let at = from;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      const bytes = at < from + length ? read(at, from + length - at) : new Uint8Array();
      if (bytes.length === 0) return controller.close();
      at += bytes.length;
      controller.enqueue(bytes);
    },
  });
}

function whole(read: Reading, from: number, length: number): Uint8Array {
  const all = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const part = read(from + done, length - done);
    if (part.length === 0) break;
    all.set(part, done);
    done += part.length;
  }
  return all;
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
