import { type Amount, larger } from "#budget";
import { asTollgateError, TollgateError } from "#core";
import type { Duties } from "#policy";
import { type Ask, redactRequest } from "#wire";
import type { Draft, Gateway } from "./contract.ts";
import { drafted } from "./draft.ts";
import { type Hold, wanted } from "./hold.ts";
import { resolve } from "./resolve.ts";

/** What policies make of a request: its text, and where it goes; null for where it is going already. */
interface Redrafting {
  readonly draft: Draft;
  readonly asked: Ask;
  readonly route: string | null;
  readonly redactions: Duties["redactions"];
}

/** A request as it is after policies, and what it is granted now. */
export interface Redrafted {
  readonly draft: Draft;
  readonly granted: Amount;
}

/**
 * A request that goes elsewhere, or says more, than what was reserved for: it is drafted anew under the caller's own permissions, and
 * its hold grows by what it may cost more. The record goes on naming the model that the caller asked for.
 * @throws TollgateError `policy_denied` where it cannot go there; `budget_exceeded` where nothing is left for it.
 */
export async function redrafted(hold: Hold, { draft, asked, route, redactions }: Redrafting, at: Gateway): Promise<Redrafted> {
  const anew = route === null ? await longer(draft, asked, at) : await routed(draft, { ...asked, model: route }, at);
  const ask = anew.translation ? redactRequest(anew.ask, redactions) : asked;
  const next = { ...anew, asked, ask, policies: draft.policies, ...(route === null && draft.auto && { auto: draft.auto }) };
  const { ceiling, likely, floor } = wanted(next);
  const { granted } = hold.granted;
  if (covers(granted, ceiling)) return { draft: next, granted };
  for (const to of [ceiling, likely]) if ((await hold.extend(to)) === null) return { draft: next, granted: larger(granted, to) };
  const refusal = await hold.extend(floor);
  if (refusal) throw refusal;
  return { draft: next, granted: larger(granted, floor) };
}

/** The same target, for a request whose text has grown. */
async function longer({ target, upstream, limits, ...draft }: Draft, asked: Ask, at: Gateway): Promise<Draft> {
  const { book } = await at.directory.get(at.background);
  return { ...drafted({ target, upstream, limits, book }, { ...draft, asked }, at), course: draft.course };
}

async function routed({ caller, arrival }: Draft, asked: Ask, at: Gateway): Promise<Draft> {
  return resolve(asked, caller, arrival, at).catch((thrown: unknown) => {
    throw misrouted(asked.model, thrown);
  });
}

function covers(granted: Amount, wanted: Amount): boolean {
  return wanted.nano <= granted.nano && wanted.tokens <= granted.tokens;
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
