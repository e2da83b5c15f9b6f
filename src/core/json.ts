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
