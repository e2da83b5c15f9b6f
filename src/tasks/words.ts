import type * as z from "zod";

type Issue = z.core.$ZodRawIssue;

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** What is wrong with a field, as one would say it; nothing where the schema says it better itself. */
export function inWords(issue: Issue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return tooSmall(issue.origin, Number(issue.minimum), issue.inclusive ?? true);
    case "too_big":
      return tooBig(issue.origin, Number(issue.maximum));
    case "invalid_format":
      return `must be ${issue.format}`;
    case "invalid_key":
      return "has a name that must be of 1 to 64 characters";
    case "unrecognized_keys":
      return "is not a known field";
    default:
      return undefined;
  }
}

function tooSmall(origin: string, least: number, inclusive: boolean): string {
  if (origin === "string" || origin === "array") return least === 1 ? "must not be empty" : `must hold at least ${least}`;
  return `must be ${inclusive ? "at least" : "more than"} ${least}`;
}

function tooBig(origin: string, most: number): string {
  if (origin === "string") return `must have at most ${most} characters`;
  return `must ${origin === "array" ? "hold" : "be"} at most ${most}`;
}
