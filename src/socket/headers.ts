import { isObject } from "#core";
import { wrong } from "#wire";

/** What belongs to the socket, and what the platform says of a connection: a client's address may not be told by the client. */
const NOT_TAKEN = /^(authorization|x-api-key|api-key|x-goog-api-key|x-tollgate-api-key|cookie|host|connection|upgrade|expect|te|trailer)$/;
const NOT_TAKEN_FAMILY = /^(cf-|x-forwarded-|x-real-|true-client-|forwarded|sec-|proxy-|content-|transfer-|accept-encoding|keep-alive)/;
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const VALUE = /^[\t -~\u0080-\u00ff]{0,1024}$/;
const STANDING = /^(x-tollgate-(?!api-key$)|anthropic-|openai-)/;
const STANDING_MAX = 6_000;

/**
 * The headers of one request of a socket, by lower-case name.
 * @throws TollgateError `invalid_request` naming the header.
 */
export function readHeaders(headers: unknown): Readonly<Record<string, string>> {
  if (!isObject(headers)) throw wrong("headers", "must be a JSON object");
  const read = new Map<string, string>();
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    const param = `headers.${given.slice(0, 64)}`;
    if (!NAME.test(name)) throw wrong(param, "is no header's name");
    if (NOT_TAKEN.test(name) || NOT_TAKEN_FAMILY.test(name)) throw wrong(param, "belongs to the connection and not to a request of it");
    if (typeof value !== "string" || !VALUE.test(value))
      throw wrong(param, "must be a string of at most 1024 characters that a header can hold");
    if (read.has(name)) throw wrong(param, "stands more than once");
    read.set(name, value);
  }
  return Object.fromEntries(read);
}

/**
 * The headers of an upgrade that hold for every request of its socket.
 * @throws TollgateError `invalid_request` where they are more than a socket that sleeps can be remembered with.
 */
export function standingHeaders(headers: Headers): Readonly<Record<string, string>> {
  const standing = Object.fromEntries([...headers].filter(([name]) => STANDING.test(name)));
  if (JSON.stringify(standing).length > STANDING_MAX) throw wrong("headers", `must not come to more than ${STANDING_MAX} characters`);
  return standing;
}
