import { type Capability, TollgateError } from "#core";
import { readAsk } from "./ask.ts";
import { governed, readBody } from "./body.ts";
import type { Ask } from "./contract.ts";
import { wrong } from "./fields.ts";

const OPERATIONS = [
  "chat.completions",
  "completions",
  "responses",
  "embeddings",
  "messages",
  "count_tokens",
  "images.generations",
  "audio.speech",
  "moderations",
  "rerank",
] as const satisfies Capability[];
const [OPERATION, REQUEST] = ["operation", "request"] as const;

/**
 * Reads a request that is described and not made: `{"operation": "chat.completions", "request": {…}}`. What stands in `request` is read
 * from its own bytes, as the route of that operation would read it.
 * @throws TollgateError `invalid_request` naming the field, `request.…` for one of the inner request.
 */
export function readDescribed(bytes: Uint8Array): Ask {
  const { text, value } = readBody(bytes);
  const members = governed(text, 0, new Set([OPERATION, REQUEST]));
  const unknown = Object.keys(value).find((name) => !members.has(name));
  if (unknown !== undefined) throw wrong(unknown.slice(0, 64), "is not known here");
  const capability = OPERATIONS.find((each) => each === value[OPERATION]);
  if (!capability) throw wrong(OPERATION, value[OPERATION] === undefined ? "is missing" : `must be one of ${OPERATIONS.join(", ")}`);
  const inner = members.get(REQUEST);
  if (!inner || text[inner.valueStart] !== "{") throw wrong(REQUEST, inner ? "must be an object" : "is missing");
  const request = new TextEncoder().encode(text.slice(inner.valueStart, inner.valueEnd));
  try {
    return readAsk(capability, request);
  } catch (error) {
    throw within(error);
  }
}

/** A fault of the inner request, named by its path from outside. */
function within(error: unknown): unknown {
  if (!(error instanceof TollgateError) || error.facts.param === undefined) return error;
  const { param, ...facts } = error.facts;
  return new TollgateError(error.code, `${REQUEST}.${error.message}`, { ...facts, param: `${REQUEST}.${param}`, cause: error });
}
