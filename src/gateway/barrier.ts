import { AUTO } from "#auto";
import { type Caller, TollgateError } from "#core";
import { allowed, resolveModel } from "#models";
import { callable } from "#providers";
import { everyPlace } from "#routes";
import type { Directory } from "./directory.ts";
import { notAllowed } from "./draft.ts";
import { routeOf, unknownModel } from "./resolve.ts";

/**
 * Why a key's request for a model of this name would be refused whatever it says, with the refusal that it would get; null where
 * that hangs on the request.
 */
export function barrier(model: string, { models }: Caller, directory: Directory, at: number): TollgateError | null {
  if (model === AUTO) return null;
  const { upstreams, aliases, book, routes } = directory;
  const route = routeOf(model, directory);
  const target = route ? null : resolveModel(model, { providers: new Set(upstreams.keys()), aliases, book, at });
  const named = route ? everyPlace(route, model, routes) : target ? [target] : [];
  const reached = named.filter(({ provider }) => upstreams.has(provider));
  const [first] = reached;
  if (!first) return unknownModel(model);
  const own = reached.filter((place) => allowed(models, place));
  if (own.length === 0) return notAllowed(first);
  if (own.some(({ provider }) => callable(upstreams.get(provider)!))) return null;
  return new TollgateError("model_not_found", `The provider ${own[0]!.provider} has no credential`, { param: "model" });
}
