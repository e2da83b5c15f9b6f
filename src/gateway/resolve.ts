import { type Caller, isSurface, TollgateError } from "#core";
import { allowed, type Bounds, bounds, type Limits, type Price, resolveModel, type Route } from "#models";
import type { Upstream } from "#providers";
import type { ModelCall, TokenCounts } from "#estimate";
import type { Ask } from "#wire";
import type { Arrival, Draft, Gateway } from "./contract.ts";
import type { Directory } from "./directory.ts";
import { Judgement } from "./judgement.ts";
import { surfaceBounds } from "./surface.ts";
import { spoken, surfaceFor } from "./translate.ts";

const NO_INPUT: TokenCounts = { strict: 0, tight: 0, close: 0 };
const FREE = { nano: 0, tokens: 0, requests: 1 };
/** Counting tokens is free at every provider that offers it. */
const NOTHING: Bounds = {
  floor: FREE,
  likely: FREE,
  ceiling: FREE,
  inputMax: 0,
  outputMax: 0,
  choices: 1,
  inputFemto: 0n,
  outputFemto: 0n,
};

/**
 * Decides which upstream answers, and what that may cost. The allow list is judged on the resolved model, so that no alias,
 * header or query string can name another one than was allowed.
 * @throws TollgateError `model_not_found`, `permission_denied`, `invalid_request`.
 */
export async function resolve(asked: Ask, caller: Caller, arrival: Arrival, at: Gateway): Promise<Draft> {
  const directory = await at.directory.get(at.background);
  const active = directory.policies;
  const found = find(asked.model, directory, arrival.at) ?? find(asked.model, await at.directory.reload(), arrival.at);
  if (!found) throw notKnown(asked);
  const { route, upstream, book } = found;
  if (!allowed(caller.models, route)) throw notAllowed(route);
  const surface = surfaceFor(asked.capability, upstream);
  if (surface === null) throw notOffered(asked, route);
  const policies = { chain: active.chainOf(caller), active, judgement: new Judgement(), outputMax: null };
  const common = { arrival, caller, route, upstream, tableHash: book.tableHash, policies };
  if (asked.capability === "count_tokens") {
    const { row } = book.find(route.provider, route.model, caller.team, arrival.at);
    return { ...common, ask: asked, asked, translation: null, price: { state: "free", row }, input: NO_INPUT, bounds: NOTHING };
  }
  const price = priceOf(book, route, caller, arrival.at);
  if (isSurface(asked.capability)) {
    const bounds = surfaceBounds(asked, price, book.tableHash);
    return { ...common, ask: asked, asked, translation: null, price, input: NO_INPUT, bounds };
  }
  const said = spoken(asked, { surface, upstream, route, price, maxOutputTokens: found.limits?.maxOutputTokens ?? null, arrival });
  const { ask } = said;
  const input = at.estimators.tokens(modelCall({ ask, route }));
  const load = {
    promptBytes: ask.promptBytes,
    likelyInput: input.tight,
    uncountable: ask.uncountable,
    tools: ask.tools,
    serviceTier: ask.serviceTier,
    limits: found.limits,
    maxOutput: ask.outputCaps.length === 0 ? null : Math.max(...ask.outputCaps.map(({ tokens }) => tokens)),
    choices: ask.choices,
    hasOutput: ask.capability !== "embeddings",
  };
  return { ...common, ...said, price, input, bounds: bounds(price, load) };
}

/** A draft as estimators see it. */
export function modelCall({ ask, route }: Pick<Draft, "ask" | "route">): ModelCall {
  return { operation: ask.capability, provider: route.provider, model: route.model, ask };
}

interface Found {
  readonly route: Route;
  readonly upstream: Upstream;
  readonly book: Directory["book"];
  /** What the operator says of an alias's model; null for other names. */
  readonly limits: Limits | null;
}

function find(model: string, { upstreams, aliases, book }: Directory, at: number): Found | null {
  const route = resolveModel(model, { providers: new Set(upstreams.keys()), aliases, book, at });
  const upstream = route && upstreams.get(route.provider);
  return route && upstream ? { route, upstream, book, limits: aliases.get(model)?.limits ?? null } : null;
}

function priceOf(book: Directory["book"], route: Route, caller: Caller, now: number): Price {
  const price = book.find(route.provider, route.model, caller.team, now);
  if (price.state !== "unknown" || caller.unknownPrice !== "refuse") return price;
  throw new TollgateError(
    "permission_denied",
    `The price of ${route.provider}/${route.model} is unknown, and this key refuses such models`,
    {
      details: { violations: [{ kind: "price", name: `${route.provider}/${route.model}`, field: "model", reason: "unknown price" }] },
    },
  );
}

function notKnown({ model }: Ask): TollgateError {
  const message = `The model ${quoted(model)} is not known here; GET /v1/models lists what this key may call, and provider/model names any other`;
  return new TollgateError("model_not_found", message, { param: "model" });
}

function notAllowed(route: Route): TollgateError {
  const name = `${route.provider}/${route.model}`;
  return new TollgateError("permission_denied", `This key may not call ${quoted(name)}`, {
    param: "model",
    details: { violations: [{ kind: "model", name, field: "model", reason: "not in the key's models" }] },
  });
}

/** What has a counterpart in the provider's dialect is translated; the rest is offered or it is not. */
function notOffered({ capability }: Ask, { provider }: Route): TollgateError {
  const remedy = capability === "count_tokens" ? "; POST /v1/estimate counts the tokens of any model's request" : "";
  return new TollgateError(
    "invalid_request",
    `The provider ${provider} does not offer ${capability}, which no other dialect has${remedy}`,
    {
      param: "model",
    },
  );
}

/** A name of the caller's, safe to repeat in a message. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}
