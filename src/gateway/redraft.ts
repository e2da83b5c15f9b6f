import type { Amount } from "#budget";
import { asTollgateError, TollgateError } from "#core";
import type { Duties } from "#policy";
import { type Ask, redactRequest } from "#wire";
import type { Gateway } from "./contract.ts";
import { type Hold, underOwnCap } from "./hold.ts";
import { resolve } from "./resolve.ts";

/**
 * A request that goes elsewhere, or says more, than what was reserved for: it is resolved anew under the caller's own permissions, and
 * its hold grows by what it may cost more. The record goes on naming the model that the caller asked for.
 * @throws TollgateError `policy_denied` where it cannot go there; `budget_exceeded` where nothing is left for it.
 */
export async function redrafted(
  hold: Hold,
  { asked, route, redactions }: { readonly asked: Ask; readonly route: string | null; readonly redactions: Duties["redactions"] },
  at: Gateway,
): Promise<Hold> {
  const { draft } = hold;
  const model = route ?? asked.model;
  const anew = await resolve({ ...asked, model }, draft.caller, draft.arrival, at).catch((thrown: unknown) => {
    throw route === null ? thrown : misrouted(route, thrown);
  });
  const ask = anew.translation ? redactRequest(anew.ask, redactions) : asked;
  const next = { ...anew, asked, ask, policies: draft.policies };
  const { ceiling, likely, floor } = underOwnCap(next);
  const { granted } = hold.granted;
  if (covers(granted, ceiling)) return hold.move(next);
  for (const to of [ceiling, likely]) if ((await hold.extend(to)) === null) return hold.move(next, larger(granted, to));
  const refusal = await hold.extend(floor);
  if (refusal) throw refusal;
  return hold.move(next, larger(granted, floor));
}

function covers(granted: Amount, wanted: Amount): boolean {
  return wanted.nano <= granted.nano && wanted.tokens <= granted.tokens;
}

function larger(a: Amount, b: Amount): Amount {
  return { nano: Math.max(a.nano, b.nano), tokens: Math.max(a.tokens, b.tokens), requests: a.requests };
}

/** A request that policies sent where it cannot go: theirs is the fault, and the caller is told what stands in the way. */
function misrouted(target: string, thrown: unknown): TollgateError {
  const error = asTollgateError(thrown);
  if (error.status >= 500) return error;
  return new TollgateError("policy_denied", `A policy routes this request to ${target}, where it cannot go: ${error.message}`, {
    cause: thrown,
    details: { policy: null, version: null, reason: error.message, metadata: { target } },
  });
}
