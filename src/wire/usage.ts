import { addUsage, type Fields, fieldsOf, NO_USAGE, type Usage } from "#core";

/** What providers report, turned into disjoint classes. What is no count (negative, fractional, absurd, text) counts as absent. */

/** The value where it is a count, else nought. */
export function count(value: unknown): number {
  return isCount(value) ? (value as number) : 0;
}

/** Whether a value can be a count of anything. */
export function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** More pieces than any one answer makes: a provider that claims more is not believed beyond. */
const PIECES_MAX = 1_000;

/** A count of things billed by the piece. */
export function pieces(value: unknown): number {
  return Math.min(count(value), PIECES_MAX);
}

/** One provider's names for the same four things. */
interface Names {
  readonly input: string;
  readonly output: string;
  readonly inputDetails: string;
  readonly outputDetails: string;
}

const CHAT: Names = {
  input: "prompt_tokens",
  output: "completion_tokens",
  inputDetails: "prompt_tokens_details",
  outputDetails: "completion_tokens_details",
};
const RESPONSES: Names = {
  input: "input_tokens",
  output: "output_tokens",
  inputDetails: "input_tokens_details",
  outputDetails: "output_tokens_details",
};

/**
 * OpenAI's families: cached reads, cache writes and audio stand inside the prompt's count, reasoning inside the output's. Billed
 * output is at least the total less the prompt, since some compatible providers leave reasoning out of the completion's count.
 * Writes that OpenAI keeps for twelve hours stand where other vendors' long ones do. xAI's live search is billed by the sources it
 * read, Mistral's audio by its seconds.
 */
function openai(value: unknown, names: Names): Usage | null {
  const usage = fieldsOf(value);
  if (!isCount(usage[names.input]) && !isCount(usage[names.output])) return null;
  const details = fieldsOf(usage[names.inputDetails]);
  const made = fieldsOf(usage[names.outputDetails]);
  const prompt = count(usage[names.input]);
  const cacheRead = Math.min(prompt, Math.max(count(details["cached_tokens"]), count(usage["prompt_cache_hit_tokens"])));
  const written = Math.min(prompt - cacheRead, count(details["cache_write_tokens"]));
  const cacheWrite1h = Math.min(written, count(fieldsOf(details["cache_write_tokens_details"])["ttl_12h_tokens"]));
  const audioInput = Math.min(prompt - cacheRead - written, count(details["audio_tokens"]));
  const billed = Math.max(count(usage[names.output]), count(usage["total_tokens"]) - prompt);
  const audioOutput = Math.min(billed, count(made["audio_tokens"]));
  const output = billed - audioOutput;
  return {
    ...NO_USAGE,
    input: prompt - cacheRead - written - audioInput,
    cacheRead,
    cacheWrite5m: written - cacheWrite1h,
    cacheWrite1h,
    audioInput,
    output,
    audioOutput,
    reasoning: Math.min(output, count(made["reasoning_tokens"])),
    searchSources: pieces(usage["num_sources_used"]),
    extras: pieces(usage["prompt_audio_seconds"]),
  };
}

/** Usage of Chat Completions, legacy completions and embeddings; null where there is none. */
export function chatUsage(value: unknown): Usage | null {
  return openai(value, CHAT);
}

/** Tokens of a Responses object; null where it reports none. */
export function responsesUsage(response: unknown): Usage | null {
  return openai(fieldsOf(response)["usage"], RESPONSES);
}

/**
 * Anthropic's usage, over what was reported before: each later report is cumulative and replaces the fields it names, and may
 * raise the input. Cached reads and writes stand outside `input_tokens`.
 */
export function anthropicUsage(value: unknown, before: Usage | null): Usage | null {
  const usage = fieldsOf(value);
  if (!isCount(usage["input_tokens"]) && !isCount(usage["output_tokens"])) return before;
  const known = before ?? NO_USAGE;
  const output = pick(usage, "output_tokens", known.output);
  return {
    ...known,
    input: pick(usage, "input_tokens", known.input),
    cacheRead: pick(usage, "cache_read_input_tokens", known.cacheRead),
    ...writesOf(usage, known),
    output,
    reasoning: Math.min(output, pick(fieldsOf(usage["output_tokens_details"]), "thinking_tokens", known.reasoning)),
    webSearches: pieces(pick(fieldsOf(usage["server_tool_use"]), "web_search_requests", known.webSearches)),
  };
}

/** Passes over the conversation that Anthropic leaves out of a message's own counts: summaries of it, and another model's advice. */
const BESIDE = new Set<unknown>(["compaction", "advisor_message"]);
/** Passes that are billed at the rates of the model that made them, which need not be the one that was called. */
const FOREIGN = new Set<unknown>(["advisor_message", "fallback_message"]);

/**
 * What `usage.iterations` adds to the counts above it; null where there are none. A pass of another model is an extra too: what its
 * tokens cost this model's row does not say.
 */
export function iterationsUsage(value: unknown): Usage | null {
  const { iterations } = fieldsOf(value);
  if (!Array.isArray(iterations)) return null;
  return iterations.map(fieldsOf).reduce<Usage>((sum, pass) => {
    const beside = BESIDE.has(pass["type"]) ? anthropicUsage(pass, null) : null;
    return addUsage(sum, { ...(beside ?? NO_USAGE), extras: FOREIGN.has(pass["type"]) ? 1 : 0 });
  }, NO_USAGE);
}

/** What sets the price of a message beside its tokens: its tier, its speed and where it ran. */
export const PRICING = ["service_tier", "speed", "inference_geo"] as const;

/** Those of them that are not the usual ones, joined in Anthropic's words; else the tier, or null where the report names none. */
export function anthropicTier(told: Fields): string | null {
  const special = PRICING.map((name) => told[name]).filter((each) => typeof each === "string" && !USUAL.has(each));
  const { service_tier: tier } = told;
  return special.length > 0 ? special.join("+") : typeof tier === "string" ? tier : null;
}

const USUAL = new Set<unknown>(["standard", "global", "not_available", ""]);

/** Cache writes by how long they are kept. Where only their sum is told, what is not known to be kept for an hour is kept for five minutes. */
function writesOf(usage: Fields, known: Usage): Pick<Usage, "cacheWrite5m" | "cacheWrite1h"> {
  const kept = fieldsOf(usage["cache_creation"]);
  const split = isCount(kept["ephemeral_5m_input_tokens"]) || isCount(kept["ephemeral_1h_input_tokens"]);
  const written = pick(usage, "cache_creation_input_tokens", null);
  const cacheWrite1h = split ? count(kept["ephemeral_1h_input_tokens"]) : Math.min(written ?? known.cacheWrite1h, known.cacheWrite1h);
  const told = split ? count(kept["ephemeral_5m_input_tokens"]) : 0;
  const rest = written === null ? 0 : written - cacheWrite1h;
  return { cacheWrite5m: split || written !== null ? Math.max(told, rest) : known.cacheWrite5m, cacheWrite1h };
}

function pick<T>(usage: Fields, name: string, otherwise: T): number | T {
  return isCount(usage[name]) ? count(usage[name]) : otherwise;
}
