import { inputTokens, type Usage, usdFromFemto } from "#core";
import type { Price, RateClass, Rates, Receipt, ReceiptLine } from "./contract.ts";
import { isPiece, perPiece, perToken, pieceStandIn, ratesFor, standInFor } from "./rates.ts";

const MILLION = 1_000_000;
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
  const pieces = (name: RateClass, quantity: number): Item => ({ class: name, quantity, rate: of(name), per: 1 });
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
    pieces("image", usage.images),
    pieces("web_search", usage.webSearches),
    pieces("file_search", usage.fileSearches),
    pieces("search_source", usage.searchSources),
    pieces("extra", usage.extras),
  ];
}

function standIn(name: RateClass, rates: Rates): string {
  return isPiece(name) ? pieceStandIn(name) : standInFor(name, rates);
}
