import { inputTokens, type Usage, usdFromFemto } from "#core";
import type { Price, RateClass, Rates, Receipt, ReceiptLine } from "./contract.ts";
import { perPiece, perToken, ratesFor, standInFor, WEB_SEARCH } from "./rates.ts";

const MILLION = 1_000_000;
/** For a picture of unknown price: several times what vendors list for a large one of high quality. */
const IMAGE = "1";
const NOTHING = "0";

/** A quantity to be priced, and the rate that its class has. */
interface Item {
  readonly class: RateClass;
  readonly quantity: number;
  readonly rate: string | null;
  readonly per: 1 | 1_000_000;
}

/**
 * The exact arithmetic of one call. A class without a rate of its own is charged at the dearest of its side and makes the receipt
 * `unknown`; nothing used is ever silently free.
 */
export function receipt(price: Price, usage: Usage, serviceTier: string | null, tableHash: string): Receipt {
  const { rates, known } = ratesFor(price.row, inputTokens(usage), serviceTier);
  const free = price.state === "free";
  const items = itemsOf(usage, rates).filter(({ quantity }) => quantity > 0);
  const lines: ReceiptLine[] = [];
  let total = 0n;
  for (const { class: name, quantity, rate, per } of items) {
    const charged = free ? NOTHING : (rate ?? standIn(name, rates));
    const femto = BigInt(quantity) * (per === 1 ? perPiece(charged) : perToken(charged));
    total += femto;
    lines.push({ class: name, quantity, rate: charged, per, usd: usdFromFemto(femto) });
  }
  const complete = free || (known && items.every(({ rate }) => rate !== null));
  return { price: price.row, tableHash, state: complete ? price.state : "unknown", serviceTier, lines, total, usage };
}

function itemsOf(usage: Usage, rates: Rates): Item[] {
  const of = (name: RateClass) => rates[name] ?? null;
  const tokens = (name: RateClass, quantity: number, rate = of(name)): Item => ({ class: name, quantity, rate, per: MILLION });
  const reasoning = of("reasoning") === null ? 0 : Math.min(usage.reasoning, usage.output);
  return [
    tokens("input", usage.input),
    tokens("cache_read", usage.cacheRead, of("cache_read") ?? of("input")),
    tokens("cache_write_5m", usage.cacheWrite5m),
    tokens("cache_write_1h", usage.cacheWrite1h),
    tokens("output", usage.output - reasoning),
    tokens("reasoning", reasoning),
    tokens("audio_input", usage.audioInput),
    tokens("audio_output", usage.audioOutput),
    { class: "image", quantity: usage.images, rate: of("image"), per: 1 },
    { class: "web_search", quantity: usage.webSearches, rate: of("web_search"), per: 1 },
  ];
}

function standIn(name: RateClass, rates: Rates): string {
  if (name === "web_search") return WEB_SEARCH;
  return name === "image" ? IMAGE : standInFor(name, rates);
}
