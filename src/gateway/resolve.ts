import { AUTO } from "#auto";
import { type Caller, TollgateError } from "#core";
import { resolveModel } from "#models";
import { PERSEVERANCE, type Route } from "#routes";
import type { Ask } from "#wire";
import { chosen } from "./auto.ts";
import type { Arrival, Draft, Gateway } from "./contract.ts";
import { coursed } from "./course.ts";
import type { Directory } from "./directory.ts";
import { drafted, type Found, quoted, type Request } from "./draft.ts";
import { Judgement } from "./judgement.ts";

/**
 * Decides which upstream answers, and what that may cost; for a route, which ones may, and in what order.
 * @throws TollgateError `model_not_found`, `permission_denied`, `invalid_request`.
 */
export async function resolve(asked: Ask, caller: Caller, arrival: Arrival, at: Gateway): Promise<Draft> {
  if (asked.model === AUTO) return chosen(asked, { caller, arrival, at, named: (ask) => resolve(ask, caller, arrival, at) });
  const directory = await at.directory.get(at.background);
  const { policies: active } = directory;
  const policies = { chain: active.chainOf(caller), active, judgement: new Judgement(), outputMax: null, standing: null };
  const request = { asked, caller, arrival, policies };
  const draft = named(request, directory, at) ?? named(request, await at.directory.reload(), at);
  if (draft) return draft;
  throw unknownModel(asked.model);
}

/** The refusal of a name that leads nowhere. One of the form provider/model does so only where there is no such provider. */
export function unknownModel(name: string): TollgateError {
  const [provider = "", model] = name.split("/", 2);
  const remedy = model
    ? `no provider is called ${quoted(provider)}, and POST /admin/v1/providers registers one`
    : "GET /v1/models lists what this key may call, and provider/model names any other";
  return new TollgateError("model_not_found", `The model ${quoted(name)} is not known here; ${remedy}`, { param: "model" });
}

/** The draft of what the request names: a route, or a model; null where it names neither. */
function named(request: Request, directory: Directory, at: Gateway): Draft | null {
  const route = routeOf(request.asked.model, directory);
  if (route) return coursed(route, directory, request, at);
  const found = find(request.asked.model, directory, request.arrival.at);
  if (!found) return null;
  const draft = drafted(found, request, at);
  return draft.upstream.spares.length === 0 ? draft : { ...draft, course: { perseverance: PERSEVERANCE, rest: [] } };
}

/** A route of exactly this name comes before an alias, and an alias before a pattern that fits it. */
export function routeOf(name: string, { routes, aliases }: Directory): Route | null {
  return routes.named(name) ?? (aliases.has(name) ? null : routes.fitting(name));
}

function find(model: string, { upstreams, aliases, book }: Directory, at: number): Found | null {
  const target = resolveModel(model, { providers: new Set(upstreams.keys()), aliases, book, at });
  const upstream = target && upstreams.get(target.provider);
  return target && upstream ? { target, upstream, book, limits: aliases.get(model)?.limits ?? null } : null;
}
