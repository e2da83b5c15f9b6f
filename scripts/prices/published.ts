import type { Rates } from "../../src/models/contract.ts";

/**
 * Prices as the vendors' own pages state them, read by hand in stored copies of the pages: the second source, against which the
 * borrowed table is held. Where the two disagree the build fails until a correction says which is right and why.
 */

/** One model's list price on a page. */
export interface Reading {
  readonly page: string;
  /** The day for which it was stated; the row in force then is the one that must agree. */
  readonly on: string;
  readonly rates: Rates;
  /** Above a length of the prompt. */
  readonly long?: { readonly above: number; readonly rates: Rates };
}

const OPENAI = "developers.openai.com/api/docs/pricing";
const CLAUDE = "platform.claude.com/docs/en/about-claude/pricing";
const READ = "2026-11-21";

const openai = (input: string, cache_read: string | null, output: string): Reading => ({
  page: OPENAI,
  on: READ,
  rates: { input, ...(cache_read === null ? {} : { cache_read }), output },
});

/** OpenAI since GPT-5.6: writing to the cache costs as well, and a long prompt makes the whole request dearer. */
const written = (
  prices: readonly [string, string, string, string],
  long: readonly [string, string, string, string],
  above: number,
): Reading => ({
  page: OPENAI,
  on: READ,
  rates: { input: prices[0], cache_read: prices[1], cache_write_5m: prices[2], output: prices[3] },
  long: { above, rates: { input: long[0], cache_read: long[1], cache_write_5m: long[2], output: long[3] } },
});

const claude = (input: string, cache_write_5m: string, cache_write_1h: string, cache_read: string, output: string): Reading => ({
  page: CLAUDE,
  on: READ,
  rates: { input, cache_write_5m, cache_write_1h, cache_read, output },
});

/** By provider and model. */
export const PUBLISHED: Readonly<Record<string, Reading>> = {
  "openai/gpt-6-astra": written(["10", "1", "12.5", "50"], ["20", "2", "25", "75"], 272_000),
  "openai/gpt-6-sol": written(["2", "0.2", "2.5", "10"], ["4", "0.4", "5", "15"], 272_000),
  "openai/gpt-6-luna": written(["0.1", "0.01", "0.125", "0.5"], ["0.2", "0.02", "0.25", "0.75"], 272_000),
  "openai/gpt-6.1-sol": written(["2", "0.1", "2.5", "10"], ["4", "0.2", "5", "15"], 272_000),
  "openai/gpt-5.6-sol": written(["4", "0.4", "5", "20"], ["8", "0.8", "10", "30"], 272_000),
  "openai/gpt-5.6-terra": written(["2", "0.2", "2.5", "12"], ["4", "0.4", "5", "18"], 272_000),
  "openai/gpt-5.6-luna": written(["0.2", "0.02", "0.25", "1.2"], ["0.4", "0.04", "0.5", "1.8"], 272_000),
  "openai/gpt-5.5": openai("5", "0.5", "30"),
  "openai/gpt-5.5-pro": openai("30", null, "180"),
  "openai/gpt-5.4": openai("2.5", "0.25", "15"),
  "openai/gpt-5.4-mini": openai("0.75", "0.075", "4.5"),
  "openai/gpt-5.4-nano": openai("0.2", "0.02", "1.25"),
  "openai/gpt-5.2": openai("1.75", "0.175", "14"),
  "openai/gpt-5.1": openai("1.25", "0.125", "10"),
  "openai/gpt-5": openai("1.25", "0.125", "10"),
  "openai/gpt-5-mini": openai("0.25", "0.025", "2"),
  "openai/gpt-5-nano": openai("0.05", "0.005", "0.4"),
  "openai/gpt-5-search-api": openai("1.25", "0.125", "10"),
  "openai/gpt-4.1": openai("2", "0.5", "8"),
  "openai/gpt-4.1-mini": openai("0.4", "0.1", "1.6"),
  "openai/gpt-4.1-nano": openai("0.1", "0.025", "0.4"),
  "openai/gpt-4o": openai("2.5", "1.25", "10"),
  "openai/gpt-4o-mini": openai("0.15", "0.075", "0.6"),
  "openai/o3": openai("2", "0.5", "8"),
  "openai/o4-mini": openai("1.1", "0.275", "4.4"),
  "openai/o1": openai("15", "7.5", "60"),
  "anthropic/claude-fable-5-2": claude("8", "10", "16", "0.2", "40"),
  "anthropic/claude-fable-5-1": claude("10", "12.5", "20", "0.25", "50"),
  "anthropic/claude-fable-5": claude("10", "12.5", "20", "1", "50"),
  "anthropic/claude-opus-5-5": claude("4", "5", "8", "0.2", "20"),
  "anthropic/claude-opus-5": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-8": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-7": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-6": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-5": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-1": claude("15", "18.75", "30", "1.5", "75"),
  "anthropic/claude-opus-4-0": claude("15", "18.75", "30", "1.5", "75"),
  "anthropic/claude-sonnet-5-5": claude("2", "2.5", "4", "0.1", "10"),
  "anthropic/claude-sonnet-5": claude("2", "2.5", "4", "0.2", "10"),
  "anthropic/claude-sonnet-4-6": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-sonnet-4-5": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-sonnet-4-0": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-3-7-sonnet-latest": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-haiku-5-5": {
    ...claude("0.1", "0.125", "0.2", "0.01", "0.5"),
    long: { above: 100_000, rates: { input: "0.5", cache_write_5m: "0.625", cache_write_1h: "1", cache_read: "0.05", output: "2.5" } },
  },
  "anthropic/claude-haiku-4-5": claude("1", "1.25", "2", "0.1", "5"),
  "anthropic/claude-3-5-haiku-latest": claude("0.8", "1", "1.6", "0.08", "4"),
  "anthropic/claude-3-opus-latest": claude("15", "18.75", "30", "1.5", "75"),
  "anthropic/claude-3-haiku": claude("0.25", "0.3", "0.5", "0.03", "1.25"),
};

/** Where the borrowed table is wrong: what holds instead, and how that is known. */
export interface Correction {
  readonly why: string;
  /** Where that stands, in place of the borrowed source. */
  readonly source?: string;
  /** The threshold of the long-context tier; replaces the borrowed one. */
  readonly above?: number;
  readonly rates?: Rates;
}

/** One token apart, but a whole request's price. */
const MORE_THAN: Correction = {
  above: 272_000,
  why: "the model's own page (developers.openai.com/api/docs/models) says that prompts of more than 272K input tokens are dearer; the borrowed table reads '<272K' at the head of a column of the price list, and begins at exactly 272,000",
};

/** By provider and model. */
export const CORRECTIONS: Readonly<Record<string, Correction>> = {
  "openai/gpt-6-astra": MORE_THAN,
  "openai/gpt-5.6-sol": MORE_THAN,
  "openai/gpt-5.6-terra": MORE_THAN,
  "openai/gpt-5.6-luna": MORE_THAN,
};
