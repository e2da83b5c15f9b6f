import { isShallow, masked } from "#core";

/** So much beyond the cut is read, so that a secret which the cut goes through is known for one. */
const BEYOND = 8_192;
const DEPTH_MAX = 12;
/** Below that so many levels are written as they are. */
const LEVELS_MAX = 1_000;

/** A JSON value, masked, of so many characters at most in its texts and names; `cut` tells whether any are missing. */
export function abridged(value: unknown, characters: number): { readonly value: unknown; readonly cut: boolean } {
  let left = characters;
  let cut = false;
  const text = (whole: string): string => {
    const shown = masked(whole.slice(0, left + BEYOND));
    const kept = shown.slice(0, left).toWellFormed();
    if (kept.length < shown.length || whole.length > left + BEYOND) cut = true;
    left -= kept.length;
    return kept;
  };
  const some = <Item>(items: readonly Item[]): Item[] => {
    const kept = left > 0 ? items.slice(0, left) : [];
    if (kept.length < items.length) cut = true;
    return kept;
  };
  const deep = (each: object): string => {
    if (isShallow(each, LEVELS_MAX)) return text(JSON.stringify(each));
    cut = true;
    return "[too deep]";
  };
  const walk = (each: unknown, depth: number): unknown => {
    if (typeof each === "string") return text(each);
    left -= 1;
    if (typeof each !== "object" || each === null) return each;
    if (depth > DEPTH_MAX) return deep(each);
    if (Array.isArray(each)) return some(each).map((item) => walk(item, depth + 1));
    return Object.fromEntries(some(Object.entries(each)).map(([name, item]) => [text(name), walk(item, depth + 1)]));
  };
  return { value: walk(value, 0), cut };
}
