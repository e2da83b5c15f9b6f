import { type Femto, femtoFromNano, nanoFromUsd } from "#core";
import type { PriceRow, RateClass, Rates } from "./contract.ts";

/** Service tiers that are billed by the row's own rates. */
const STANDARD = new Set(["default", "standard", "auto", "standard_only", "on_demand"]);
/** Tiers that cost at most the row's rates: charging those is safe. */
const CHEAPER = new Set(["flex", "batch"]);

/** The rates that apply to one call, and whether the row speaks of its service tier at all. */
export interface Applied {
  readonly rates: Rates;
  readonly known: boolean;
}

/** A row's rates for a call of so many input tokens at a service tier. */
export function ratesFor(row: PriceRow, input: number, serviceTier: string | null): Applied {
  const long = row.tiers.findLast((tier) => input > tier.aboveInputTokens);
  const rates = long ? { ...row.rates, ...set(long.rates) } : row.rates;
  if (serviceTier === null || STANDARD.has(serviceTier)) return { rates, known: true };
  const special = Object.hasOwn(row.serviceTiers, serviceTier) ? row.serviceTiers[serviceTier] : undefined;
  if (special) return { rates: { ...rates, ...set(special.rates) }, known: true };
  return { rates, known: CHEAPER.has(serviceTier) };
}

/** Only what a tier names replaces the row's own. */
function set(rates: Rates): Rates {
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== null && rate !== undefined));
}

/** A rate as femto-USD per token: USD per million tokens with nine fraction digits is a whole number of them. */
export function perToken(rate: string): Femto {
  return BigInt(nanoFromUsd(rate, "rate"));
}

/** A rate as femto-USD per piece. */
export function perPiece(rate: string): Femto {
  return femtoFromNano(nanoFromUsd(rate, "rate"));
}

/** The dearest of some classes' rates, per token; zero where none has one. */
export function dearest(rates: Rates, classes: readonly RateClass[]): Femto {
  let most = 0n;
  for (const name of classes) {
    const rate = rates[name];
    if (rate === null || rate === undefined) continue;
    const femto = perToken(rate);
    if (femto > most) most = femto;
  }
  return most;
}
