import { asTollgateError, type ErrorCode, TollgateError } from "#core";
import type { Ask } from "#wire";
import { keepAsked } from "./content.ts";
import type { Arrival, Gateway } from "./contract.ts";
import { dispatch } from "./dispatch.ts";
import { enforce } from "./enforce.ts";
import { refusedEvent } from "./event.ts";
import { governed } from "./govern.ts";
import { type Hold, reserve } from "./hold.ts";
import type { Judgement } from "./judgement.ts";
import { isCached, remembered } from "./recall.ts";
import { resolve } from "./resolve.ts";
import { goesOn, resume } from "./resume.ts";
import { tap } from "./tap.ts";

/** Failures whose hold was ended with a record of its own. */
const BOOKED: ReadonlySet<ErrorCode> = new Set(["upstream_error", "upstream_timeout"]);

/**
 * One inference request, first stage to last. Each stage takes what it needs and returns one new value.
 * @throws TollgateError for every refusal and failure before the first byte of an answer.
 */
export async function serve(ask: Ask, arrival: Arrival, at: Gateway): Promise<Response> {
  let judgement: Judgement | null = null;
  try {
    const whole = goesOn(ask) ? await resume(ask, arrival, at) : ask;
    const { task } = arrival.caller;
    const allowed = task === null ? { ask: whole, arrival } : await governed(whole, arrival, task, at);
    await using admitted = await admit(allowed.ask, allowed.arrival, at);
    ({ judgement } = admitted.draft.policies);
    keepAsked(admitted.draft, at);
    await using hold = await enforce(admitted, at);
    if (isCached(hold.draft)) return await remembered(hold, at);
    const { answer, hold: paid } = await dispatch(hold, at);
    return await tap(answer, paid, at);
  } catch (thrown) {
    const error = asTollgateError(thrown);
    const booked = BOOKED.has(error.code) || judgement?.booked === true;
    if (!booked) at.background(at.record(refusedEvent({ ask, arrival, judgement }, error, at.now())));
    throw error;
  }
}

/** Resolves and reserves; once more with fresh facts where the ledger knows that the caller's have changed. */
async function admit(ask: Ask, arrival: Arrival, at: Gateway): Promise<Hold> {
  const first = await reserve(await resolve(ask, arrival.caller, arrival, at), at);
  if (first !== "stale") return first;
  const caller = await arrival.reauthenticate();
  const second = await reserve(await resolve(ask, caller, arrival, at), at);
  if (second !== "stale") return second;
  throw new TollgateError("overloaded", "The key is being changed; try again", { retryAfterMs: 250, reason: "facts stale twice" });
}
