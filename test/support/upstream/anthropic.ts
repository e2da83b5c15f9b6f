import { type Exchange, goesOn, wordsOf } from "./exchange.ts";
import { messagesUsage } from "./reported.ts";
import { refusedField, refusedMessages } from "./validate.ts";

/**
 * Anthropic as its documentation shows it: https://docs.claude.com/en/api/messages,
 * https://docs.claude.com/en/docs/build-with-claude/streaming (event order, pings, tool use, thinking),
 * https://docs.claude.com/en/api/messages-count-tokens, https://docs.claude.com/en/api/models-list.
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
/** https://docs.claude.com/en/docs/build-with-claude/extended-thinking */
const THINKING = {
  type: "thinking",
  thinking: "Let me solve this step by step",
  signature: "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds",
};
/** https://docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool */
const SEARCH = {
  type: "server_tool_use",
  id: "srvtoolu_014hJH82Qum7Td6UV8gDXThB",
  name: "web_search",
  input: { query: "weather NYC today" },
};
const FOUND = {
  type: "web_search_tool_result",
  tool_use_id: SEARCH.id,
  content: [
    {
      type: "web_search_result",
      title: "Weather in New York City in May 2025 (New York)",
      url: "https://world-weather.info/forecast/usa/new_york/may-2025/",
      encrypted_content: "Ev0DCioIAxgCIiQ3NmU4ZmI4OC1k",
      page_age: null,
    },
  ],
};

/** Each status Anthropic documents: https://docs.claude.com/en/api/errors. */
const ERRORS: Readonly<Record<string, readonly [number, string, string]>> = {
  "error-400": [400, "invalid_request_error", "max_tokens: must be greater than or equal to 1"],
  "error-401": [401, "authentication_error", "invalid x-api-key"],
  "error-402": [402, "billing_error", "Your credit balance is too low to access the Anthropic API"],
  "error-403": [403, "permission_error", "Your API key does not have permission to use the specified resource."],
  "error-404": [404, "not_found_error", "model: claude-nothing"],
  "error-413": [413, "request_too_large", "Request exceeds the maximum size"],
  "error-429": [429, "rate_limit_error", "This request would exceed your organization's rate limit"],
  "error-500": [500, "api_error", "Internal server error"],
  "error-504": [504, "timeout_error", "The request timed out while processing"],
  "error-529": [529, "overloaded_error", "Overloaded"],
};

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
  const message = (scenario === "strict" ? refusedField("messages", body) : null) ?? refusedMessages(body, THINKING);
  if (message !== null) {
    return json(400, { type: "error", error: { type: "invalid_request_error", message }, request_id: HEADERS["request-id"] }, HEADERS);
  }
  if (body["stream"] === true) return stream(exchange);
  const content = contentOf(body, scenario);
  seen.produced = said(body, scenario).length;
  json(
    200,
    {
      id: "msg_013Zva2CMHLNnXjNJJKqJ2EF",
      type: "message",
      role: "assistant",
      model: body["model"],
      content: content.map(({ whole }) => whole),
      stop_reason: usesTool(body) ? "tool_use" : "end_turn",
      stop_sequence: null,
      usage: messagesUsage(scenario, seen.produced).whole,
    },
    HEADERS,
  );
}

/** A tool of the client's own is called once; hosted ones have a dated type. */
function usesTool({ tools, messages }: Body): boolean {
  const own = (Array.isArray(tools) ? (tools as { type?: string }[]) : []).filter(({ type = "custom" }) => type === "custom");
  return own.length > 0 && !JSON.stringify(messages).includes("tool_result");
}

function said(body: Body, scenario: string): readonly string[] {
  return wordsOf(scenario, WORDS.slice(0, Number(body["max_tokens"] ?? Infinity)));
}

/** A content block: as it stands in a JSON answer, as a stream begins it, and the deltas that complete it. */
interface Content {
  readonly whole: object;
  readonly start: object;
  readonly deltas: readonly object[];
}

function contentOf(body: Body, scenario: string): Content[] {
  const content: Content[] = [];
  const { type } = (body["thinking"] ?? {}) as { type?: string };
  if ((type === "enabled" || type === "adaptive") && !JSON.stringify(body["messages"]).includes("tool_result")) content.push(thinking());
  if (scenario === "usage-search") content.push(...searched());
  if (usesTool(body)) return [...content, ...called(scenario)];
  const texts = said(body, scenario);
  content.push({
    whole: { type: "text", text: texts.join("") },
    start: { type: "text", text: "" },
    deltas: texts.map((text) => ({ type: "text_delta", text })),
  });
  return content;
}

/** One call, or two at once in the scenario `parallel`. */
function called(scenario: string): Content[] {
  const one = inputOf(TOOL, ["", '{"location":', ' "San', " Francisc", 'o, CA"', ', "unit": "fah', 'renheit"}']);
  const other = { ...TOOL, id: "toolu_01SecondCallOfTheSameTurn", input: { location: "New York, NY" } };
  return scenario === "parallel" ? [one, inputOf(other, ["", '{"location": "New', ' York, NY"}'])] : [one];
}

function thinking(): Content {
  const thoughts = THINKING.thinking.match(/.{1,9}/g) ?? [];
  return {
    whole: THINKING,
    start: { ...THINKING, thinking: "", signature: "" },
    deltas: [
      ...thoughts.map((thought) => ({ type: "thinking_delta", thinking: thought })),
      { type: "signature_delta", signature: THINKING.signature },
    ],
  };
}

function inputOf(tool: object, parts: readonly string[]): Content {
  return {
    whole: tool,
    start: { ...tool, input: {} },
    deltas: parts.map((partial_json) => ({ type: "input_json_delta", partial_json })),
  };
}

function searched(): Content[] {
  return [inputOf(SEARCH, ['{"query":"weather NYC', ' today"}']), { whole: FOUND, start: FOUND, deltas: [] }];
}

async function stream(exchange: Exchange): Promise<void> {
  const { body, begin, write, end, seen, scenario } = exchange;
  const send = (type: string, facts: object = {}) => write(`event: ${type}\ndata: ${JSON.stringify({ type, ...facts })}\n\n`);
  const message = { id: "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", type: "message", role: "assistant", content: [], model: body["model"] };
  const fail = () => send("error", { error: { type: "overloaded_error", message: "Overloaded" } });
  begin(HEADERS);
  await send("message_start", { message: { ...message, stop_reason: null, stop_sequence: null, usage: messagesUsage(scenario, 0).start } });
  for (const [index, { start, deltas }] of contentOf(body, scenario).entries()) {
    await send("content_block_start", { index, content_block: start });
    if (index === 0) await send("ping");
    for (const delta of deltas) {
      if (!(await goesOn(exchange, fail))) return;
      seen.produced++;
      if (!(await send("content_block_delta", { index, delta }))) return;
    }
    await send("content_block_stop", { index });
  }
  await send("message_delta", {
    delta: { stop_reason: usesTool(body) ? "tool_use" : "end_turn", stop_sequence: null },
    usage: messagesUsage(scenario, seen.produced).end,
  });
  await send("message_stop");
  end();
}
