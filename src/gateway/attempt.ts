import { asTollgateError, NO_USAGE, TollgateError } from "#core";
import { send, type Upstream } from "#providers";
import { type Ask, type Edits, rewrite } from "#wire";
import { addsUsage, type Answer } from "./answer.ts";
import type { Draft, Gateway } from "./contract.ts";
import { Deadline, type GivenUp, type Patience } from "./deadline.ts";
import type { Ending } from "./event.ts";
import type { Hold } from "./hold.ts";

/** A call that brought no answer. */
export interface Failure {
  /** In the caller's words. */
  readonly error: TollgateError;
  readonly ending: Ending;
  /** What the provider may have billed: nothing, or nobody can say what; `unsent` where it was never asked. */
  readonly billed: "nothing" | "unknown" | "unsent";
  /** Why it was given up; null where it failed by itself. */
  readonly why: GivenUp | null;
  readonly sentAt: number;
}

/** A connection that fails later than this was made, and what it carried may have been worked on. */
const CONNECT_MS = 10_000;

/** Milliseconds that a request has for all its attempts. */
export function totalMsOf({ arrival }: Draft, { config }: Gateway, own: number | null = null): number {
  return Math.min(arrival.timeoutMs ?? Infinity, own ?? Infinity, config.TOLLGATE_TIMEOUT_TOTAL_S * 1000);
}

/** Sends the draft to its upstream, once. */
export async function attempt(hold: Hold, patience: Patience, at: Gateway): Promise<Answer | Failure> {
  const { draft } = hold;
  const deadline = new Deadline(patience, draft.arrival.signal, at.timers);
  const sentAt = at.now();
  try {
    const call = {
      capability: draft.ask.capability,
      body: bodyOf(hold),
      headers: outgoing(draft),
      foreign: draft.translation !== null,
      search: draft.arrival.search,
      signal: deadline.signal,
    };
    const response = await send(draft.upstream, call, at.outbound);
    deadline.begun();
    return { response, deadline, sentAt, begunAt: at.now() };
  } catch (thrown) {
    deadline.end();
    return failureOf(hold, thrown, { deadline, sentAt }, at);
  }
}

/** The body as it is sent. */
export function bodyOf(hold: Hold): Uint8Array {
  return rewrite(hold.draft.ask, editsOf(hold));
}

/** The closed list of what is changed in a request. */
function editsOf({ draft: { ask, target, upstream }, cap }: Hold): Edits {
  return {
    ...(target.model === ask.model ? {} : { model: target.model }),
    ...(cap === null ? {} : { outputCap: { name: capName(ask, upstream), tokens: cap } }),
    ...(addsUsage(ask) ? { includeUsage: true } : {}),
  };
}

/** The field that caps output where the client set none. OpenAI's newer chat models know only the longer name, the compatible ones mostly the shorter. */
function capName({ capability }: Ask, { kind }: Upstream): string {
  if (capability === "responses") return "max_output_tokens";
  return capability === "chat.completions" && kind === "openai" ? "max_completion_tokens" : "max_tokens";
}

/** The headers that go with it. An idempotency key is scoped to its caller: tenants share a provider's account, and one must never be answered with another's. */
export function outgoing({ arrival, caller }: Draft): Headers {
  const given = arrival.headers.get("idempotency-key");
  if (given === null) return arrival.headers;
  const headers = new Headers(arrival.headers);
  headers.set("idempotency-key", `${caller.key}:${given}`);
  return headers;
}

function failureOf(hold: Hold, thrown: unknown, call: { deadline: Deadline; sentAt: number }, at: Gateway): Failure {
  const { why } = call.deadline;
  const left = why === "client_left";
  const error = call.deadline.timeoutError() ?? (left ? new TollgateError("upstream_error", "The client left") : asTollgateError(thrown));
  const endedAt = at.now();
  const ending: Ending = {
    outcome: left ? "cancelled" : "error",
    httpStatus: error.status,
    code: error.code,
    endedAt,
    firstByteMs: null,
    overheadMs: hold.overheadMs(call.sentAt),
    upstreamRequestId: null,
    sent: true,
  };
  return { error, ending, billed: billedBy(error, why !== null || endedAt - call.sentAt > CONNECT_MS), why, sentAt: call.sentAt };
}

/** A refusal before the upstream was reached (no credential, a forbidden address) was never sent. */
function billedBy({ code }: TollgateError, late: boolean): Failure["billed"] {
  if (code !== "upstream_error" && code !== "upstream_timeout") return "unsent";
  return late ? "unknown" : "nothing";
}

/**
 * Ends the hold of a request whose last attempt failed, at nothing or at its reservation, and says why in the caller's words. What was
 * never sent leaves the hold to its owner, who gives it back, unless earlier attempts must be booked.
 */
export function concluded(hold: Hold, { error, ending, billed, sentAt }: Failure, at: Gateway): TollgateError {
  if (billed === "unknown") at.background(hold.forfeit(ending));
  else if (billed === "nothing" || hold.past.attempts.length > 0) {
    hold.draft.policies.judgement.booked = true;
    at.background(hold.settle(hold.price(NO_USAGE, null), "actual", ending));
  }
  if (billed === "unsent") return error;
  const attempt = { ...hold.draft.target, status: null, ms: ending.endedAt - sentAt };
  return new TollgateError(error.code, error.message, { cause: error, details: { attempts: [...hold.past.attempts, attempt] } });
}
