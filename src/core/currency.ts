import { formatDecimal, parseDecimal } from "./money.ts";

/** A currency that amounts are shown in beside USD. It is for reading only: what is stored, compared or billed is USD. */
export interface Currency {
  /** ISO 4217: `EUR`. */
  readonly code: string;
  /** Units of it for one USD, as an exact decimal of at most nine fraction digits. */
  readonly rate: string;
  /** The day of the rate: `2026-11-20`. */
  readonly date: string;
}

const USD_DIGITS = 15;
const RATE_DIGITS = 9;

/**
 * An amount of USD in another currency: the exact product, not rounded.
 * @throws RangeError on text that is no exact amount, or no rate.
 */
export function inCurrency(usd: string, { rate }: Currency): string {
  const [amount, factor] = [parseDecimal(usd, USD_DIGITS), parseDecimal(rate, RATE_DIGITS)];
  if (amount === null || factor === null) throw new RangeError("not an exact amount, or not a rate");
  return formatDecimal(amount * factor, USD_DIGITS + RATE_DIGITS);
}
