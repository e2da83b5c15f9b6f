import { asTollgateError, NO_USAGE, TollgateError } from "#core";
import { send, type Upstream } from "#providers";
import { type Ask, type Edits, rewrite } from "#wire";
import { addsUsage, type Answer } from "./answer.ts";
import type { Draft, Gateway } from "./contract.ts";
import { Deadline } from "./deadline.ts";
import type { Ending } from "./event.ts";
import type { Hold } from "./hold.ts";
import { withoutVendors } from "./translate.ts";

/**
 * Sends the draft to its upstream. When nothing comes back the hold is ended here: at nothing where the upstream was never reached,
 * at its reservation where it may have worked and billed.
 * @throws TollgateError `upstream_error`, `upstream_timeout`, each listing the attempt.
 */
export async function dispatch(hold: Hold, at: Gateway): Promise<Answer> {
  const { draft } = hold;
  const { TOLLGATE_TIMEOUT_TOTAL_S, TOLLGATE_TIMEOUT_FIRST_BYTE_S } = at.config;
  const totalMs = Math.min(draft.arrival.timeoutMs ?? Infinity, TOLLGATE_TIMEOUT_TOTAL_S * 1000);
  const deadline = new Deadline({ totalMs, firstByteMs: TOLLGATE_TIMEOUT_FIRST_BYTE_S * 1000 }, draft.arrival.signal);
  const sentAt = at.now();
  try {
    const call = {
      capability: draft.ask.capability,
      body: rewrite(draft.ask, editsOf(hold)),
      headers: outgoing(draft),
      search: draft.arrival.search,
      signal: deadline.signal,
    };
    const response = await send(draft.upstream, call, { allowPrivate: at.config.allowPrivateUpstreams });
    deadline.begun();
    return { response, deadline, sentAt, begunAt: at.now() };
  } catch (thrown) {
    deadline.end();
    throw failed(hold, thrown, { deadline, sentAt }, at);
  }
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

/** An idempotency key is scoped to its caller: tenants share a provider's account, and one must never be answered with another's. */
function outgoing({ arrival, caller, translation }: Draft): Headers {
  const own = translation ? withoutVendors(arrival.headers) : arrival.headers;
  const given = own.get("idempotency-key");
  if (given === null) return own;
  const headers = new Headers(own);
  headers.set("idempotency-key", `${caller.key}:${given}`);
  return headers;
}

/** A connection that fails later than this was made, and what it carried may have been worked on. */
const CONNECT_MS = 10_000;

/**
 * Ends the hold of a call that brought no answer, and says why in the caller's words. A refusal before the upstream was reached
 * (no credential, a forbidden address) leaves the hold to its owner, who gives it back.
 */
function failed(hold: Hold, thrown: unknown, call: { deadline: Deadline; sentAt: number }, at: Gateway): TollgateError {
  const { target } = hold.draft;
  const left = call.deadline.why === "client_left";
  const error = call.deadline.timeoutError() ?? (left ? new TollgateError("upstream_error", "The client left") : asTollgateError(thrown));
  const endedAt = at.now();
  const ending: Ending = {
    outcome: left ? "cancelled" : "error",
    httpStatus: error.status,
    code: error.code,
    endedAt,
    firstByteMs: null,
    overheadMs: call.sentAt - hold.draft.arrival.at,
    upstreamRequestId: null,
    sent: true,
  };
  if (call.deadline.why !== null) at.background(hold.forfeit(ending));
  else if (error.code === "upstream_error" && endedAt - call.sentAt > CONNECT_MS) at.background(hold.forfeit(ending));
  else if (error.code === "upstream_error") at.background(hold.settle(hold.price(NO_USAGE, null), "actual", ending));
  if (error.code !== "upstream_error" && error.code !== "upstream_timeout") return error;
  const attempt = { provider: target.provider, model: target.model, status: null, ms: endedAt - call.sentAt };
  return new TollgateError(error.code, error.message, { cause: thrown, details: { attempts: [attempt] } });
}
