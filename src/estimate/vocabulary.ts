import table from "./vocabulary.json" with { type: "json" };
import { BITS_PER_WORD, slotOf } from "./word-hash.ts";

/**
 * Which words tokenizers know whole: those that the vocabularies of o200k and cl100k (both MIT licensed) hold as one token. Kept as bits
 * by hash, so that a look costs the same whatever the word; some words that are in no vocabulary look known, which the fits allow for.
 */
const OLD = decoded(table.old);
const NEW = decoded(table.new);

function decoded(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** How well a word is known: by tokenizers of all ages, by the newer only, or by none. */
export const NOWHERE = 0;
export const NEWER = 1;
export const EVERYWHERE = 2;

/** How well the word of a hash is known. */
export function known(hash: number): number {
  if (holds(OLD, hash)) return EVERYWHERE;
  return holds(NEW, hash) ? NEWER : NOWHERE;
}

function holds(table: Uint8Array, hash: number): boolean {
  for (let which = 0; which < BITS_PER_WORD; which++) {
    const bit = slotOf(hash, which);
    if ((table[bit >> 3]! & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}
