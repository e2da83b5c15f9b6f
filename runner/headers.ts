import type { IncomingMessage } from "node:http";

/** Headers of one connection, which say nothing of the next. */
export const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
];

/** What of a message's headers goes on. */
export function passed({ headers }: IncomingMessage, dropped: ReadonlySet<string>): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !dropped.has(name));
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}

/**
 * A body of no told length goes on in chunks whatever the method is: without a frame it would stand behind a GET as a request of its own,
 * with headers of the job's choosing.
 */
export function framingOf({ headers }: IncomingMessage): Record<string, string> {
  return headers["transfer-encoding"] === undefined ? {} : { "transfer-encoding": "chunked" };
}
