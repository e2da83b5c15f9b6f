/** Of several words the one that was probably meant, or null where none is near: at most two slips, and fewer in short words. */
export function nearest(typed: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let slips = Math.min(2, Math.floor(typed.length / 3)) + 1;
  for (const word of words) {
    const found = distance(typed, word);
    if (found >= slips) continue;
    best = word;
    slips = found;
  }
  return best;
}

/** How many letters must be put in, taken out or changed to make one word of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let at = 1; at <= from.length; at++) {
    const next = [at];
    for (let other = 1; other <= to.length; other++) {
      const changed = row[other - 1]! + (from[at - 1] === to[other - 1] ? 0 : 1);
      next.push(Math.min(changed, row[other]! + 1, next[other - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
