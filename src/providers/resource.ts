import { baseOf, type Guard, authenticate, reach } from "./call.ts";
import { requestHeaders } from "./headers.ts";
import type { Upstream } from "./registry.ts";

/** What is asked of something that a provider keeps. */
export interface ResourceCall {
  readonly method: "GET" | "DELETE";
  /** Below the provider's base URL; its ids are encoded by whoever makes it. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
  /** The client's; what may pass is decided here. */
  readonly headers: Headers;
  readonly signal: AbortSignal;
}

/**
 * Asks a provider for something that it keeps, and returns the answer, whatever its status. Whose it is must be known before.
 * @throws TollgateError as a call of inference does.
 */
export async function askResource(
  upstream: Upstream,
  { method, path, search, headers: given, signal }: ResourceCall,
  guard: Guard,
): Promise<Response> {
  const headers = requestHeaders(given);
  authenticate(upstream, headers);
  return reach(upstream, `${baseOf(upstream, guard.allowPrivate)}${path}${search}`, { method, headers, redirect: "manual", signal }, guard);
}
