const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Kinds of id that Tollgate mints; the prefix tells a reader what an id names. */
export type IdPrefix =
  | "req"
  | "team"
  | "user"
  | "bud"
  | "prv"
  | "prc"
  | "prp"
  | "cost"
  | "aud"
  | "mdl"
  | "key"
  | "alr"
  | "whk"
  | "dlv"
  | "pol"
  | "dec"
  | "rte"
  | "crd"
  | "prf"
  | "task";

let lastMs = 0;
let sequence = 0;

/**
 * A new id that sorts by creation: prefix, 9 characters of milliseconds, 3 of sequence within the millisecond, and 12 (60 bits)
 * of randomness, in lower-case Crockford base 32. Unique across isolates by its randomness, ordered within one by its sequence.
 */
export function newId(prefix: IdPrefix, nowMs: number = Date.now()): string {
  sequence = nowMs === lastMs ? (sequence + 1) & 0x7fff : 0;
  lastMs = nowMs;
  return `${prefix}_${base32(nowMs, 9)}${base32(sequence, 3)}${randomText(12)}`;
}

/** Randomness drawn ahead, since each draw crosses into the runtime. Every byte is used once. */
const pool = new Uint8Array(1_200);
let drawn = pool.length;

/** `count` characters of base 32 from the platform's cryptographic randomness. */
function randomText(count: number): string {
  if (drawn + count > pool.length) {
    crypto.getRandomValues(pool);
    drawn = 0;
  }
  let text = "";
  for (const end = drawn + count; drawn < end; drawn++) text += ALPHABET[pool[drawn]! & 31];
  return text;
}

function base32(value: number, width: number): string {
  let text = "";
  for (let rest = value, at = 0; at < width; at++, rest = Math.floor(rest / 32)) text = ALPHABET[rest % 32] + text;
  return text;
}
