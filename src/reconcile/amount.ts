import type { Femto } from "#core";

const DECIMAL = /^(-?)(\d{1,15})(?:\.(\d{1,40}))?$/;
/** A double tells fifteen decimal digits faithfully; what it shows beyond them is noise of somebody's addition. */
const DOUBLE_DIGITS = 15;
const FEMTO_DIGITS = 15;

/**
 * A vendor's amount in femto-units: decimal text as it stands, or a JSON number to the digits that a double holds. Credits are
 * negative. Digits beyond the fifteenth of the fraction are rounded. Null for what is no amount.
 */
export function amountOf(value: unknown): Femto | null {
  if (typeof value === "number") return Number.isFinite(value) && Math.abs(value) < 1e15 ? decimal(plain(value)) : null;
  return typeof value === "string" ? decimal(value.trim()) : null;
}

/** An amount told in hundredths of the unit. */
export function amountOfCents(value: unknown): Femto | null {
  const amount = amountOf(value);
  return amount === null ? null : rounded(amount, 100n);
}

function decimal(text: string): Femto | null {
  const match = DECIMAL.exec(text);
  if (!match) return null;
  const [, sign, whole = "", fraction = ""] = match;
  const digits = BigInt(whole + fraction.padEnd(FEMTO_DIGITS, "0"));
  const amount = rounded(digits, 10n ** BigInt(Math.max(0, fraction.length - FEMTO_DIGITS)));
  return sign === "-" ? -amount : amount;
}

/** Divides, and rounds half away from zero. */
function rounded(units: bigint, by: bigint): bigint {
  const half = units < 0n ? -by / 2n : by / 2n;
  return (units + half) / by;
}

/** A double as plain decimal text without its noise and without an exponent. */
function plain(value: number): string {
  const faithful = Number(value.toPrecision(DOUBLE_DIGITS));
  const text = String(faithful);
  return text.includes("e") ? faithful.toFixed(20) : text;
}
