import type { PriceRow, Rates } from "./contract.ts";
import type { CompactRow } from "./table.ts";

/** What the borrowed table lacks; the build step puts it into the table, so that the table's hash covers it. */

/** When the table was last held against its sources, which were read in copies of days before that. */
export const CHECKED_AT = "2026-11-21";

/**
 * The most output tokens a model gives; a cap above it would be refused by the vendor. Those of Claude 4.5 stand on
 * platform.claude.com/docs/en/about-claude/models/overview (copy of 2026-08-22); the others were not compared with a page.
 */
export const MAX_OUTPUT_TOKENS: Readonly<Record<string, number>> = {
  "openai/gpt-3.5-turbo": 4_096,
  "openai/gpt-4": 8_192,
  "openai/gpt-4-turbo": 4_096,
  "openai/gpt-4o": 16_384,
  "openai/gpt-4o-2024-05-13": 4_096,
  "openai/gpt-4o-mini": 16_384,
  "openai/gpt-4.1": 32_768,
  "openai/gpt-4.1-mini": 32_768,
  "openai/gpt-4.1-nano": 32_768,
  "openai/gpt-4.5-preview": 16_384,
  "openai/o1": 100_000,
  "openai/o1-mini": 65_536,
  "openai/o1-preview": 32_768,
  "openai/o1-pro": 100_000,
  "openai/o3": 100_000,
  "openai/o3-mini": 100_000,
  "openai/o3-pro": 100_000,
  "openai/o4-mini": 100_000,
  "anthropic/claude-3-haiku": 4_096,
  "anthropic/claude-3-opus-latest": 4_096,
  "anthropic/claude-3-sonnet": 4_096,
  "anthropic/claude-3-5-haiku-latest": 8_192,
  "anthropic/claude-3-5-sonnet": 8_192,
  "anthropic/claude-3-7-sonnet-latest": 128_000,
  "anthropic/claude-opus-4-0": 32_000,
  "anthropic/claude-opus-4-1": 32_000,
  "anthropic/claude-opus-4-5": 64_000,
  "anthropic/claude-sonnet-4-0": 64_000,
  "anthropic/claude-sonnet-4-5": 64_000,
  "anthropic/claude-haiku-4-5": 64_000,
};

/** Where `SERVICE_TIERS` was read: the vendor's page, and for GPT-5.3, which it does not list, another table. */
export const SERVICE_TIERS_SOURCE =
  "service tiers: developers.openai.com/api/docs/pricing of 2026-07-15 and, for GPT-5.3, github.com/BerriAI/litellm model_prices_and_context_window.json at 00035b69";

/** Rates of one model by service tier, beside the standard rates that stood when they were read. */
export interface ServiceTiers {
  /** Input and output. A row with other standard rates had another price then, and gets no tier from here; where no row has them, the build fails. */
  readonly standard: readonly [input: string, output: string];
  readonly flex?: Rates;
  readonly priority?: Rates;
}

const rates = (input: string, cache_read: string | null, output: string): Rates => ({
  input,
  ...(cache_read === null ? {} : { cache_read }),
  output,
});

/** OpenAI's flex (the batch rates) and priority tiers; the page rounds a half of o4-mini's cached reads. */
export const SERVICE_TIERS: Readonly<Record<string, ServiceTiers>> = {
  "openai/gpt-4.1": { standard: ["2", "8"], priority: rates("3.5", "0.875", "14") },
  "openai/gpt-4.1-mini": { standard: ["0.4", "1.6"], priority: rates("0.7", "0.175", "2.8") },
  "openai/gpt-4.1-nano": { standard: ["0.1", "0.4"], priority: rates("0.2", "0.05", "0.8") },
  "openai/gpt-4o": { standard: ["2.5", "10"], priority: rates("4.25", "2.125", "17") },
  "openai/gpt-4o-2024-05-13": { standard: ["5", "15"], priority: rates("8.75", null, "26.25") },
  "openai/gpt-4o-mini": { standard: ["0.15", "0.6"], priority: rates("0.25", "0.125", "1") },
  "openai/gpt-5": { standard: ["1.25", "10"], flex: rates("0.625", "0.0625", "5"), priority: rates("2.5", "0.25", "20") },
  "openai/gpt-5-mini": { standard: ["0.25", "2"], flex: rates("0.125", "0.0125", "1"), priority: rates("0.45", "0.045", "3.6") },
  "openai/gpt-5-nano": { standard: ["0.05", "0.4"], flex: rates("0.025", "0.0025", "0.2") },
  "openai/gpt-5.1": { standard: ["1.25", "10"], flex: rates("0.625", "0.0625", "5"), priority: rates("2.5", "0.25", "20") },
  "openai/gpt-5.2": { standard: ["1.75", "14"], flex: rates("0.875", "0.0875", "7"), priority: rates("3.5", "0.35", "28") },
  "openai/gpt-5.3": { standard: ["1.75", "14"], priority: rates("3.5", "0.35", "28") },
  "openai/gpt-5.3-codex": { standard: ["1.75", "14"], priority: rates("3.5", "0.35", "28") },
  "openai/gpt-5.4": { standard: ["2.5", "15"], flex: rates("1.25", "0.13", "7.5"), priority: rates("5", "0.5", "30") },
  "openai/gpt-5.4-mini": { standard: ["0.75", "4.5"], flex: rates("0.375", "0.0375", "2.25"), priority: rates("1.5", "0.15", "9") },
  "openai/gpt-5.4-nano": { standard: ["0.2", "1.25"], flex: rates("0.1", "0.01", "0.625") },
  "openai/gpt-5.4-pro": { standard: ["30", "180"], flex: rates("15", null, "90") },
  "openai/gpt-5.5": { standard: ["5", "30"], flex: rates("2.5", "0.25", "15"), priority: rates("12.5", "1.25", "75") },
  "openai/gpt-5.5-pro": { standard: ["30", "180"], flex: rates("15", null, "90") },
  "openai/o3": { standard: ["2", "8"], flex: rates("1", "0.25", "4"), priority: rates("3.5", "0.875", "14") },
  "openai/o4-mini": { standard: ["1.1", "4.4"], flex: rates("0.55", "0.1375", "2.2"), priority: rates("2", "0.5", "8") },
};

/**
 * Claude's one-hour cache writes cost this many times the input, as the five-minute ones cost 1.25 times
 * (platform.claude.com/docs/en/about-claude/pricing, copy of 2026-08-21). Fills in where the borrowed table has only the latter.
 */
export const CLAUDE_CACHE_WRITE_1H = 2;

/** Where the rates of `AUDIO` should stand; no copy of those pages was found to compare them with. */
export const AUDIO_SOURCE = "audio: developers.openai.com/api/docs/models, not compared";

/** Rates of audio, in and out, of models of which the borrowed table has those of text alone. */
export const AUDIO: Readonly<Record<string, readonly [input: string, output: string]>> = {
  "openai/gpt-4o-audio-preview": ["40", "80"],
  "openai/gpt-4o-mini-audio-preview": ["10", "20"],
};

const FICTIONAL = {
  p: "tollgate",
  c: 128_000,
  o: 128_000,
  r: { input: "0.15", cache_read: "0.075", output: "0.6" },
  src: "fictional: the built-in provider costs nobody anything; the rates let budgets be tried",
} as const;

/** Rows of the built-in provider, whose models also embed. */
export const BUILT_IN: readonly CompactRow[] = [
  { ...FICTIONAL, m: "echo" },
  { ...FICTIONAL, m: "slow" },
];

/** Models that run on the operator's own machine: explicitly free, whatever their name. */
export const OLLAMA: PriceRow = {
  id: "table:ollama/*",
  provider: "ollama",
  model: "*",
  aliases: [],
  state: "free",
  scope: { kind: "deployment", id: "" },
  effectiveFrom: 0,
  effectiveTo: null,
  rates: {},
  tiers: [],
  serviceTiers: {},
  source: "models of a local Ollama are billed by nobody",
  checkedAt: Date.parse(CHECKED_AT),
  contextTokens: null,
  maxOutputTokens: null,
};
