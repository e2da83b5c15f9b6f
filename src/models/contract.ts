import type { Femto, Nano, Usage } from "#core";

/** The classes a price row may rate: per million tokens or characters, and from `image` on by the piece. */
export const RATE_CLASSES = [
  "input",
  "cache_read",
  "cache_write_5m",
  "cache_write_1h",
  "output",
  "reasoning",
  "audio_input",
  "audio_output",
  "image_input",
  "image_output",
  "character",
  "image",
  "web_search",
  "file_search",
  "search_source",
  "extra",
  "second",
  "ranking",
] as const;
export type RateClass = (typeof RATE_CLASSES)[number];

/** USD per million tokens or characters (or per piece) as decimal text; null or absent means that the class has no rate of its own. */
export type Rates = Readonly<Partial<Record<RateClass, string | null>>>;

/** Rates by service tier, as the answer names it. Where several things set the price their names are joined: `fast+us`. */
type ServiceTiers = Readonly<Record<string, { readonly rates: Rates }>>;

/** One dated row of the price table or an override. Times are milliseconds UTC; `effectiveTo` is exclusive. */
export interface PriceRow {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly aliases: readonly string[];
  readonly state: "priced" | "free";
  readonly scope: { readonly kind: "deployment" | "team"; readonly id: string };
  readonly effectiveFrom: number;
  readonly effectiveTo: number | null;
  readonly rates: Rates;
  /** Ascending; the highest threshold that the input passes sets the rates it names, and those of a service tier where it has them. */
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rates: Rates; readonly serviceTiers?: ServiceTiers }[];
  readonly serviceTiers: ServiceTiers;
  readonly source: string;
  readonly checkedAt: number;
  /** Tokens; null where the source does not say. */
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
}

/** What the book says of a model at a time. `unknown` carries the provider's dearest row, which budgets are charged by. */
export interface Price {
  readonly state: "priced" | "free" | "unknown";
  readonly row: PriceRow;
}

/** One line of a receipt. Quantity times rate over `per` is `usd`, exactly. */
export interface ReceiptLine {
  readonly class: RateClass;
  readonly quantity: number;
  readonly rate: string;
  readonly per: 1 | 1_000_000;
  readonly usd: string;
}

/** The arithmetic of one call: the lines' sum is `total`, string-equal once formatted. */
export interface Receipt {
  readonly price: PriceRow;
  readonly tableHash: string;
  readonly state: "priced" | "free" | "unknown";
  readonly serviceTier: string | null;
  readonly lines: readonly ReceiptLine[];
  readonly total: Femto;
  readonly usage: Usage;
}

/** What a request may cost, in the ledger's three units. */
export interface Amount {
  readonly nano: Nano;
  readonly tokens: number;
  readonly requests: number;
}

/** What is known of a request before it is sent. */
export interface Load {
  readonly promptBytes: number;
  /** Tokens of the prompt by an estimate that is seldom under. */
  readonly likelyInput: number;
  /** The prompt holds what its bytes do not bound. */
  readonly uncountable: boolean;
  /** Tools are offered: providers add hidden instructions for them. */
  readonly tools: boolean;
  /** The client's own cap; null where it set none. */
  readonly maxOutput: number | null;
  readonly choices: number;
  readonly hasOutput: boolean;
  /** The tier that was asked for, null where the request names none; absent where nobody looked, and then it may be any. */
  readonly serviceTier?: string | null;
  /** What the operator says of the model, over what the table says. */
  readonly limits?: Limits | null;
}

/** How much a model takes and gives; null where it is not known. */
export interface Limits {
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
}

/** The three amounts of an admission, and what they stand for. */
export interface Bounds {
  readonly floor: Amount;
  readonly likely: Amount;
  readonly ceiling: Amount;
  /** Tokens that the input and all choices' outputs cannot pass. */
  readonly inputMax: number;
  readonly outputMax: number;
  readonly choices: number;
  /** Of the worst case: what the input costs, and each output token. */
  readonly inputFemto: Femto;
  readonly outputFemto: Femto;
}

/** A model of a provider: where a request goes. */
export interface Target {
  readonly provider: string;
  readonly model: string;
}
