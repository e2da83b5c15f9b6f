const NUMBER = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/;

/** USD for one token as USD for a million, exactly; null for what is no price. */
export function perMillion(perToken: number): string | null {
  return shifted(perToken, 6);
}

/** USD as decimal text; null for what is no amount. */
export function usd(amount: number): string | null {
  return shifted(amount, 0);
}

/** A number as decimal text, its point so many places to the right; null for one that is negative. */
function shifted(number: number, places: number): string | null {
  const [, whole, fraction = "", exponent = "0"] = NUMBER.exec(String(number)) ?? [];
  if (whole === undefined) return null;
  const digits = `${whole}${fraction}`;
  const scale = fraction.length - Number(exponent) - places;
  const padded =
    scale <= 0 ? `${digits}${"0".repeat(-scale)}.` : digits.padStart(scale + 1, "0").replace(new RegExp(`(.{${scale}})$`), ".$1");
  const [before = "0", after = ""] = padded.split(".");
  const rest = after.replace(/0+$/, "");
  return `${before.replace(/^0+(?=\d)/, "")}${rest === "" ? "" : `.${rest}`}`;
}

const WINDOWS: Readonly<Record<string, string>> = {
  "1h": "hour",
  "60m": "hour",
  "3600s": "hour",
  "1d": "day",
  "24h": "day",
  "86400s": "day",
  "7d": "week",
  "1w": "week",
  "30d": "month",
  "1mo": "month",
};

/** The window of a budget whose length is told as LiteLLM does; without a length it never resets. Null for a length that no window has. */
export function windowOf(length: string | null): string | null {
  return length === null ? "total" : (WINDOWS[length] ?? null);
}
