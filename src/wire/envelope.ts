import type { Capability, Envelope, TollgateError } from "#core";

/** The one error object that both envelopes hold: vendor fields, and our code and details beside them. */
function openaiError({ message, type, code, facts }: TollgateError) {
  return { message, type, param: facts.param ?? null, code, ...(facts.details ? { details: facts.details } : {}) };
}

function anthropicBody({ message, type, code, facts }: TollgateError, requestId: string) {
  const error = {
    type,
    message,
    code,
    ...(facts.param ? { param: facts.param } : {}),
    ...(facts.details ? { details: facts.details } : {}),
  };
  return { type: "error", error, request_id: requestId };
}

/** An error's body, as the caller's SDK reads it. */
export function errorBody(envelope: Envelope, error: TollgateError, requestId: string): string {
  return JSON.stringify(envelope === "anthropic" ? anthropicBody(error, requestId) : { error: openaiError(error) });
}

/**
 * An error in the middle of a stream, in the dialect's own form. No end marker follows: the answer did not end. It starts with blank
 * lines, so that an event that the provider left half sent ends there and does not swallow the error.
 */
export function streamError(capability: Capability, error: TollgateError, requestId: string): string {
  return `\n\n${errorEvent(capability, error, requestId)}\n\n`;
}

function errorEvent(capability: Capability, error: TollgateError, requestId: string): string {
  switch (capability) {
    case "messages":
    case "count_tokens":
      return `event: error\ndata: ${JSON.stringify(anthropicBody(error, requestId))}`;
    case "responses":
      return `event: response.failed\ndata: ${JSON.stringify(failedResponse(error, requestId))}`;
    default:
      return `data: ${JSON.stringify({ error: openaiError(error) })}`;
  }
}

/**
 * The event by which Responses ends a run that failed. The gateway counts no events, so the sequence number is the largest there is.
 * The error stands beside the response as well: the vendor's SDKs raise what has one, and a client that waits only for text would
 * otherwise take the cut answer for a whole one.
 */
function failedResponse(error: TollgateError, requestId: string) {
  return {
    type: "response.failed",
    sequence_number: Number.MAX_SAFE_INTEGER,
    error: openaiError(error),
    response: {
      id: requestId,
      object: "response",
      created_at: Math.floor(Date.now() / 1000),
      status: "failed",
      error: { code: error.code, message: error.message, ...(error.facts.details ? { details: error.facts.details } : {}) },
      incomplete_details: null,
      output: [],
      usage: null,
    },
  };
}
