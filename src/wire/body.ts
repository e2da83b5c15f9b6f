import { type Fields, isObject, TollgateError } from "#core";
import type { Body } from "./contract.ts";
import { faultAt } from "./fault.ts";
import { type Member, objectAt, type Shape, shapeOf } from "./json-text.ts";

/**
 * Deeper than any prompt, and more values than any holds. Parsed values take many times the memory of their text, so that what is only
 * brackets and commas would exhaust an isolate long before it is a large body.
 */
const MAX: Shape = { depth: 1_000, commas: 2_000_000 };
const BODY = "The request body";
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function malformed(what: string, cause?: unknown): TollgateError {
  return new TollgateError("invalid_request", what, { cause });
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw malformed(`${BODY} is not valid UTF-8`, cause);
  }
}

/** The engine's own message quotes the body, and messages end up in logs: only the place is told. */
function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const at = faultAt(text);
    if (at === null) throw malformed(`${name} is not valid JSON`);
    throw malformed(`${name} is not valid JSON${at >= text.length ? ": it ends too early" : ` at character ${at + 1}`}`);
  }
}

/**
 * Reads a body that must be one JSON object.
 * @throws TollgateError `invalid_request` for what is no UTF-8, no JSON, no object, nested over 1,000 deep, or of over 2,000,000 values.
 */
export function readBody(bytes: Uint8Array): Body {
  const text = decode(bytes);
  return { bytes, text, value: readObject(text, BODY) };
}

/**
 * Reads text that must be one JSON object; `name` is what a refusal calls it.
 * @throws TollgateError `invalid_request`, as for a body.
 */
export function readObject(text: string, name: string): Fields {
  if (text === "") throw malformed(`${name} is empty`);
  if (text.includes("\0")) throw malformed(`${name} holds a NUL character`);
  const { depth, commas } = shapeOf(text, MAX);
  if (depth > MAX.depth) throw malformed(`${name} is nested more than ${MAX.depth} deep`);
  if (commas > MAX.commas) throw malformed(`${name} holds more than ${MAX.commas} values`);
  const value = parse(text, name);
  if (!isObject(value)) throw malformed(`${name} must be a JSON object`);
  return value;
}

/** A key as parsers that know no letter case would take it. */
function folding(key: string): string {
  return key.toLowerCase().replaceAll("\u017f", "s");
}

/**
 * The members of the object at `from`, each governed key at most once and in its own letters: parsers disagree on which of two they
 * take, and some know no case. All others are passed over.
 */
export function governed(text: string, from: number, keys: ReadonlySet<string>, prefix = ""): ReadonlyMap<string, Member> {
  const seen = new Set<string>();
  const { members } = objectAt(text, from, (key) => {
    const own = keys.has(key) ? key : folding(key);
    if (!keys.has(own)) return false;
    const param = prefix + own;
    if (own !== key) throw new TollgateError("invalid_request", `${prefix}${key} is ${param} in other letters`, { param });
    if (seen.has(key)) throw new TollgateError("invalid_request", `${param} stands more than once in the request body`, { param });
    seen.add(key);
    return true;
  });
  return new Map(members.map((member) => [member.key, member]));
}
