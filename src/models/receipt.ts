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
 * `unknown`, which then says which class it is; nothing used is ever silently free.
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
  const doubts = free ? [] : doubtsOf(items, known ? null : serviceTier);
  const source = [price.row.source, ...doubts].join("; ");
  const state = doubts.length === 0 ? price.state : "unknown";
  return { price: { ...price.row, source }, tableHash, state, serviceTier, lines, total, usage };
}

const TIER_MAX = 64;

/** What the row does not say of a call, in words that stand in the receipt beside the row's source. */
function doubtsOf(items: readonly Item[], unknownTier: string | null): string[] {
  const unrated = items.filter(({ rate }) => rate === null).map(({ class: name }) => name);
  return [
    ...(unrated.length > 0 ? [`no rate for ${unrated.join(", ")}: what stands in is charged`] : []),
    ...(unknownTier === null
      ? []
      : [`no rates for service tier ${unknownTier.slice(0, TIER_MAX)} at this length: the dearest known are charged`]),
  ];
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
    tokens("image_input", usage.imageInput),
    tokens("image_output", usage.imageOutput, of("image_output") ?? of("output")),
    tokens("character", usage.characters),
    pieces("image", usage.images),
    pieces("web_search", usage.webSearches),
    pieces("file_search", usage.fileSearches),
    pieces("search_source", usage.searchSources),
    pieces("extra", usage.extras),
    pieces("second", usage.seconds),
    pieces("ranking", usage.rankings),
  ];
}

function standIn(name: RateClass, rates: Rates): string {
  return isPiece(name) ? pieceStandIn(name) : standInFor(name, rates);
}
