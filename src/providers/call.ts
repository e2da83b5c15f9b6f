import { type Capability, checkBaseUrl, TollgateError } from "#core";
import { requestHeaders } from "./headers.ts";
import { pathOf, type Upstream } from "./registry.ts";
import { respond } from "./tollgate/index.ts";

/** One call to a provider, its body exactly as it is to be sent. */
export interface Call {
  readonly capability: Capability;
  readonly body: Uint8Array;
  /** The client's headers; what may pass is decided here. */
  readonly headers: Headers;
  /** The client speaks another dialect than the provider. */
  readonly foreign: boolean;
  /** The client's query string, with or without its question mark. */
  readonly search: string;
  readonly signal: AbortSignal;
}

/** What a call may reach, and through what. */
export interface Guard {
  readonly allowPrivate: boolean;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

const CREDENTIAL_VARIABLE: Partial<Record<Upstream["kind"], string>> = { openai: "OPENAI_API_KEY", anthropic: "ANTHROPIC_API_KEY" };

/** Puts the provider's own credential in. @throws TollgateError `invalid_request` where it has none and needs one. */
export function authenticate(upstream: Upstream, headers: Headers): void {
  const { credential, kind, name } = upstream;
  if (credential === null) {
    const variable = CREDENTIAL_VARIABLE[kind];
    if (variable === undefined) return;
    const remedy = name === kind ? `set ${variable}` : "register its api_key";
    throw new TollgateError("invalid_request", `The provider ${name} has no credential; ${remedy} to use it`);
  }
  if (kind !== "anthropic") return headers.set("authorization", `Bearer ${credential}`);
  headers.set("x-api-key", credential);
  if (!headers.has("anthropic-version")) headers.set("anthropic-version", "2023-06-01");
}

/** Addresses that were found good, by what they were checked as: an upstream is one object for as long as its row is believed. */
const bases = new WeakMap<Upstream, { readonly allowPrivate: boolean; readonly base: string }>();

/** A provider's base URL, checked, without a slash at its end. */
export function baseOf(upstream: Upstream, allowPrivate: boolean): string {
  const known = bases.get(upstream);
  if (known?.allowPrivate === allowPrivate) return known.base;
  const base = checkBaseUrl(upstream.baseUrl, allowPrivate).href.replace(/\/+$/, "");
  bases.set(upstream, { allowPrivate, base });
  return base;
}

function targetOf(upstream: Upstream, call: Call, allowPrivate: boolean): string {
  const base = baseOf(upstream, allowPrivate);
  const beta = upstream.kind === "anthropic" && new URLSearchParams(call.search).get("beta") === "true";
  return `${base}${pathOf(upstream, call.capability)}${beta ? "?beta=true" : ""}`;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new TollgateError("invalid_request", "The request body is not valid JSON", { cause });
  }
}

/**
 * Sends a call to its upstream and returns the answer, whatever its status. The address is checked again here, so that a row
 * written around the admin API reaches nothing private. Redirects are refused: following one would carry the credential away.
 * @throws TollgateError `invalid_request` without a credential, `upstream_error` on a redirect or a failed connection.
 */
export async function send(upstream: Upstream, call: Call, guard: Guard): Promise<Response> {
  if (upstream.kind === "tollgate") return respond(call.capability, parseJson(call.body), call.signal);
  const url = targetOf(upstream, call, guard.allowPrivate);
  const headers = requestHeaders(call.headers, call.foreign);
  authenticate(upstream, headers);
  return reach(upstream, url, { method: "POST", headers, body: call.body, redirect: "manual", signal: call.signal }, guard);
}

/** Sends what has an address and a credential. @throws TollgateError `upstream_error` on a redirect or a failed connection. */
export async function reach(
  upstream: Upstream,
  url: string,
  init: RequestInit & { readonly signal: AbortSignal },
  guard: Guard,
): Promise<Response> {
  let response: Response;
  try {
    response = await (guard.fetch ? guard.fetch(url, init) : fetch(url, init));
  } catch (cause) {
    if (init.signal.aborted) throw cause;
    throw new TollgateError("upstream_error", `The provider ${upstream.name} could not be reached`, { cause });
  }
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new TollgateError("upstream_error", `The provider ${upstream.name} answered with a redirect, which is not followed`);
  }
  // A status that HTTP does not know, or that leaves HTTP, cannot be passed on.
  if (response.status < 200 || response.status > 599) {
    await response.body?.cancel();
    throw new TollgateError("upstream_error", `The provider ${upstream.name} answered with the status ${response.status}, which is none`);
  }
  return response;
}
