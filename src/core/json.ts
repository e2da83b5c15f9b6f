/** A JSON object as it came: nothing is known of what stands in it. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object: no list, and not null. */
export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of a JSON object; none of anything else. */
export function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

const LEVELS_MAX = 64;

/**
 * Whether a JSON value is nested no deeper than anybody means it to be. What parses may be so deep that whoever goes down it by
 * recursion, as `JSON.stringify` does, exhausts the stack.
 */
export function isShallow(value: unknown, levelsMax = LEVELS_MAX): boolean {
  let level = [value];
  for (let levels = 0; levels <= levelsMax; levels++) {
    level = level.flatMap((each): unknown[] => (typeof each === "object" && each !== null ? Object.values(each) : []));
    if (level.length === 0) return true;
  }
  return false;
}
