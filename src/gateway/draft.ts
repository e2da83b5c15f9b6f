import { type Caller, isSurface, TollgateError } from "#core";
import type { ModelCall, TokenCounts } from "#estimate";
import { allowed, type Bounds, bounds, type Limits, type Price, type Target } from "#models";
import type { Upstream } from "#providers";
import type { Ask } from "#wire";
import type { Arrival, Draft, Enforcement, Gateway, Recall } from "./contract.ts";
import type { Directory } from "./directory.ts";
import { keepsHere } from "./remember.ts";
import { holderOf } from "./resume.ts";
import { surfaceBounds } from "./surface.ts";
import { spoken, surfaceFor } from "./translate.ts";

/** The cache has not been asked. */
const BYPASS: Recall = { outcome: "bypass", keeper: null, original: null, savedUsd: null };
const NO_INPUT: TokenCounts = { strict: 0, tight: 0, close: 0 };
/** One request, and nothing for it. */
export const FREE = { nano: 0, tokens: 0, requests: 1 };
/** What costs nothing: counting tokens, which is free at every provider that offers it, and an answer that is there. */
export const NOTHING: Bounds = {
  floor: FREE,
  likely: FREE,
  ceiling: FREE,
  inputMax: 0,
  outputMax: 0,
  choices: 1,
  inputFemto: 0n,
  outputFemto: 0n,
};

/** A target that was found, and what is known of it. */
export interface Found {
  readonly target: Target;
  readonly upstream: Upstream;
  readonly book: Directory["book"];
  readonly limits: Limits | null;
}

/** A request before it is known where it goes. */
export interface Request {
  readonly asked: Ask;
  readonly caller: Caller;
  readonly arrival: Arrival;
  readonly policies: Enforcement;
}

/**
 * A request for one target, said in its dialect, with what it may cost there. The allow list is judged on the target, so that no
 * route, alias, header or query string can name another one than was allowed.
 * @throws TollgateError `permission_denied`, `invalid_request`.
 */
export function drafted({ target, upstream: any, book, limits }: Found, { asked, caller, arrival, policies }: Request, at: Gateway): Draft {
  if (!allowed(caller.models, target)) throw notAllowed(target);
  const upstream = holderOf(asked, any);
  const surface = surfaceFor(asked.capability, upstream);
  if (surface === null) throw notOffered(asked, target);
  const common = { arrival, caller, target, upstream, limits, tableHash: book.tableHash, policies, course: null, recall: BYPASS };
  if (asked.capability === "count_tokens") {
    const { row } = book.find(target.provider, target.model, caller.team, arrival.at);
    return { ...common, ask: asked, asked, translation: null, price: { state: "free", row }, input: NO_INPUT, bounds: NOTHING };
  }
  const price = priceOf(book, target, caller, arrival.at);
  if (isSurface(asked.capability)) {
    const most = surfaceBounds(asked, price, book.tableHash);
    return { ...common, ask: asked, asked, translation: null, price, input: NO_INPUT, bounds: most };
  }
  const said = spoken(asked, {
    surface,
    upstream,
    target,
    price,
    maxOutputTokens: limits?.maxOutputTokens ?? null,
    arrival,
    keeps: keepsHere(caller, at),
  });
  const { ask } = said;
  const input = at.estimators.tokens(modelCall({ ask, target }));
  const load = {
    promptBytes: ask.promptBytes,
    likelyInput: input.tight,
    uncountable: ask.uncountable,
    tools: ask.tools,
    serviceTier: ask.serviceTier,
    limits,
    maxOutput: ask.outputCaps.length === 0 ? null : Math.max(...ask.outputCaps.map(({ tokens }) => tokens)),
    choices: ask.choices,
    hasOutput: ask.capability !== "embeddings",
  };
  return { ...common, ...said, price, input, bounds: bounds(price, load) };
}

/** A draft as estimators see it. */
export function modelCall({ ask, target }: Pick<Draft, "ask" | "target">): ModelCall {
  return { operation: ask.capability, provider: target.provider, model: target.model, ask };
}

function priceOf(book: Directory["book"], target: Target, caller: Caller, now: number): Price {
  const price = book.find(target.provider, target.model, caller.team, now);
  if (price.state !== "unknown" || caller.unknownPrice !== "refuse") return price;
  throw new TollgateError(
    "permission_denied",
    `The price of ${target.provider}/${target.model} is unknown, and this key refuses such models`,
    {
      details: { violations: [{ kind: "price", name: `${target.provider}/${target.model}`, field: "model", reason: "unknown price" }] },
    },
  );
}

/** The refusal of a model that is none of the key's. */
export function notAllowed(target: Target): TollgateError {
  const name = `${target.provider}/${target.model}`;
  return new TollgateError("permission_denied", `This key may not call ${quoted(name)}`, {
    param: "model",
    details: { violations: [{ kind: "model", name, field: "model", reason: "not in the key's models" }] },
  });
}

/** What has a counterpart in the provider's dialect is translated; the rest is offered or it is not. */
function notOffered({ capability }: Ask, { provider }: Target): TollgateError {
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
export function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}
