import type { Decision, Evaluation } from "./contract.ts";
import { FIXED, type Limits } from "./limits.ts";
import type { Text } from "./machine.ts";

/** How deep what a policy says may nest, so that whoever walks it needs no depth of its own. */
const DEPTH_MAX = 16;
const FIELDS: ReadonlySet<string> = new Set(["allowed", "reason", "metadata", "obligations"]);
const ANSWER = /^([dtimn])(\d{1,4}):/;
// oxlint-disable-next-line no-control-regex -- a reason stands in logs and bodies: control characters forge lines, and bidi marks deceive readers.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/** What came of a command: `done` with the text it answered, or how it failed. */
export type Answer = { readonly logs: string } & (
  | { readonly kind: "done"; readonly body: string }
  | Extract<Evaluation["result"], { kind: "failed" }>
);

/** Reads a guest's answer, as a stranger's text: the policy may have written all of it. */
export function readAnswer(answer: Text | null, { logsCharacters, resultBytes }: Limits): Answer {
  const [head = "", kind = "", length = "0"] = ANSWER.exec(answer?.text ?? "") ?? [];
  if (answer === null || head === "") return { ...failed("invalid_decision", "answered what cannot be read"), logs: "" };
  const logs = answer.text.slice(head.length, head.length + Number(length)).slice(0, logsCharacters);
  const body = answer.text.slice(head.length + Number(length));
  if (kind === "d" && !answer.whole) return { ...failed("invalid_decision", `holds more than ${resultBytes} bytes`), logs };
  return { ...resultOf(kind, body), logs };
}

function resultOf(kind: string, body: string): { kind: "done"; body: string } | ReturnType<typeof failed> {
  switch (kind) {
    case "d":
      return { kind: "done", body };
    case "t":
      return failed("threw", body);
    case "m":
      return failed("memory", "needs more memory than policies have");
    case "n":
      return failed("never_settled", "awaits what never comes");
    default:
      return failed("invalid_decision", body);
  }
}

/** A failure, with what may be said of it. */
export function failed(failure: Extract<Evaluation["result"], { kind: "failed" }>["failure"], message: string) {
  return { kind: "failed" as const, failure, message: cleaned(message) };
}

/** What an evaluation comes to that its fuel does not reach for. */
export const OUT_OF_FUEL = failed("fuel", "burnt all its fuel");

/** Text of a policy as others may see it: one line of bounded length, without what cannot be seen. */
export function cleaned(text: string): string {
  return text.replace(UNSEEN, " ").slice(0, FIXED.reasonCharacters).toWellFormed();
}

/** Reads a decision; whatever is not one, by its field, is the policy's failure. */
export function readDecision(body: string): Evaluation["result"] {
  const value = parsed(body);
  if (!isRecord(value)) return failed("invalid_decision", "must be an object with allowed");
  const { allowed, reason = "", metadata = {}, obligations = [] } = value;
  const strange = Object.keys(value).find((field) => !FIELDS.has(field));
  if (strange !== undefined) return failed("invalid_decision", `${strange.slice(0, 64)}: is not a field of a decision`);
  if (typeof allowed !== "boolean") return failed("invalid_decision", "allowed: must be true or false");
  if (typeof reason !== "string") return failed("invalid_decision", "reason: must be text");
  if (!isRecord(metadata)) return failed("invalid_decision", "metadata: must be an object");
  if (!Array.isArray(obligations)) return failed("invalid_decision", "obligations: must be a list");
  const fault = faultOf({ metadata, obligations });
  if (fault !== null) return failed("invalid_decision", fault);
  const decision: Decision = { allowed, reason: cleaned(reason), metadata, obligations };
  return { kind: "decision", value: decision };
}

/** JSON as a value; undefined where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is an object with named members. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is wrong with the shape of plain data, level by level; null where nothing is. */
export function faultOf(value: unknown): string | null {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return `must nest at most ${DEPTH_MAX} deep`;
    const objects = level.filter((each): each is object => typeof each === "object" && each !== null);
    // Assigning this name would change what the copy of an object is.
    if (objects.some((each) => Object.hasOwn(each, "__proto__"))) return "must name nothing __proto__";
    level = objects.flatMap((each) => Object.values(each) as unknown[]);
  }
  return null;
}
