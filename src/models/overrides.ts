import type { PriceRow } from "./contract.ts";

/** What the borrowed table lacks. Each fact names its source. */

const CHECKED_AT = Date.parse("2026-11-21");

/**
 * The most output tokens a model gives, where its vendor's model page says so (platform.openai.com/docs/models,
 * docs.claude.com/en/docs/about-claude/models, read 2026-11-21). A cap above it would be refused by the vendor.
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
  "tollgate/echo": 128_000,
  "tollgate/slow": 128_000,
};

function fictional(model: string): PriceRow {
  return {
    id: `table:tollgate/${model}`,
    provider: "tollgate",
    model,
    aliases: [],
    state: "priced",
    scope: { kind: "deployment", id: "" },
    effectiveFrom: 0,
    effectiveTo: null,
    rates: { input: "0.15", cache_read: "0.075", output: "0.6" },
    tiers: [],
    serviceTiers: {},
    source: "fictional: the built-in provider costs nobody anything; the rates let budgets be tried",
    checkedAt: CHECKED_AT,
    contextTokens: 128_000,
    maxOutputTokens: 128_000,
  };
}

/** Rows of the built-in provider, and the one that makes every model of a local Ollama free. */
export const BUILT_IN: readonly PriceRow[] = [fictional("echo"), fictional("slow")];

/** Models that run on the operator's own machine: explicitly free, whatever their name. */
export const OLLAMA: PriceRow = {
  ...fictional("*"),
  id: "table:ollama/*",
  provider: "ollama",
  state: "free",
  rates: {},
  source: "models of a local Ollama are billed by nobody",
  contextTokens: null,
  maxOutputTokens: null,
};
