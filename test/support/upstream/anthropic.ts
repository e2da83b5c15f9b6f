import { type Exchange, paceOf } from "./exchange.ts";

/**
 * Anthropic as its documentation shows it: https://docs.claude.com/en/api/messages,
 * https://docs.claude.com/en/docs/build-with-claude/streaming (event order, pings, tool use),
 * https://docs.claude.com/en/api/messages-count-tokens, https://docs.claude.com/en/api/errors.
 */

type Body = Readonly<Record<string, unknown>>;

const HEADERS = {
  "request-id": "req_018EeWyXxfu5pfWkrYcMdjWG",
  "anthropic-organization-id": "org-fake",
  "anthropic-ratelimit-requests-limit": "50",
};
const WORDS = ["Hello", "!", " How", " can", " I", " help", " you", " today", "?"];
const TOOL = {
  type: "tool_use",
  id: "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
  name: "get_weather",
  input: { location: "San Francisco, CA", unit: "fahrenheit" },
};

const ERRORS: Readonly<Record<string, readonly [number, string, string]>> = {
  "error-400": [400, "invalid_request_error", "max_tokens: must be greater than or equal to 1"],
  "error-401": [401, "authentication_error", "invalid x-api-key"],
  "error-403": [403, "permission_error", "Your API key does not have permission to use the specified resource."],
  "error-404": [404, "not_found_error", "model: claude-nothing"],
  "error-413": [413, "request_too_large", "Request exceeds the maximum size"],
  "error-429": [429, "rate_limit_error", "This request would exceed your organization's rate limit"],
  "error-500": [500, "api_error", "Internal server error"],
  "error-529": [529, "overloaded_error", "Overloaded"],
};

/** Roles alternate and tool results answer the calls of the turn before, or the request is refused as Anthropic does. */
function refusal(messages: unknown): string | null {
  let calls: string[] = [];
  for (const [at, each] of (Array.isArray(messages) ? messages : []).entries()) {
    const { content } = each as { content?: unknown };
    const blocks = (Array.isArray(content) ? content : []) as { type?: string; id?: string; tool_use_id?: string }[];
    for (const block of blocks.filter(({ type }) => type === "tool_result")) {
      if (!calls.includes(block.tool_use_id ?? "")) {
        return `messages.${at}.content.0: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`;
      }
    }
    calls = blocks.filter(({ type }) => type === "tool_use").map(({ id }) => id ?? "");
  }
  return null;
}

function usage(output: number) {
  return {
    input_tokens: 25,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: output,
    service_tier: "standard",
  };
}

/** Serves one Anthropic route. */
export async function anthropic(path: string, exchange: Exchange): Promise<void> {
  const { scenario, json, body, seen } = exchange;
  const error = ERRORS[scenario];
  if (error) {
    const [status, type, message] = error;
    const retry = status === 429 ? { "retry-after": "1" } : {};
    return json(status, { type: "error", error: { type, message }, request_id: HEADERS["request-id"] }, { ...HEADERS, ...retry });
  }
  if (path === "/v1/messages/count_tokens") return json(200, { input_tokens: 14 }, HEADERS);
  const refused = refusal(body["messages"]);
  if (refused !== null) {
    return json(
      400,
      { type: "error", error: { type: "invalid_request_error", message: refused }, request_id: HEADERS["request-id"] },
      HEADERS,
    );
  }
  if (body["stream"] === true) return stream(exchange);
  const said = WORDS.slice(0, Number(body["max_tokens"] ?? Infinity));
  seen.produced = said.length;
  const tool = usesTool(body);
  json(
    200,
    {
      id: "msg_013Zva2CMHLNnXjNJJKqJ2EF",
      type: "message",
      role: "assistant",
      model: body["model"],
      content: tool ? [TOOL] : [{ type: "text", text: said.join("") }],
      stop_reason: tool ? "tool_use" : "end_turn",
      stop_sequence: null,
      usage: usage(said.length),
    },
    HEADERS,
  );
}

function usesTool(body: Body): boolean {
  return Array.isArray(body["tools"]) && !JSON.stringify(body["messages"]).includes("tool_result");
}

async function stream(exchange: Exchange): Promise<void> {
  const { body, begin, write, end, cut, seen, scenario, wait } = exchange;
  const send = (type: string, facts: object = {}) => write(`event: ${type}\ndata: ${JSON.stringify({ type, ...facts })}\n\n`);
  const tool = usesTool(body);
  const message = { id: "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", type: "message", role: "assistant", content: [], model: body["model"] };
  begin(HEADERS);
  await send("message_start", { message: { ...message, stop_reason: null, stop_sequence: null, usage: usage(1) } });
  await send("content_block_start", { index: 0, content_block: tool ? { ...TOOL, input: {} } : { type: "text", text: "" } });
  await send("ping");
  for (const delta of deltas(body, scenario, tool)) {
    if (paceOf(scenario) > 0) await wait(paceOf(scenario));
    if (scenario === "cut-after-3" && seen.produced === 3) return cut();
    if (scenario === "error-mid" && seen.produced === 3) {
      await send("error", { error: { type: "overloaded_error", message: "Overloaded" } });
      return end();
    }
    if (seen.abortedAt !== null) return;
    seen.produced++;
    if (!(await send("content_block_delta", { index: 0, delta }))) return;
  }
  await send("content_block_stop", { index: 0 });
  await send("message_delta", {
    delta: { stop_reason: tool ? "tool_use" : "end_turn", stop_sequence: null },
    usage: { output_tokens: seen.produced },
  });
  await send("message_stop");
  end();
}

function deltas(body: Body, scenario: string, tool: boolean): object[] {
  if (tool)
    return ["", '{"location":', ' "San', " Francisc", 'o, CA"', ', "unit": "fah', 'renheit"}'].map((part) => ({
      type: "input_json_delta",
      partial_json: part,
    }));
  const count = Number(/-x(\d+)$/.exec(scenario)?.[1] ?? 0);
  const texts = count > 0 ? Array.from({ length: count }, () => "word ") : WORDS.slice(0, Number(body["max_tokens"] ?? Infinity));
  return texts.map((text) => ({ type: "text_delta", text }));
}
