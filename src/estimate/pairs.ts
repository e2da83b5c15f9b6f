import fits from "./fits.json" with { type: "json" };

const LETTERS = 26;
const COMMON = Uint8Array.from(fits.commonPairs, (bit) => Number(bit));

/** Whether two letters, counted from `a`, often stand side by side in English and in code: words of other pairs are cut smaller. */
export function isCommonPair(first: number, second: number): boolean {
  return COMMON[first * LETTERS + second] === 1;
}
