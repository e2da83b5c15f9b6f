import { fieldsOf } from "#core";
import type { Json } from "./fields.ts";

/** Readers of what providers send: nothing is refused in it, what is not there is left out. */

/** The objects of a list; none where it is none. */
export function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

/** The value where it is a text, else null. */
export function stringOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** The value where it is a text of at least a character, else null. */
export function wordOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** What the gateway itself put into a usage beside the provider's counts. */
export function costIn(usage: unknown): { cost?: unknown; costDetails?: unknown } {
  const { cost, cost_details: costDetails } = fieldsOf(usage);
  return { ...(cost !== undefined && { cost }), ...(costDetails !== undefined && { costDetails }) };
}

/** The same as a dialect's usage carries it. */
export function costOut({ cost, costDetails }: { cost?: unknown; costDetails?: unknown }): Json {
  return { ...(cost !== undefined && { cost }), ...(costDetails !== undefined && { cost_details: costDetails }) };
}
