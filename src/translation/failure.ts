import { fieldsOf } from "#core";
import { stringOf, wordOf } from "./answers.ts";
import type { Failure } from "./conversation.ts";
import type { Json } from "./fields.ts";
import type { Tongue } from "./losses.ts";

/** An error object of OpenAI's, in an envelope or in a stream. */
export function openaiFailure(value: unknown): Failure {
  const error = fieldsOf(value);
  return {
    message: wordOf(error["message"]) ?? (typeof value === "string" && value !== "" ? value : UNSAID),
    type: wordOf(error["type"]),
    code: wordOf(error["code"]),
    param: wordOf(error["param"]),
  };
}

/** An error object of Anthropic's. */
export function anthropicFailure(value: unknown): Failure {
  const { message, type } = fieldsOf(value);
  return { message: wordOf(message) ?? UNSAID, type: wordOf(type), code: wordOf(type), param: null };
}

const UNSAID = "The provider reported an error without saying which";

/** Reads the body of a provider's error; one that is no envelope, such as a proxy's page, says nothing but its status. */
export function readFailure(tongue: Tongue, status: number, text: string): Failure {
  const error = errorIn(text);
  if (error === undefined) return { message: `The provider answered ${status}`, type: null, code: null, param: null };
  return tongue === "anthropic" ? anthropicFailure(error) : openaiFailure(error);
}

function errorIn(text: string): unknown {
  try {
    const error = fieldsOf(JSON.parse(text))["error"];
    return typeof error === "object" && error !== null ? error : (stringOf(error) ?? undefined);
  } catch {
    return undefined;
  }
}

/** The types that Anthropic's SDK knows, by status. */
const TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};
const KNOWN = new Set([...Object.values(TYPES), "api_error"]);
const OPENAI_TYPES: Readonly<Record<string, string>> = {
  rate_limit_exceeded: "rate_limit_error",
  insufficient_quota: "rate_limit_error",
  requests: "rate_limit_error",
  tokens: "rate_limit_error",
};

/** The error's type in Anthropic's words; `status` is null in the middle of a stream. */
function anthropicType({ type, code }: Failure, status: number | null): string {
  const told = type !== null && KNOWN.has(type) ? type : (OPENAI_TYPES[type ?? ""] ?? OPENAI_TYPES[code ?? ""]);
  if (status === null) return told ?? "api_error";
  return TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
}

/** An error as OpenAI's envelope holds it. A parameter of the provider's dialect is none of the caller's. */
export function openaiError({ message, type, code }: Failure): Json {
  return { message, type: type ?? "api_error", param: null, code };
}

/** An error in Anthropic's envelope. */
export function anthropicError(failure: Failure, status: number | null, requestId: string): Json {
  return { type: "error", error: { type: anthropicType(failure, status), message: failure.message }, request_id: requestId };
}

/** A provider's error in the caller's envelope. */
export function writeFailure(tongue: Tongue, failure: Failure, status: number, requestId: string): Json {
  return tongue === "anthropic" ? anthropicError(failure, status, requestId) : { error: openaiError(failure) };
}
