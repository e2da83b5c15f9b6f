import { NO_USAGE, type Usage } from "#core";

/** What providers report, turned into disjoint classes. What is no count (negative, fractional, absurd, text) counts as absent. */

type Fields = Readonly<Record<string, unknown>>;

/** The object's fields; empty for anything else. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
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
 */
function openai(value: unknown, names: Names): Usage | null {
  const usage = fieldsOf(value);
  if (!isCount(usage[names.input]) && !isCount(usage[names.output])) return null;
  const details = fieldsOf(usage[names.inputDetails]);
  const made = fieldsOf(usage[names.outputDetails]);
  const prompt = count(usage[names.input]);
  const cacheRead = Math.min(prompt, count(details["cached_tokens"] ?? usage["prompt_cache_hit_tokens"]));
  const cacheWrite5m = Math.min(prompt - cacheRead, count(details["cache_write_tokens"]));
  const audioInput = Math.min(prompt - cacheRead - cacheWrite5m, count(details["audio_tokens"]));
  const billed = Math.max(count(usage[names.output]), count(usage["total_tokens"]) - prompt);
  const audioOutput = Math.min(billed, count(made["audio_tokens"]));
  const output = billed - audioOutput;
  return {
    ...NO_USAGE,
    input: prompt - cacheRead - cacheWrite5m - audioInput,
    cacheRead,
    cacheWrite5m,
    audioInput,
    output,
    audioOutput,
    reasoning: Math.min(output, count(made["reasoning_tokens"])),
  };
}

/** Usage of Chat Completions, legacy completions and embeddings; null where there is none. */
export function chatUsage(value: unknown): Usage | null {
  return openai(value, CHAT);
}

/** Usage of a Responses object, its web searches counted by its output items; null where it reports none. */
export function responsesUsage(response: unknown): Usage | null {
  const { usage, output } = fieldsOf(response);
  const read = openai(usage, RESPONSES);
  const searches = Array.isArray(output) ? output.filter((item) => fieldsOf(item)["type"] === "web_search_call").length : 0;
  return read && { ...read, webSearches: searches };
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
    webSearches: pick(fieldsOf(usage["server_tool_use"]), "web_search_requests", known.webSearches),
  };
}

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
