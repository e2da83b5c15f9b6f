import { TollgateError } from "#core";
import type { Body } from "./contract.ts";
import { depthOf, type Member, objectAt } from "./json-text.ts";

const DEPTH_MAX = 1_000;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function malformed(what: string, cause?: unknown): TollgateError {
  return new TollgateError("invalid_request", `The request body ${what}`, { cause });
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw malformed("is not valid UTF-8", cause);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed("is not valid JSON", cause);
  }
}

/**
 * Reads a body that must be one JSON object.
 * @throws TollgateError `invalid_request` for what is no UTF-8, no JSON, no object, or nested over 1,000 deep.
 */
export function readBody(bytes: Uint8Array): Body {
  if (bytes.byteLength === 0) throw malformed("is empty");
  const text = decode(bytes);
  if (text.includes("\0")) throw malformed("holds a NUL character");
  if (depthOf(text, DEPTH_MAX) > DEPTH_MAX) throw malformed(`is nested more than ${DEPTH_MAX} deep`);
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("must be a JSON object");
  return { bytes, text, value: value as Record<string, unknown> };
}

/** A key as parsers that know no letter case would take it. */
function folding(key: string): string {
  return key.toLowerCase().replaceAll("\u017f", "s");
}

/** The members of the object at `from`, each governed key at most once and in its own letters: parsers disagree on which of two they take, and some know no case. */
export function governed(text: string, from: number, keys: ReadonlySet<string>, prefix = ""): ReadonlyMap<string, Member> {
  const found = new Map<string, Member>();
  for (const member of objectAt(text, from).members) {
    const folded = keys.has(member.key) ? member.key : folding(member.key);
    if (!keys.has(folded)) continue;
    const param = prefix + folded;
    if (folded !== member.key) throw new TollgateError("invalid_request", `${prefix}${member.key} is ${param} in other letters`, { param });
    if (found.has(member.key)) throw new TollgateError("invalid_request", `${param} stands more than once in the request body`, { param });
    found.set(member.key, member);
  }
  return found;
}
