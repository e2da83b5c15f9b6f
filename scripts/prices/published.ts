import type { Rates } from "../../src/models/contract.ts";

/**
 * Prices as the vendors' own pages state them: the second source, against which the borrowed table is held. All were read on 2026-11-21,
 * by hand, in copies of the pages, and each is held against the row of a day for which its copy speaks; where no copy was found,
 * `by` says who tells what stands on the page. Where the two sources disagree the build fails until a correction says which is right
 * and why.
 */

/** One model's list price on a page. */
export interface Reading {
  readonly page: string;
  /** Who tells what the page says, where no copy of it was found; what is told is a second opinion and no reading. */
  readonly by?: string;
  /** A day on which the price stood; the row in force then is the one that must agree. */
  readonly on: string;
  readonly rates: Rates;
  /** Above a length of the prompt. */
  readonly long?: { readonly above: number; readonly rates: Rates };
}

const OPENAI = "developers.openai.com/api/docs/pricing";
const CLAUDE = "platform.claude.com/docs/en/about-claude/pricing";
const CLAUDE_MODELS = "platform.claude.com/docs/en/models";

/** As the copy of 2026-07-15 in github.com/piercecohen1/openai-docs at de09146 has it. */
const openai = (input: string, cache_read: string | null, output: string): Reading => ({
  page: OPENAI,
  on: "2026-07-15",
  rates: { input, ...(cache_read === null ? {} : { cache_read }), output },
});

/** Of GPT-5.6 and GPT-6 Astra a copy of developers.openai.com/zh-Hans/api/docs/models has input and output; the rest is told. */
const TOLD = "docs.litellm.ai/blog, github.com/BerriAI/litellm/discussions/42523, and readers of the page in the sources of other projects";

/** OpenAI since GPT-5.6: writing to the cache costs as well, and a long prompt makes the whole request dearer. */
const written = (
  prices: readonly [string, string, string, string],
  long: readonly [string, string, string, string],
  above: number,
): Reading => ({
  page: OPENAI,
  by: TOLD,
  on: "2026-10-13",
  rates: { input: prices[0], cache_read: prices[1], cache_write_5m: prices[2], output: prices[3] },
  long: { above, rates: { input: long[0], cache_read: long[1], cache_write_5m: long[2], output: long[3] } },
});

const claudeRates = (input: string, cache_write_5m: string, cache_write_1h: string, cache_read: string, output: string): Rates => ({
  input,
  cache_write_5m,
  cache_write_1h,
  cache_read,
  output,
});

/** As the copy of 2026-08-21 in github.com/JokerRun/claude-docs-sitemap at 9a8a27c has it. */
const claude = (...rates: Parameters<typeof claudeRates>): Reading => ({ page: CLAUDE, on: "2026-08-21", rates: claudeRates(...rates) });

/** Models that the page dropped, as an undated copy of it has them that lists Sonnet 4.6 as the newest. */
const earlier = (...rates: Parameters<typeof claudeRates>): Reading => ({
  page: "platform.claude.com/docs/en/docs/about-claude/pricing",
  on: "2026-03-01",
  rates: claudeRates(...rates),
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
  "openai/gpt-4.1": openai("2", "0.5", "8"),
  "openai/gpt-4.1-mini": openai("0.4", "0.1", "1.6"),
  "openai/gpt-4.1-nano": openai("0.1", "0.025", "0.4"),
  "openai/gpt-4o": openai("2.5", "1.25", "10"),
  "openai/gpt-4o-mini": openai("0.15", "0.075", "0.6"),
  "openai/o3": openai("2", "0.5", "8"),
  "openai/o4-mini": openai("1.1", "0.275", "4.4"),
  "openai/o1": openai("15", "7.5", "60"),
  "anthropic/claude-fable-5-2": {
    page: CLAUDE,
    by: "docs.laozhang.ai/en/announcements/claude-fable-5-2-2026-11",
    on: "2026-11-10",
    rates: { input: "8", output: "40" },
  },
  // In an undated copy of the page in Chinese that lists no Opus 5.5.
  "anthropic/claude-fable-5-1": {
    page: "platform.claude.com/docs/zh-CN/about-claude/pricing",
    on: "2026-09-10",
    rates: claudeRates("10", "12.5", "20", "0.25", "50"),
  },
  "anthropic/claude-fable-5": claude("10", "12.5", "20", "1", "50"),
  // Input and output stand in copies of other models' pages, which compare it.
  "anthropic/claude-opus-5-5": {
    page: `${CLAUDE_MODELS}/opus-5-5/overview`,
    by: "docs.litellm.ai/blog/claude_opus_5_5",
    on: "2026-10-07",
    rates: claudeRates("4", "5", "8", "0.2", "20"),
  },
  "anthropic/claude-opus-5": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-8": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-7": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-6": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-5": claude("5", "6.25", "10", "0.5", "25"),
  "anthropic/claude-opus-4-1": claude("15", "18.75", "30", "1.5", "75"),
  "anthropic/claude-opus-4-0": claude("15", "18.75", "30", "1.5", "75"),
  // In a copy of the page in Chinese, of before cached reads were halved.
  "anthropic/claude-sonnet-5-5": {
    page: `${CLAUDE_MODELS}/sonnet-5-5/overview`,
    on: "2026-10-01",
    rates: claudeRates("2", "2.5", "4", "0.2", "10"),
  },
  "anthropic/claude-sonnet-5": claude("2", "2.5", "4", "0.2", "10"),
  "anthropic/claude-sonnet-4-6": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-sonnet-4-5": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-sonnet-4-0": claude("3", "3.75", "6", "0.3", "15"),
  "anthropic/claude-3-7-sonnet-latest": earlier("3", "3.75", "6", "0.3", "15"),
  // In an excerpt of the page, which ends before cached reads.
  "anthropic/claude-haiku-5-5": {
    page: `${CLAUDE_MODELS}/haiku-5-5/overview`,
    on: "2026-10-07",
    rates: { input: "0.1", cache_write_5m: "0.125", cache_write_1h: "0.2", output: "0.5" },
    long: { above: 100_000, rates: { input: "0.5", cache_write_5m: "0.625", output: "2.5" } },
  },
  "anthropic/claude-haiku-4-5": claude("1", "1.25", "2", "0.1", "5"),
  "anthropic/claude-3-5-haiku-latest": claude("0.8", "1", "1.6", "0.08", "4"),
  "anthropic/claude-3-opus-latest": earlier("15", "18.75", "30", "1.5", "75"),
  "anthropic/claude-3-haiku": earlier("0.25", "0.3", "0.5", "0.03", "1.25"),
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
  why: "OpenAI's guide to upgrading (developers.openai.com/api/docs/guides/upgrading-to-gpt-5p6-sol, copy of 2026-07-15) says that requests above 272K input tokens are dearer, and so is told of the models since; the borrowed table reads '<272K' in the price list, and begins at exactly 272,000",
};

/** By provider and model. */
export const CORRECTIONS: Readonly<Record<string, Correction>> = {
  "openai/gpt-6-astra": MORE_THAN,
  "openai/gpt-5.6-sol": MORE_THAN,
  "openai/gpt-5.6-terra": MORE_THAN,
  "openai/gpt-5.6-luna": MORE_THAN,
};
