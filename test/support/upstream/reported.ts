/**
 * What vendors report that a call used. A scenario `usage-<name>` makes an answer report one of the shapes that their guides
 * show; `lies-<name>` what no honest provider would.
 */

type Shape = Readonly<Record<string, unknown>> | null;

const CHAT: Readonly<Record<string, Shape>> = {
  // https://platform.openai.com/docs/guides/prompt-caching
  "usage-cached": {
    prompt_tokens: 2006,
    completion_tokens: 300,
    total_tokens: 2306,
    prompt_tokens_details: { cached_tokens: 1920 },
    completion_tokens_details: { reasoning_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  },
  // https://platform.openai.com/docs/guides/reasoning
  "usage-reasoning": {
    prompt_tokens: 75,
    completion_tokens: 1186,
    total_tokens: 1261,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 1024 },
  },
  // https://platform.openai.com/docs/guides/audio
  "usage-audio": {
    prompt_tokens: 100,
    completion_tokens: 60,
    total_tokens: 160,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 40, text_tokens: 60 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 50, text_tokens: 10 },
  },
  // https://docs.x.ai/docs/guides/reasoning: reasoning stands beside the completion, and only the total holds both.
  "usage-beside": {
    prompt_tokens: 32,
    completion_tokens: 9,
    total_tokens: 135,
    completion_tokens_details: { reasoning_tokens: 94 },
  },
  // https://developers.openai.com/api/docs/guides/prompt-caching: since GPT-5.6 writing to the cache costs as well.
  "usage-written": {
    prompt_tokens: 4000,
    completion_tokens: 500,
    total_tokens: 4500,
    prompt_tokens_details: { cached_tokens: 1000, cache_write_tokens: 2500 },
    completion_tokens_details: { reasoning_tokens: 200 },
  },
  // https://docs.x.ai/docs/guides/live-search: the sources that a search read are billed apart.
  "usage-sources": { prompt_tokens: 32, completion_tokens: 9, total_tokens: 41, num_sources_used: 3 },
  "lies-negative": { prompt_tokens: -5, completion_tokens: -1, total_tokens: -6 },
  "lies-absurd": { prompt_tokens: 1e15, completion_tokens: 1e15, total_tokens: 2e15 },
  "lies-words": { prompt_tokens: "many", completion_tokens: [1], total_tokens: null },
  "lies-nought": { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  "lies-half": { prompt_tokens: -5, completion_tokens: 9, total_tokens: 4 },
  "lies-missing": null,
  lies: { prompt_tokens: -5, completion_tokens: 1e15, total_tokens: "many" },
};

const RESPONSES: Readonly<Record<string, Shape>> = {
  // https://platform.openai.com/docs/guides/prompt-caching
  "usage-cached": {
    input_tokens: 2006,
    input_tokens_details: { cached_tokens: 1920 },
    output_tokens: 300,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 2306,
  },
  // https://platform.openai.com/docs/guides/reasoning
  "usage-reasoning": {
    input_tokens: 75,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 1186,
    output_tokens_details: { reasoning_tokens: 1024 },
    total_tokens: 1261,
  },
  "lies-negative": { input_tokens: -5, output_tokens: -1, total_tokens: -6 },
  "lies-absurd": { input_tokens: 1e15, output_tokens: 1e15, total_tokens: 2e15 },
  "lies-words": { input_tokens: "many", output_tokens: [1], total_tokens: null },
  "lies-nought": { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
  "lies-half": { input_tokens: -5, output_tokens: 9, total_tokens: 4 },
  "lies-missing": null,
};

/** Anthropic reports twice in a stream: at its start, and cumulatively at its end. */
interface Twice {
  readonly start: Shape;
  readonly end: Shape;
}

const same = (shape: Shape): Twice => ({ start: shape, end: shape });

const MESSAGES: Readonly<Record<string, Twice>> = {
  // https://docs.claude.com/en/docs/build-with-claude/prompt-caching (two lifetimes in one request)
  "usage-cached": {
    start: {
      input_tokens: 2048,
      cache_read_input_tokens: 1800,
      cache_creation_input_tokens: 248,
      cache_creation: { ephemeral_5m_input_tokens: 148, ephemeral_1h_input_tokens: 100 },
      output_tokens: 1,
    },
    end: { output_tokens: 503 },
  },
  // https://docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool: what was found raises the input at the end.
  "usage-search": {
    start: { input_tokens: 2679, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 3 },
    end: {
      input_tokens: 10_682,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: 510,
      server_tool_use: { web_search_requests: 1 },
    },
  },
  // https://platform.claude.com/docs/en/build-with-claude/compaction-threshold: the summary stands beside the message.
  "usage-compacted": {
    start: { input_tokens: 2300, output_tokens: 1 },
    end: {
      output_tokens: 100,
      iterations: [
        { type: "compaction", input_tokens: 18_000, output_tokens: 350 },
        { type: "message", input_tokens: 2300, output_tokens: 100 },
      ],
    },
  },
  // https://platform.claude.com/docs/en/build-with-claude/fast-mode and data-residency
  "usage-fast": { start: { input_tokens: 523, output_tokens: 1, speed: "fast", inference_geo: "us" }, end: { output_tokens: 1842 } },
  "lies-negative": same({ input_tokens: -5, output_tokens: -1 }),
  "lies-absurd": same({ input_tokens: 1e15, output_tokens: 1e15 }),
  "lies-words": same({ input_tokens: "many", output_tokens: [1] }),
  "lies-nought": same({ input_tokens: 0, output_tokens: 0 }),
  "lies-half": same({ input_tokens: -5, output_tokens: 9 }),
  "lies-missing": same(null),
};

/** The usage of a Chat Completions answer that made `output` tokens. */
export function chatUsage(scenario: string, output: number): Shape {
  const shape = CHAT[scenario];
  if (shape !== undefined) return shape;
  return {
    prompt_tokens: 19,
    completion_tokens: output,
    total_tokens: 19 + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

/** The usage of a Responses object that made `output` tokens. */
export function responsesUsage(scenario: string, output: number): Shape {
  const shape = RESPONSES[scenario];
  if (shape !== undefined) return shape;
  return {
    input_tokens: 36,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 36 + output,
  };
}

/** What a Messages answer that made `output` tokens reports: at the start of a stream, at its end, and where there is no stream. */
export function messagesUsage(scenario: string, output: number): Twice & { readonly whole: Shape } {
  const { start, end } = MESSAGES[scenario] ?? { start: honestStart, end: { output_tokens: output } };
  return { start, end, whole: start && { ...start, ...end } };
}

const honestStart = {
  input_tokens: 25,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 1,
  service_tier: "standard",
};

/** The tier that an answer says it was served in: `tier-flex` makes it `flex`. */
export function tierOf(scenario: string): string {
  return /^tier-(\w+)$/.exec(scenario)?.[1] ?? "default";
}
