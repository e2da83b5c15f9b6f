/** Unix seconds at which everything here was made. */
export const CREATED = 1_741_569_952;

/** Headers of every answer: https://platform.openai.com/docs/api-reference/debugging-requests. */
export const OPENAI_HEADERS = {
  "x-request-id": "req_openai_0123456789abcdef",
  "openai-organization": "org-fake",
  "openai-processing-ms": "42",
  "openai-version": "2020-10-01",
  "x-ratelimit-limit-requests": "10000",
};

/** The tool that is called whenever tools are offered: https://platform.openai.com/docs/guides/function-calling. */
export const TOOL_CALL = { id: "call_abc123", name: "get_current_weather", arguments: '{\n"location": "Boston, MA"\n}' };

/** The calls of an answer: one, or two at once in the scenario `parallel`. */
export function callsIn(scenario: string): readonly (typeof TOOL_CALL)[] {
  const other = { ...TOOL_CALL, id: "call_def456", arguments: '{"location": "New York, NY"}' };
  return scenario === "parallel" ? [TOOL_CALL, other] : [TOOL_CALL];
}

const WORDS = ["Hello", " there", ",", " how", " may", " I", " assist", " you", " today", "?"];

/** What is said, one token a word, as far as the request's cap allows. */
export function words(body: Readonly<Record<string, unknown>>): readonly string[] {
  const most = Number(body["max_completion_tokens"] ?? body["max_tokens"] ?? body["max_output_tokens"] ?? Infinity);
  return WORDS.slice(0, Math.max(0, most));
}
