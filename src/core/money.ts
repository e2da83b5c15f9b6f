import { TollgateError } from "./errors.ts";

/**
 * Money in three exact forms. `Femto` (10^-15 USD, bigint) is what arithmetic uses: a rate of USD per million tokens with
 * nine fraction digits is a whole number of femto-USD per token. `Nano` (10^-9 USD, a safe integer, rounded up) is what
 * counters hold, since Durable Object SQL refuses bigint. A decimal string is what people and records see.
 */
export type Femto = bigint;
export type Nano = number;

const FEMTO_PER_NANO = 1_000_000n;
const FEMTO_DIGITS = 15;
const NANO_DIGITS = 9;

/** The largest amount a counter can hold: 2^53 - 1 nano-USD, about 9.007 million USD. */
export const NANO_MAX: Nano = Number.MAX_SAFE_INTEGER;

const DECIMAL = /^(0|[1-9]\d{0,15})(?:\.(\d{1,15}))?$/;

/** Parses a plain non-negative decimal (no sign, no exponent) of at most `digits` fraction digits into 10^-digits units; null if it is none. */
export function parseDecimal(text: string, digits: number): bigint | null {
  const match = DECIMAL.exec(text);
  if (!match) return null;
  const fraction = match[2] ?? "";
  if (fraction.length > digits) return null;
  return BigInt(match[1]! + fraction.padEnd(digits, "0"));
}

/** Shortest exact decimal of `units` of 10^-digits: no exponent, no trailing zeros. */
export function formatDecimal(units: bigint, digits: number): string {
  const sign = units < 0n ? "-" : "";
  const text = (units < 0n ? -units : units).toString().padStart(digits + 1, "0");
  const fraction = text.slice(-digits).replace(/0+$/, "");
  return `${sign}${text.slice(0, -digits)}${fraction && `.${fraction}`}`;
}

/** A JSON number as the plain decimal a person would have typed; exponents are spelled out so that 1e-9 is accepted. */
function plainDecimal(value: number): string {
  const text = String(value);
  return /e-/.test(text) ? value.toFixed(20).replace(/0+$/, "") : text;
}

/**
 * Reads an amount given as decimal string or JSON number, at most nine fraction digits, at most `NANO_MAX`.
 * @throws TollgateError `invalid_request` naming `param`.
 */
export function nanoFromUsd(value: string | number, param: string): Nano {
  const nano = parseDecimal(typeof value === "number" ? plainDecimal(value) : value, NANO_DIGITS);
  if (nano === null) {
    throw new TollgateError("invalid_request", `${param} must be a non-negative amount in USD with at most 9 fraction digits`, { param });
  }
  if (nano > BigInt(NANO_MAX)) {
    throw new TollgateError("invalid_request", `${param} must be at most 9007199.254740991 USD`, { param });
  }
  return Number(nano);
}

/** USD text of a counter: `7200` is `"0.0000072"`. */
export function usdFromNano(nano: Nano): string {
  return formatDecimal(BigInt(nano), NANO_DIGITS);
}

/** Exact USD text of an arithmetic result. */
export function usdFromFemto(femto: Femto): string {
  return formatDecimal(femto, FEMTO_DIGITS);
}

/** Exact inverse of `usdFromFemto`. @throws RangeError on text that it cannot have written. */
export function femtoFromUsd(usd: string): Femto {
  const femto = parseDecimal(usd, FEMTO_DIGITS);
  if (femto === null) throw new RangeError("not an exact USD amount");
  return femto;
}

/** Rounds up to a counter's unit: a counter never shows less than what was spent. Saturates at `NANO_MAX`. */
export function nanoCeil(femto: Femto): Nano {
  const nano = (femto + FEMTO_PER_NANO - 1n) / FEMTO_PER_NANO;
  return nano > BigInt(NANO_MAX) ? NANO_MAX : Number(nano);
}

/** A counter's amount in arithmetic's unit. */
export function femtoFromNano(nano: Nano): Femto {
  return BigInt(nano) * FEMTO_PER_NANO;
}
