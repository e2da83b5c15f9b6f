import type { PriceBook } from "./book.ts";
import type { PriceRow, Rates, Target } from "./contract.ts";

/** A model as lists show it. */
export interface ModelCard {
  /** `provider/model`, or the alias. */
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
  /** USD per million tokens, by class. */
  readonly price: { readonly state: "priced" | "free" | "unknown"; readonly rates: Rates };
  /** Milliseconds UTC: from when its price holds. */
  readonly created: number;
}

/** A row that stands in for an unknown model's says nothing of how much it takes. */
const NOT_KNOWN = { contextTokens: null, maxOutputTokens: null };

/** Whose list it is, and of when. */
export interface Shelf {
  readonly providers: ReadonlySet<string>;
  readonly aliases: ReadonlyMap<string, Target>;
  readonly book: PriceBook;
  readonly team: string;
  readonly at: number;
}

/** Every model with a price at a provider that can be called, and every alias. */
export function listModels({ providers, aliases, book, team, at }: Shelf): ModelCard[] {
  const rows = book.rows(team, at).filter(({ provider }) => providers.has(provider));
  const cards = rows.map((row) => card(`${row.provider}/${row.model}`, row.model, row, row.state));
  const named = [...aliases].filter(([, { provider }]) => providers.has(provider));
  const aliased = named.map(([name, { provider, model }]) => {
    const { row, state } = book.find(provider, model, team, at);
    return { ...card(name, model, row, state), provider };
  });
  return [...cards, ...aliased].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Whether a model may be one that answers in words; what rates no output gives none. */
export function answersInWords({ price: { state, rates } }: ModelCard): boolean {
  return state !== "priced" || (rates.output ?? null) !== null;
}

function card(id: string, model: string, row: PriceRow, state: ModelCard["price"]["state"]): ModelCard {
  const { provider, rates, effectiveFrom } = row;
  const { contextTokens, maxOutputTokens } = state === "unknown" ? NOT_KNOWN : row;
  return { id, provider, model, contextTokens, maxOutputTokens, price: { state, rates }, created: effectiveFrom };
}
