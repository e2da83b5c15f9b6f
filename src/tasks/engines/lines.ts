import { type Fields, isObject } from "#core";

/** The objects that an agent wrote, one to a line; what is no object is no line of the agent's. */
export function linesOf(stdout: string): Fields[] {
  return stdout.split("\n").flatMap((line) => {
    const value = parsed(line);
    return isObject(value) ? [value] : [];
  });
}

/** The value that a text is the JSON of; undefined where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A text, where the value is one that says something. */
export function said(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
