/** Hop-by-hop headers end at each connection (RFC 9110, 7.6.1). */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const NOT_SENT = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length",
  "cookie",
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "x-real-ip",
  "forwarded",
  "true-client-ip",
  "accept-encoding",
  "expect",
]);
const NOT_RETURNED = new Set([
  ...HOP_BY_HOP,
  "set-cookie",
  "location",
  "content-length",
  "content-encoding",
  "alt-svc",
  "strict-transport-security",
  "server",
  "request-id",
  "x-request-id",
]);
const NOT_SENT_PREFIX = /^(x-tollgate-|cf-|x-forwarded-)/;
const NOT_RETURNED_PREFIX = /^(x-tollgate-|access-control-|cf-)/;

/** The same where the client speaks another vendor's dialect: headers of one vendor are nothing to another. */
const NOT_SENT_ABROAD_PREFIX = /^(x-tollgate-|cf-|x-forwarded-|anthropic-|openai-)/;

/** A copy without what may not pass: the runtime copies a list of headers at once, where appending them takes a call for each. */
function filtered(headers: Headers, names: ReadonlySet<string>, prefix: RegExp): Headers {
  const connection = headers.get("connection");
  const named = new Set(connection?.split(",").map((name) => name.trim().toLowerCase()));
  const kept = new Headers(headers);
  for (const name of headers.keys()) {
    if (names.has(name) || named.has(name) || prefix.test(name)) kept.delete(name);
  }
  return kept;
}

/**
 * The client's headers that may reach a provider: never its credentials, its address or what belongs to one connection. `foreign` says
 * that it speaks another dialect than the provider.
 */
export function requestHeaders(client: Headers, foreign = false): Headers {
  const headers = filtered(client, NOT_SENT, foreign ? NOT_SENT_ABROAD_PREFIX : NOT_SENT_PREFIX);
  headers.set("accept-encoding", "identity");
  return headers;
}

/** The provider's headers that may reach the client; the gateway answers with a request id of its own. */
export function responseHeaders({ headers }: Response): Headers {
  return filtered(headers, NOT_RETURNED, NOT_RETURNED_PREFIX);
}

/** The provider's own id of a request. */
export function upstreamRequestId({ headers }: Response): string | null {
  return headers.get("x-request-id") ?? headers.get("request-id");
}

/** Milliseconds that a provider asks to be left alone, as `retry-after-ms` or `retry-after` (seconds or a date) say; null where neither does. */
export function restMsOf(headers: Headers, now: number): number | null {
  const ms = Number(headers.get("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const after = headers.get("retry-after");
  if (after === null || after.trim() === "") return null;
  const seconds = Number(after);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}
