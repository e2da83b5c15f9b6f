import type { Context, Next } from "hono";
import { HTTPException } from "hono/http-exception";
import { asTollgateError, type Envelope, newId, TollgateError } from "#core";
import { errorBody } from "#wire";
import type { Http } from "./platform.ts";

/** Anthropic's own routes, under whatever stands before them; OpenAI has messages too, further in. */
const MESSAGES = /^(?:\/(?:openai|anthropic|v1))*\/messages(?:\/|$)/;

/** The envelope a caller expects: Anthropic's on its own routes or where its version header is sent, OpenAI's everywhere else. */
export function envelopeOf(request: Request): Envelope {
  const { pathname } = new URL(request.url);
  return request.headers.has("anthropic-version") || MESSAGES.test(pathname) ? "anthropic" : "openai";
}

/** The one place where an error becomes a response. The log gets code, id and reason; never a body, a header or a credential. */
export function errorResponse(thrown: unknown, request: Request, requestId: string = newId("req")): Response {
  const error = asTollgateError(thrown);
  log(error, requestId);
  const headers = new Headers({
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-request-id": requestId,
    "request-id": requestId,
    "x-should-retry": String(error.retry),
  });
  const wait = error.facts.retryAfterMs;
  if (wait !== undefined) {
    headers.set("retry-after", String(Math.ceil(wait / 1000)));
    headers.set("retry-after-ms", String(wait));
  }
  return new Response(errorBody(envelopeOf(request), error, requestId), { status: error.status, headers });
}

/** Puts the request's id on what the gateway answers itself, as it stands on what is passed on. */
export async function bearId(context: Context<Http>, next: Next): Promise<void> {
  await next();
  for (const name of ["x-request-id", "request-id"]) context.header(name, context.get("requestId"));
}

/** Hono's hook for anything thrown below it. */
export function onError(thrown: unknown, context: Context<Http>): Response {
  const error = thrown instanceof HTTPException && thrown.status < 500 ? unreadable(thrown) : thrown;
  return errorResponse(error, context.req.raw, context.get("requestId"));
}

/** A body that the admin plane's parser did not take. Its content type is asked for, since a form of another site's can send any other. */
function unreadable(cause: HTTPException): TollgateError {
  const message = cause.status === 415 ? "The content-type must be application/json" : "The request body is empty or not valid JSON";
  return new TollgateError("invalid_request", message, { cause });
}

function log(error: TollgateError, requestId: string): void {
  if (error.status < 500 || (error.code === "overloaded" && error.facts.reason === undefined)) return;
  // oxlint-disable-next-line no-console -- the platform's log sink; only codes, ids and reasons of our own go in.
  console.error(JSON.stringify({ level: "error", request: requestId, code: error.code, reason: error.facts.reason ?? null }));
}
