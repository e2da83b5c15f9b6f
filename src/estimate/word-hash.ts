/** Bits of a table of words, as a power of two. */
const BITS = 18;
export const TABLE_BYTES = 2 ** (BITS - 3);
const PRIME = 0x01000193;

/** The hash of no characters. */
export const EMPTY = 0x811c9dc5;

/** A hash with one more code unit. */
export function hashed(hash: number, code: number): number {
  return Math.imul(hash ^ code, PRIME);
}

/** The bit of a hash in the table; mixed once more, because the low bits of a short word's hash are not spread yet. */
export function slotOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> (32 - BITS);
}
