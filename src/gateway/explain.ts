import { AUTO, type Candidate, type Decision } from "#auto";
import { asTollgateError, TollgateError } from "#core";
import type { Target } from "#models";
import { everyPlace } from "#routes";
import type { Ask } from "#wire";
import { type Choosing, consider, everyPlaceOf } from "./auto.ts";
import type { Arrival, Gateway } from "./contract.ts";
import type { Directory } from "./directory.ts";
import { resolve, routeOf } from "./resolve.ts";
import { goesOn, resume } from "./resume.ts";

/** Where a request would go, were it sent now, and why. */
export interface Explanation {
  readonly requested: string;
  /** Whether the choice was the gateway's. */
  readonly auto: boolean;
  readonly decision: Decision;
  /** What answers, and what does where that fails, in order; none where nothing can. */
  readonly targets: readonly Target[];
  readonly refusal: TollgateError | null;
}

/**
 * Says where a request would go, by the same judgement that sends it there. Nothing is reserved, sent or recorded; pace and policies,
 * which are asked later, are not foreseen.
 * @throws TollgateError what is wrong with the request itself, as for a real one.
 */
export async function explain(told: Ask, arrival: Arrival, at: Gateway): Promise<Explanation> {
  const { caller } = arrival;
  const ask = goesOn(told) ? await resume(told, arrival, at) : told;
  const choosing = { caller, arrival, at, named: (asked: Ask) => resolve(asked, caller, arrival, at) };
  if (ask.model !== AUTO) return named(ask, choosing);
  const { decision, draft, spares, refusal } = await consider(ask, choosing, { all: true });
  const targets = draft ? everyPlaceOf([draft, ...spares]).map(({ target }) => target) : [];
  return { requested: ask.model, auto: true, decision, targets, refusal };
}

/** A name leads to one model, or to the places of a route; each is judged by itself, and the route says which are meant. */
async function named(ask: Ask, choosing: Choosing): Promise<Explanation> {
  const { at } = choosing;
  const names = placesOf(ask.model, await at.directory.get(at.background));
  const { decision, refusal } = await consider(ask, choosing, { all: true, named: names ?? [ask.model] });
  const draft = await choosing.named(ask).catch(asTollgateError);
  if (draft instanceof TollgateError && draft.status >= 500) throw draft;
  const drafts = draft instanceof TollgateError ? [] : [draft, ...(draft.course?.rest ?? [])];
  const meant = new Set(drafts.map(({ target }) => nameOf(target)));
  const candidates = names ? decision.candidates.map((each) => (meant.has(each.model) ? each : left(each))) : decision.candidates;
  const targets = refusal === null ? drafts.map(({ target }) => target) : [];
  const model = names ? (targets[0] ? nameOf(targets[0]) : null) : decision.model;
  const refused = draft instanceof TollgateError ? draft : refusal;
  return { requested: ask.model, auto: false, decision: { ...decision, candidates, model }, targets, refusal: refused };
}

/** Every place of the route that a name leads to; null where it is no route's. */
function placesOf(model: string, directory: Directory): readonly string[] | null {
  const route = routeOf(model, directory);
  return route && everyPlace(route, model, directory.routes).map(nameOf);
}

/** A place that could take the request, and that the route does not mean for it. */
function left(candidate: Candidate): Candidate {
  return { ...candidate, out: candidate.out ?? { code: "not_meant", message: "The route's conditions leave it out for this request" } };
}

function nameOf({ provider, model }: Target): string {
  return `${provider}/${model}`;
}
