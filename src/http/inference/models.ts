import type { Context } from "hono";
import { AUTO } from "#auto";
import { TollgateError } from "#core";
import { allowed, answersInWords, listModels as cardsOf, type ModelCard, type Target } from "#models";
import { callable } from "#providers";
import { everyPlace, type RouteBook } from "#routes";
import { authenticated, FRESH_MS } from "../authenticate.ts";
import type { Http } from "../platform.ts";

/** A model as a caller is shown it; null where no price can be told before it is chosen. */
type Card = Omit<ModelCard, "price"> & { readonly price: ModelCard["price"] | null };

/** `GET /v1/models`: the models this key may call, in the shape that the caller's SDK reads. */
export async function listModels(context: Context<Http>): Promise<Response> {
  const cards = await cardsFor(context);
  if (!anthropic(context)) return context.json({ object: "list", data: cards.map(openaiShape) });
  const data = cards.map(anthropicShape);
  return context.json({ data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
}

/** `GET /v1/models/{id}`: one of them; one that the key may not call looks like one that is not there. */
export async function oneModel(context: Context<Http>): Promise<Response> {
  const cards = await cardsFor(context);
  const id = decoded(context.req.path.slice("/v1/models/".length));
  const card = cards.find((each) => each.id === id) ?? cards.find((each) => each.model === id);
  if (!card)
    throw new TollgateError("model_not_found", "The model is not known here; GET /v1/models lists what this key may call", {
      param: "model",
    });
  return context.json(anthropic(context) ? anthropicShape(card) : openaiShape(card));
}

/** A path's text; one that is no encoding stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function anthropic(context: Context<Http>): boolean {
  return context.req.header("anthropic-version") !== undefined;
}

async function cardsFor(context: Context<Http>): Promise<readonly Card[]> {
  const platform = context.env;
  const caller = await authenticated(platform, context.req.raw, FRESH_MS);
  const directory = await platform.directory.get((work) => context.executionCtx.waitUntil(work));
  // Providers without a credential cannot be called, so their models are not offered.
  const providers = new Set([...directory.upstreams.values()].filter(callable).map(({ name }) => name));
  const may = (target: Target) => providers.has(target.provider) && allowed(caller.models, target);
  const cards = cardsOf({
    providers,
    aliases: new Map([...directory.aliases, ...namesOf(directory.routes, may)]),
    book: directory.book,
    team: caller.team,
    at: platform.now(),
  });
  const mine = cards.filter(may);
  const words = mine.filter(answersInWords);
  return words.length === 0 ? mine : [autoCard(words), ...mine];
}

/** The choice that is left to the gateway, as a model among others: what it costs, takes and gives is the chosen one's business. */
function autoCard(choices: readonly ModelCard[]): Card {
  const created = Math.max(...choices.map((each) => each.created));
  return { id: AUTO, provider: "tollgate", model: AUTO, contextTokens: null, maxOutputTokens: null, price: null, created };
}

/** Each route by the first target that this key may call, whatever its conditions; a pattern is no model's name. */
function namesOf(routes: RouteBook, may: (target: Target) => boolean): (readonly [string, Target])[] {
  const named = [...routes.all()].filter(({ name }) => !name.includes("*"));
  return named.flatMap((route) => {
    const first = everyPlace(route, route.name, routes).find(may);
    return first ? [[route.name, first] as const] : [];
  });
}

/** What both shapes say beyond the vendors' own fields. */
function facts({ provider, contextTokens, maxOutputTokens, price }: Card) {
  return { provider, context_length: contextTokens, max_output_tokens: maxOutputTokens, price };
}

function openaiShape(card: Card) {
  return { id: card.id, object: "model", created: Math.floor(card.created / 1000), owned_by: card.provider, ...facts(card) };
}

function anthropicShape(card: Card) {
  return { type: "model", id: card.id, display_name: card.model, created_at: new Date(card.created).toISOString(), ...facts(card) };
}
