const QUOTE = 34;
const BACKSLASH = 92;
/** Longer strings are data: a picture, or sound. */
const TEXT_MAX = 65_536;

const decoder = new TextDecoder();

/**
 * The JSON of an answer without the content of its long strings, so that what stands around megabytes of pictures is read without a
 * second and a third copy of them. The bytes need not be JSON.
 */
export function skimmed(bytes: Uint8Array): string {
  const kept: string[] = [];
  let from = 0;
  for (let open = bytes.indexOf(QUOTE); open !== -1;) {
    const close = closing(bytes, open + 1);
    if (close - open > TEXT_MAX) {
      kept.push(decoder.decode(bytes.subarray(from, open + 1)));
      from = close;
    }
    open = bytes.indexOf(QUOTE, close + 1);
  }
  return kept.join("") + decoder.decode(bytes.subarray(from));
}

/** Where the string that opened before `from` closes; the end where it never does. */
function closing(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) {
    let backslashes = 0;
    while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return bytes.length;
}
