import { asTollgateError, TollgateError } from "#core";
import type { Upstream } from "#providers";
import { order, type Place, type Route } from "#routes";
import type { Draft, Gateway } from "./contract.ts";
import type { Directory } from "./directory.ts";
import { drafted, quoted, type Request } from "./draft.ts";
import { underOwnCap } from "./hold.ts";

/** A request is drafted for each of its targets before it is reserved: no more than so many. */
const TARGETS_MAX = 16;

/**
 * A request for the first of a route's targets, with drafts for the others to fall back on. A target that the caller may not call, that
 * cannot serve the request, or that the caller's own cap does not pay for, is not among them.
 * @throws TollgateError why the first of them cannot be gone to, where none can.
 */
export function coursed(route: Route, directory: Directory, request: Request, at: Gateway): Draft {
  const { asked, caller, arrival } = request;
  const known = new Map<string, Draft | TollgateError>();
  const draftFor = (place: Place): Draft | TollgateError => {
    const name = `${place.provider}/${place.model}`;
    const draft = known.get(name) ?? draftOrRefusal(place, directory, request, at);
    known.set(name, draft);
    return draft;
  };
  const places = order(route, {
    asked: asked.model,
    tags: [...caller.tags, ...arrival.tags],
    metadata: { ...caller.metadata, ...arrival.metadata },
    id: arrival.id,
    session: arrival.session,
    routes: directory.routes,
    latencyOf: (place) => latencyOf(place, directory, { stream: asked.stream, at }),
    costOf: (place) => {
      const draft = draftFor(place);
      return draft instanceof TollgateError ? null : draft.bounds.likely.nano;
    },
  });
  const drafts = places.slice(0, TARGETS_MAX).map(draftFor);
  const [first, ...rest] = drafts.filter((draft): draft is Draft => !(draft instanceof TollgateError));
  if (!first) throw drafts.find((draft) => draft instanceof TollgateError) ?? nowhere(route);
  return { ...first, course: { perseverance: route, rest } };
}

function draftOrRefusal(place: Place, { upstreams, book }: Directory, request: Request, at: Gateway): Draft | TollgateError {
  const upstream = upstreams.get(place.provider);
  if (!upstream) return unknown(place);
  try {
    const draft = drafted({ target: place, upstream, book, limits: null }, request, at);
    underOwnCap(draft);
    return draft;
  } catch (thrown) {
    return asTollgateError(thrown);
  }
}

/** The credentials of an upstream, each as an upstream of its own; one without any stands for itself. */
export function accountsOf(upstream: Upstream): readonly Upstream[] {
  return upstream.credential === null && upstream.spares.length > 0 ? upstream.spares : [upstream, ...upstream.spares];
}

/** What the health of a place is known by: provider, model and credential. */
export function placeName({ provider, model }: Place, { account }: Upstream): string {
  return account === null ? `${provider}/${model}` : `${provider}/${model}#${account}`;
}

function latencyOf(
  place: Place,
  { upstreams }: Directory,
  { stream, at }: { readonly stream: boolean; readonly at: Gateway },
): number | null {
  const upstream = upstreams.get(place.provider);
  const all = upstream ? accountsOf(upstream).map((account) => at.health.latency(placeName(place, account), stream)) : [];
  const known = all.filter((ms) => ms !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function unknown({ provider }: Place): TollgateError {
  return new TollgateError("model_not_found", `The route leads to the provider ${quoted(provider)}, which is not known here`, {
    param: "model",
  });
}

function nowhere({ name }: Route): TollgateError {
  return new TollgateError("model_not_found", `The route ${quoted(name)} has no target for this request: its conditions exclude all`, {
    param: "model",
  });
}
