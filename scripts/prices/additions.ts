import type { Rates } from "../../src/models/contract.ts";
import type { CompactRow } from "../../src/models/table.ts";

/** What the borrowed table lacks: the newest models, what is billed by the piece, and tiers that multiply the standard rates. */

const OPENAI_MODELS = "developers.openai.com/api/docs/models";
const OPENAI_PRICES = "developers.openai.com/api/docs/pricing";
const CLAUDE_MODELS = "platform.claude.com/docs/en/models";

const LARGE_LATEST = {
  p: "mistral",
  m: "mistral-large-latest",
  src: "mistral.ai/pricing, as github.com/simonw/llm-prices/pull/63 of 2026-06-17 and github.com/robhunter/agentdeals/pull/1375 of 2026-09-05 tell it; cached reads as the borrowed table has those of mistral-large-2512",
} as const;

const SONNET_5_5 = {
  p: "anthropic",
  m: "claude-sonnet-5-5",
  c: 1_000_000,
  o: 128_000,
  src: `${CLAUDE_MODELS}/sonnet-5-5/overview`,
} as const;
const sonnet = (cache_read: string): Rates => ({
  input: "2",
  cache_read,
  cache_write_5m: "2.5",
  cache_write_1h: "4",
  output: "10",
  web_search: "0.01",
});

/** What GPT Image 2.5 and 2.6 cost, each the same. */
const drawn = (m: string, ...a: string[]): CompactRow => ({
  p: "openai",
  m,
  ...(a.length > 0 ? { a } : {}),
  r: { input: "5", cache_read: "1.25", output: "30", image_input: "8" },
  src: `${OPENAI_MODELS}/gpt-image-2.6-sunburst (copy in German), and docs.apiyi.com/en/live of 2026-09-09 and 2026-11-05, which tell the same of all four`,
});
const spoken = (m: string, character: string): CompactRow => ({ p: "openai", m, r: { character }, src: `${OPENAI_MODELS}/tts-1` });
const ranked = (m: string, ranking: string): CompactRow => ({
  p: "cohere",
  m,
  r: { ranking },
  src: "cohere.com/pricing, as developer.puter.com/tutorials/cohere-api-pricing of June 2026 tells it; the page itself names no price since",
});

/** Models that the borrowed table does not know, or knows only as another name of one with another price. */
export const MODELS: readonly CompactRow[] = [
  {
    p: "openai",
    m: "gpt-6.1-sol",
    c: 1_050_000,
    o: 128_000,
    r: { input: "2", cache_read: "0.1", cache_write_5m: "2.5", output: "10", web_search: "0.01", file_search: "0.0025" },
    t: [{ above: 272_000, r: { input: "4", cache_read: "0.2", cache_write_5m: "5", output: "15" } }],
    src: `${OPENAI_MODELS}/gpt-6.1-sol, as docs.litellm.ai/blog/gpt_6_1_sol and wavespeed.ai/llm/openai/gpt-6.1-sol tell it`,
  },
  {
    p: "openai",
    m: "gpt-5-search-api",
    r: { input: "1.25", cache_read: "0.125", output: "10", web_search: "0.01" },
    src: `${OPENAI_PRICES}, not compared`,
  },
  {
    p: "openai",
    m: "gpt-4o-mini-search-preview",
    c: 128_000,
    r: { input: "0.15", output: "0.6", web_search: "0.025" },
    src: `${OPENAI_PRICES} of 2026-07-15 for searches; tokens not compared`,
  },
  {
    p: "anthropic",
    m: "claude-fable-5-2",
    c: 1_000_000,
    o: 128_000,
    r: { input: "8", cache_read: "0.2", cache_write_5m: "10", cache_write_1h: "16", output: "40", web_search: "0.01" },
    src: `${CLAUDE_MODELS}/fable-5-2/overview, input and output as docs.laozhang.ai tells them; the cache not compared`,
  },
  // The price of cached reads was halved when Haiku 5.5 came, as the release notes of github.com/TheKrush/PromptFuel tell it.
  { ...SONNET_5_5, to: "2026-10-07", r: sonnet("0.2") },
  { ...SONNET_5_5, from: "2026-10-07", r: sonnet("0.1") },
  {
    p: "anthropic",
    m: "claude-haiku-5-5",
    c: 1_000_000,
    o: 128_000,
    r: { input: "0.1", cache_read: "0.01", cache_write_5m: "0.125", cache_write_1h: "0.2", output: "0.5", web_search: "0.01" },
    t: [{ above: 100_000, r: { input: "0.5", cache_read: "0.05", cache_write_5m: "0.625", cache_write_1h: "1", output: "2.5" } }],
    src: `${CLAUDE_MODELS}/haiku-5-5/overview`,
  },
  drawn("gpt-image-2.5-flare", "gpt-image-2.5-flare-2026-09-08"),
  drawn("gpt-image-2.5-sunburst", "gpt-image-2.5-sunburst-2026-09-08"),
  drawn("gpt-image-2.6-flare"),
  drawn("gpt-image-2.6-sunburst"),
  spoken("tts-1", "15"),
  spoken("tts-1-hd", "30"),
  {
    p: "openai",
    m: "omni-moderation-latest",
    a: ["omni-moderation-2024-09-26"],
    r: { input: "0" },
    src: `${OPENAI_MODELS}/omni-moderation-latest: a free model`,
  },
  ranked("rerank-v4.0-fast", "0.002"),
  ranked("rerank-v4.0-pro", "0.0025"),
  // The name went over to Large 3 on the day that it came out; Large 4, since October 2026, is called by its own name only.
  { ...LARGE_LATEST, to: "2025-12-02", r: { input: "2", output: "6" } },
  { ...LARGE_LATEST, from: "2025-12-02", c: 262_144, r: { input: "0.5", cache_read: "0.05", output: "1.5" } },
];

/** What calls of hosted tools cost, and other things that the borrowed table leaves out, by model or by all of a provider's. */
export const PIECES: Readonly<Record<string, { readonly rates: Rates; readonly source: string; readonly of?: string }>> = {
  // The search of models that do not reason, with what it found: 25 USD per 1,000.
  "openai/gpt-4o-search-preview": { rates: { web_search: "0.025" }, source: OPENAI_PRICES },
  // The borrowed table has the sound that it makes as output.
  "openai/gpt-4o-mini-tts": { rates: { audio_output: "12" }, source: `${OPENAI_MODELS}/gpt-4o-mini-tts, not compared`, of: "audio" },
  // Searches of the web and of posts alike 5 USD per 1,000, which answers of 2026-08-24 with xAI's own bill confirm; of collections
  // 2.50, which was not compared.
  "xai/*": { rates: { web_search: "0.005", file_search: "0.0025" }, source: "docs.x.ai/developers/pricing" },
};

/** By how much a tier multiplies the rates of tokens, whatever the length of the prompt. */
type Factors = Readonly<Record<string, string>>;

const OPENAI_TIERS: Factors = { flex: "0.5", batch: "0.5", priority: "2", fast: "2" };
/** Anthropic's discount for batches holds for every model; where a model ran costs a tenth more since Opus 4.6; both multiply. */
const BATCH: Factors = { batch: "0.5" };
const US: Factors = { ...BATCH, us: "1.1", "batch+us": "0.55" };
const fast = (by: string, both: string): Factors => ({ ...US, fast: by, "fast+us": both });

/** Where `FACTORS` was read. */
export const FACTORS_SOURCE: Readonly<Record<string, string>> = {
  openai: "service tiers: developers.openai.com/api/docs/pricing of 2026-07-15; that of later models as of GPT-5.6",
  anthropic:
    "batches, speed and place: platform.claude.com/docs/en/about-claude/pricing of 2026-08-21, build-with-claude/fast-mode and data-residency; Opus 5.5's speed as docs.litellm.ai tells it",
};

/** By provider and model. */
export const FACTORS: Readonly<Record<string, Factors>> = {
  "openai/gpt-5.6-sol": OPENAI_TIERS,
  "openai/gpt-5.6-terra": OPENAI_TIERS,
  "openai/gpt-5.6-luna": OPENAI_TIERS,
  "openai/gpt-6-astra": OPENAI_TIERS,
  "openai/gpt-6-sol": OPENAI_TIERS,
  "openai/gpt-6-luna": OPENAI_TIERS,
  "openai/gpt-6.1-sol": OPENAI_TIERS,
  "anthropic/claude-3-haiku": BATCH,
  "anthropic/claude-3-5-haiku-latest": BATCH,
  "anthropic/claude-3-7-sonnet-latest": BATCH,
  "anthropic/claude-sonnet-4-0": BATCH,
  "anthropic/claude-sonnet-4-5": BATCH,
  "anthropic/claude-haiku-4-5": BATCH,
  "anthropic/claude-opus-4-0": BATCH,
  "anthropic/claude-opus-4-1": BATCH,
  "anthropic/claude-opus-4-5": BATCH,
  "anthropic/claude-opus-4-6": fast("6", "6.6"),
  "anthropic/claude-opus-4-7": US,
  "anthropic/claude-opus-4-8": fast("2", "2.2"),
  "anthropic/claude-opus-5": fast("2", "2.2"),
  "anthropic/claude-opus-5-5": fast("2", "2.2"),
  "anthropic/claude-sonnet-4-6": US,
  "anthropic/claude-sonnet-5": US,
  "anthropic/claude-sonnet-5-5": US,
  "anthropic/claude-haiku-5-5": US,
  "anthropic/claude-fable-5": US,
  "anthropic/claude-fable-5-1": US,
  "anthropic/claude-fable-5-2": US,
};
