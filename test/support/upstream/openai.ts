import { type Exchange, paceOf } from "./exchange.ts";

/**
 * OpenAI as its API reference shows it: https://platform.openai.com/docs/api-reference/chat/object,
 * …/chat-streaming, …/responses/object, …/responses-streaming, …/embeddings/object, …/completions/object, and its errors:
 * https://platform.openai.com/docs/guides/error-codes.
 */

type Body = Readonly<Record<string, unknown>>;

const CREATED = 1_741_569_952;
const HEADERS = {
  "x-request-id": "req_openai_0123456789abcdef",
  "openai-organization": "org-fake",
  "openai-processing-ms": "42",
  "openai-version": "2020-10-01",
  "x-ratelimit-limit-requests": "10000",
};
const WORDS = ["Hello", " there", ",", " how", " may", " I", " assist", " you", " today", "?"];

/** Each status OpenAI documents, with its envelope. */
const ERRORS: Readonly<Record<string, readonly [number, string, string, string | null]>> = {
  "error-400": [400, "Invalid value for 'temperature'.", "invalid_request_error", "invalid_value"],
  "error-401": [401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"],
  "error-403": [403, "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"],
  "error-404": [404, "The model does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"],
  "error-422": [422, "Unprocessable.", "invalid_request_error", null],
  "error-429": [429, "Rate limit reached for requests", "requests", "rate_limit_exceeded"],
  "error-500": [500, "The server had an error while processing your request. Sorry about that!", "server_error", null],
  "error-503": [503, "The engine is currently overloaded, please try again later", "server_error", null],
};

function words(body: Body): readonly string[] {
  const most = Number(body["max_completion_tokens"] ?? body["max_tokens"] ?? body["max_output_tokens"] ?? Infinity);
  return WORDS.slice(0, Math.max(0, most));
}

function chatUsage(output: number) {
  return {
    prompt_tokens: 19,
    completion_tokens: output,
    total_tokens: 19 + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

const TOOL_CALL = { id: "call_abc123", name: "get_current_weather", arguments: '{\n"location": "Boston, MA"\n}' };

/** Messages whose tool results answer no call, or the other way about, are refused as OpenAI does. */
function refusal(messages: unknown): string | null {
  let open = new Set<string>();
  for (const [at, each] of (Array.isArray(messages) ? messages : []).entries()) {
    const message = each as { role?: string; tool_calls?: { id: string }[]; tool_call_id?: string };
    if (message.role === "tool") {
      if (!open.delete(message.tool_call_id ?? "")) {
        return `Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. [${at}]`;
      }
      continue;
    }
    if (open.size > 0) return "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.";
    open = new Set((message.tool_calls ?? []).map(({ id }) => id));
  }
  return null;
}

/** Serves one OpenAI route. */
export async function openai(path: string, exchange: Exchange): Promise<void> {
  const { scenario, json, body, seen } = exchange;
  const error = ERRORS[scenario];
  if (error) {
    const [status, message, type, code] = error;
    json(status, { error: { message, type, param: null, code } }, { ...HEADERS, ...(status === 429 ? { "retry-after": "1" } : {}) });
    return;
  }
  switch (path) {
    case "/v1/chat/completions":
      return chat(exchange);
    case "/v1/responses":
      return responses(exchange);
    case "/v1/completions":
      seen.produced = words(body).length;
      return json(
        200,
        {
          id: "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
          object: "text_completion",
          created: CREATED,
          model: body["model"],
          choices: [{ text: words(body).join(""), index: 0, logprobs: null, finish_reason: "stop" }],
          usage: { prompt_tokens: 5, completion_tokens: words(body).length, total_tokens: 5 + words(body).length },
        },
        HEADERS,
      );
    case "/v1/embeddings":
      return json(
        200,
        {
          object: "list",
          data: [{ object: "embedding", embedding: [0.0023064255, -0.009327292, -0.0028842222], index: 0 }],
          model: body["model"],
          usage: { prompt_tokens: 8, total_tokens: 8 },
        },
        HEADERS,
      );
    default:
      json(404, { error: { message: `Invalid URL (POST ${path})`, type: "invalid_request_error", param: null, code: null } }, HEADERS);
  }
}

async function chat(exchange: Exchange): Promise<void> {
  const { body, json, seen, scenario } = exchange;
  const refused = refusal(body["messages"]);
  if (refused !== null)
    return json(400, { error: { message: refused, type: "invalid_request_error", param: "messages", code: null } }, HEADERS);
  if (body["stream"] === true) return chatStream(exchange);
  const said = words(body);
  seen.produced = said.length;
  const usesTool = Array.isArray(body["tools"]) && !JSON.stringify(body["messages"]).includes('"tool"');
  const call = { id: TOOL_CALL.id, type: "function", function: { name: TOOL_CALL.name, arguments: TOOL_CALL.arguments } };
  const message = usesTool
    ? { role: "assistant", content: null, tool_calls: [call], refusal: null, annotations: [] }
    : { role: "assistant", content: said.join(""), refusal: null, annotations: [] };
  if (scenario.startsWith("slow")) await exchange.wait(paceOf(scenario));
  json(
    200,
    {
      id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
      object: "chat.completion",
      created: CREATED,
      model: body["model"],
      choices: [{ index: 0, message, logprobs: null, finish_reason: usesTool ? "tool_calls" : "stop" }],
      usage: scenario === "lies" ? { prompt_tokens: -5, completion_tokens: 1e15, total_tokens: "many" } : chatUsage(said.length),
      service_tier: "default",
      system_fingerprint: "fp_fc9f1d7035",
      x_unknown: { kept: "as it is", number: 1e2 },
    },
    { ...HEADERS, "set-cookie": "session=1", "x-tollgate-forged": "1", "access-control-allow-origin": "*", "x-vendor": "kept" },
  );
}

function chunk(body: Body, facts: object): string {
  const frame = {
    id: "chatcmpl-123",
    object: "chat.completion.chunk",
    created: CREATED,
    model: body["model"],
    service_tier: "default",
    ...facts,
  };
  return `data: ${JSON.stringify(frame)}\n\n`;
}

async function chatStream(exchange: Exchange): Promise<void> {
  const { body, begin, write, end, cut, seen, scenario, wait } = exchange;
  const asked = (body["stream_options"] as { include_usage?: boolean } | undefined)?.include_usage === true;
  const usage = asked ? { usage: null } : {};
  const pieces = deltas(body, scenario);
  begin(HEADERS);
  await write(
    chunk(body, { choices: [{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }], ...usage }),
  );
  for (const delta of pieces) {
    if (paceOf(scenario) > 0) await wait(paceOf(scenario));
    if (scenario === "cut-after-3" && seen.produced === 3) return cut();
    if (scenario === "stall-mid" && seen.produced === 3) await wait(20_000);
    if (scenario === "error-mid" && seen.produced === 3) {
      await write(
        `data: ${JSON.stringify({ error: { message: "The server had an error", type: "server_error", param: null, code: null } })}\n\n`,
      );
      return end();
    }
    if (seen.abortedAt !== null) return;
    seen.produced++;
    if (!(await write(chunk(body, { choices: [{ index: 0, delta, logprobs: null, finish_reason: null }], ...usage })))) return;
  }
  const finish = Array.isArray(body["tools"]) ? "tool_calls" : "stop";
  await write(chunk(body, { choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: finish }], ...usage }));
  if (asked) await write(chunk(body, { choices: [], usage: chatUsage(seen.produced) }));
  await write("data: [DONE]\n\n");
  end();
}

function deltas(body: Body, scenario: string): object[] {
  if (Array.isArray(body["tools"])) {
    const [head, ...parts] = ["", "{\n", '"location"', ": ", '"Boston, ', 'MA"', "\n}"];
    const first = { tool_calls: [{ index: 0, id: TOOL_CALL.id, type: "function", function: { name: TOOL_CALL.name, arguments: head } }] };
    return [first, ...parts.map((part) => ({ tool_calls: [{ index: 0, function: { arguments: part } }] }))];
  }
  const count = Number(/-x(\d+)$/.exec(scenario)?.[1] ?? 0);
  if (count > 0) return Array.from({ length: count }, () => ({ content: "word " }));
  if (scenario === "tricky") return ["a\n\ndata: [DONE]\n\n", "\r", "\u2028", "é😀", '"}'].map((content) => ({ content }));
  return words(body).map((content) => ({ content }));
}

function responseObject(body: Body, status: string, output: unknown[], usage: unknown) {
  return {
    id: "resp_67ccd3a9da748190baa7f1570fe91ac604becb25c45c1d41",
    object: "response",
    created_at: CREATED,
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: body["max_output_tokens"] ?? null,
    model: body["model"],
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: true,
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: body["tools"] ?? [],
    top_p: 1,
    truncation: "disabled",
    usage,
    user: null,
    metadata: {},
    service_tier: "default",
  };
}

function responsesUsage(output: number) {
  return {
    input_tokens: 36,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 36 + output,
  };
}

async function responses(exchange: Exchange): Promise<void> {
  const { body, json, seen } = exchange;
  const said = words(body);
  const id = "msg_67ccd3acc8d48190a77525dc6de64b4104becb25c45c1d41";
  const usesTool = Array.isArray(body["tools"]) && !JSON.stringify(body["input"]).includes("function_call_output");
  const part = { type: "output_text", text: said.join(""), annotations: [], logprobs: [] };
  const message = { type: "message", id, status: "completed", role: "assistant", content: [part] };
  const call = {
    type: "function_call",
    id: "fc_1",
    call_id: TOOL_CALL.id,
    name: TOOL_CALL.name,
    arguments: TOOL_CALL.arguments,
    status: "completed",
  };
  const output = usesTool ? [call] : [message];
  if (body["stream"] !== true) {
    seen.produced = said.length;
    return json(200, responseObject(body, "completed", output, responsesUsage(said.length)), HEADERS);
  }
  return usesTool ? toolEvents(exchange, call) : textEvents(exchange, { id, said, message, part });
}

/** Numbers events and sends them, as every Responses stream does. */
function events({ write }: Exchange) {
  let sequence = 0;
  return (type: string, facts: object) =>
    write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...facts })}\n\n`);
}

async function textEvents(exchange: Exchange, made: { id: string; said: readonly string[]; message: object; part: object }): Promise<void> {
  const { body, begin, end, cut, seen, scenario, wait } = exchange;
  const { id, said, message, part } = made;
  const send = events(exchange);
  const at = { item_id: id, output_index: 0, content_index: 0 };
  const started = responseObject(body, "in_progress", [], null);
  begin(HEADERS);
  await send("response.created", { response: started });
  await send("response.in_progress", { response: started });
  await send("response.output_item.added", { output_index: 0, item: { ...message, status: "in_progress", content: [] } });
  await send("response.content_part.added", { ...at, part: { ...part, text: "" } });
  for (const delta of said) {
    if (paceOf(scenario) > 0) await wait(paceOf(scenario));
    if (scenario === "cut-after-3" && seen.produced === 3) return cut();
    seen.produced++;
    if (!(await send("response.output_text.delta", { ...at, delta, logprobs: [] }))) return;
  }
  await send("response.output_text.done", { ...at, text: said.join(""), logprobs: [] });
  await send("response.content_part.done", { ...at, part });
  await send("response.output_item.done", { output_index: 0, item: message });
  await send("response.completed", { response: responseObject(body, "completed", [message], responsesUsage(seen.produced)) });
  end();
}

async function toolEvents(exchange: Exchange, call: { id: string; arguments: string }): Promise<void> {
  const { body, begin, end, seen } = exchange;
  const send = events(exchange);
  const at = { item_id: call.id, output_index: 0 };
  begin(HEADERS);
  await send("response.created", { response: responseObject(body, "in_progress", [], null) });
  await send("response.output_item.added", { output_index: 0, item: { ...call, arguments: "", status: "in_progress" } });
  for (const delta of call.arguments.match(/.{1,6}/gs) ?? []) {
    seen.produced++;
    await send("response.function_call_arguments.delta", { ...at, delta });
  }
  await send("response.function_call_arguments.done", { ...at, arguments: call.arguments });
  await send("response.output_item.done", { output_index: 0, item: call });
  await send("response.completed", { response: responseObject(body, "completed", [call], responsesUsage(seen.produced)) });
  end();
}
