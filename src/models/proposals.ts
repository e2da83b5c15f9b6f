import { TollgateError } from "#core";
import type { PriceBook } from "./book.ts";
import { type PriceRow, RATE_CLASSES, type Rates } from "./contract.ts";
import type { SourcePrice } from "./price-source.ts";

/** More changes at once are no news but another table; such a source is looked at by a person before it is trusted. */
const CHANGES_MAX = 500;

/** What a price would be charged by. */
export type Terms = Pick<PriceRow, "rates" | "tiers" | "serviceTiers">;

/** A price that a source has otherwise than this deployment. */
export interface Proposed {
  readonly provider: string;
  readonly model: string;
  readonly proposed: Terms;
  /** What is charged today, and the row that says so; null for a model without a price. */
  readonly current: (Terms & { readonly price: string }) | null;
}

/** One rate that would change; null where there is none. */
export interface Change {
  readonly field: string;
  readonly from: string | null;
  readonly to: string | null;
}

/**
 * Holds a source against the prices in force. A class that the source does not name stays as it is; a model that is only free
 * there is passed over, since nobody gives away what is paid for, and a slip would. Service tiers go by the board where the rates
 * that they stood beside change.
 * @throws TollgateError `upstream_error` where it would change more than a person can look through.
 */
export function proposalsFrom(book: PriceBook, source: readonly SourcePrice[], nowMs: number): Proposed[] {
  const found = new Map<string, Proposed>();
  for (const each of source) {
    const { state, row } = book.find(each.provider, each.model, "", nowMs);
    const current = state === "unknown" ? null : row;
    if (state === "free" || !sellsSomething(each)) continue;
    const proposed = merged(each, current);
    if (current && canonical(current) === canonical(proposed)) continue;
    const { provider, model } = each;
    found.set(`${provider}/${model}`, { provider, model, proposed, current: current && { ...terms(current), price: current.id } });
  }
  if (found.size > CHANGES_MAX) {
    throw new TollgateError(
      "upstream_error",
      `The price source would change ${found.size} prices at once; at most ${CHANGES_MAX} are taken`,
    );
  }
  return [...found.values()];
}

function sellsSomething({ rates }: SourcePrice): boolean {
  return [rates.input, rates.output].some((rate) => Number(rate ?? 0) > 0);
}

function merged(source: SourcePrice, current: PriceRow | null): Terms {
  const rates = { ...stated(current?.rates ?? {}), ...source.rates };
  const same = current !== null && current.rates.input === rates.input && current.rates.output === rates.output;
  const kept = same ? current.serviceTiers : {};
  return {
    rates,
    tiers: source.tiers.map(({ aboveInputTokens, rates: over }) => {
      const known = current?.tiers.find((tier) => tier.aboveInputTokens === aboveInputTokens)?.rates ?? {};
      return { aboveInputTokens, rates: { ...stated(known), ...over } };
    }),
    serviceTiers: { ...kept, ...source.serviceTiers },
  };
}

function stated(rates: Rates): Rates {
  return Object.fromEntries(RATE_CLASSES.flatMap((each) => (rates[each] ? [[each, rates[each]]] : [])));
}

function terms({ rates, tiers, serviceTiers }: Terms): Terms {
  return { rates, tiers, serviceTiers };
}

/** Every rate by its path, in one order: equal terms are equal as text. */
function flat({ rates, tiers, serviceTiers }: Terms): Map<string, string> {
  const of = (prefix: string, its: Rates) =>
    RATE_CLASSES.flatMap((each): [string, string][] => (its[each] ? [[`${prefix}.${each}`, its[each]]] : []));
  return new Map([
    ...of("rates", rates),
    ...tiers.flatMap((tier) => of(`tiers.${tier.aboveInputTokens}`, tier.rates)),
    ...Object.entries(serviceTiers)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([tier, its]) => of(`service_tiers.${tier}`, its.rates)),
  ]);
}

/** The terms as text by which they are told apart. */
export function canonical(of: Terms): string {
  return JSON.stringify([...flat(of)]);
}

/** What would change, rate by rate. */
export function changesOf({ current, proposed }: Pick<Proposed, "current" | "proposed">): Change[] {
  const from = current ? flat(current) : new Map<string, string>();
  const to = flat(proposed);
  return [...new Set([...from.keys(), ...to.keys()])]
    .map((field) => ({ field, from: from.get(field) ?? null, to: to.get(field) ?? null }))
    .filter((change) => change.from !== change.to);
}
