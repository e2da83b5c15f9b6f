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

const MIXERS = [0x2c1b3c6d, 0x297a2d39, 0x1b56c4e9] as const;
/** How many bits stand for a word: with three, a table as full as ours takes an unknown word for a known one most seldom. */
export const BITS_PER_WORD = MIXERS.length;

/** One of the bits of a hash in the table; mixed once more, because the low bits of a short word's hash are not spread yet. */
export function slotOf(hash: number, which: number): number {
  return Math.imul(hash ^ (hash >>> 15), MIXERS[which]!) >>> (32 - BITS);
}
