import type { Context } from "hono";
import { TollgateError } from "#core";
import { type Arrival, type Gateway, Timers } from "#gateway";
import { readCredential } from "#keys";
import { authenticated } from "../authenticate.ts";
import { readDirections } from "../headers.ts";
import type { Http, Platform } from "../platform.ts";
import { readBytes } from "../read-body.ts";

/** A request at the door: who asks, what it directs, its body unread as to meaning, and what it may be served with. */
export interface Arrived {
  readonly arrival: Arrival;
  /** It is priced and not sent. */
  readonly dryRun: boolean;
  readonly bytes: Uint8Array;
  readonly gateway: Gateway;
}

/** Lets a request in. The caller is known before a byte of the body is read. */
export async function arrive(context: Context<Http>): Promise<Arrived> {
  const platform = context.env;
  const request = context.req.raw;
  const at = platform.now();
  const caller = await authenticated(platform, request);
  const { directions, dryRun } = readDirections(request.headers, platform.config);
  const { TOLLGATE_MAX_BODY_BYTES, TOLLGATE_TIMEOUT_BODY_S } = platform.config;
  refuseEncoding(request.headers);
  const gateway = gatewayOf(platform, context.executionCtx);
  const limits = { bytesMax: TOLLGATE_MAX_BODY_BYTES, timeoutMs: TOLLGATE_TIMEOUT_BODY_S * 1000 };
  const bytes = await readBytes(request, limits, gateway.timers);
  const arrival: Arrival = {
    id: context.get("requestId"),
    at,
    caller,
    reauthenticate: () => {
      platform.keys.forget(caller.key);
      return platform.keys.authenticate(readCredential(request.headers));
    },
    headers: request.headers,
    search: queryOf(request.url),
    signal: request.signal,
    ...directions,
  };
  return { arrival, dryRun, bytes, gateway };
}

/** A URL's query with its question mark; empty where there is none. */
export function queryOf(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? "" : url.slice(at);
}

/** The gateway as this request may use it. */
export function gatewayOf(platform: Platform, execution: Pick<ExecutionContext, "waitUntil">): Gateway {
  const background = inCompany(execution);
  return {
    config: platform.config,
    directory: platform.directory,
    outbound: platform.outbound,
    estimators: platform.estimators,
    health: platform.health,
    ledger: (team) => platform.ledger(team, background),
    judge: platform.judge,
    counters: platform.counters,
    cache: platform.cache,
    responses: platform.responses,
    record: async (event) => {
      await platform.events.send(event);
    },
    governor: platform.governor,
    keep: (content) => platform.contents.keep(content),
    now: () => platform.now(),
    timers: new Timers(() => platform.now()),
    paced: platform.paced,
    background,
  };
}

/** Keeps the isolate alive for work that outlasts the answer: of whatever comes while some is going on, the platform hears once. */
function inCompany(execution: Pick<ExecutionContext, "waitUntil">): (work: Promise<unknown>) => void {
  const works: Promise<unknown>[] = [];
  let going = false;
  const all = async () => {
    while (works.length > 0) await Promise.all(works.splice(0));
    going = false;
  };
  return (work) => {
    works.push(work.catch(report));
    if (going) return;
    going = true;
    execution.waitUntil(all());
  };
}

/** Work beside an answer has nobody to tell but the log. */
function report(error: unknown): void {
  const reason = error instanceof Error ? error.message : "non-error thrown";
  // oxlint-disable-next-line no-console -- the platform's log sink; messages of our own and of the runtime, never of a client.
  console.error(JSON.stringify({ level: "error", code: "background", reason }));
}

/** Bodies are judged as they are read; one that must be unpacked first could be larger than any limit. */
function refuseEncoding(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding === null || encoding === "identity") return;
  throw new TollgateError("invalid_request", "A body with content-encoding is not accepted; send it plain", { param: "content-encoding" });
}
