import { type Exchange, goesOn, paceOf, wordsOf } from "./exchange.ts";
import { CREATED, OPENAI_HEADERS, TOOL_CALL, words } from "./openai-facts.ts";
import { chatUsage, tierOf } from "./reported.ts";

/**
 * Chat Completions: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming; legacy completions:
 * https://platform.openai.com/docs/api-reference/completions/object.
 */

type Body = Readonly<Record<string, unknown>>;

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
    if (open.size > 0) break;
    open = new Set((message.tool_calls ?? []).map(({ id }) => id));
  }
  return open.size > 0
    ? `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...open].join(", ")}`
    : null;
}

/** Serves `/v1/chat/completions`. */
export async function chat(exchange: Exchange): Promise<void> {
  const { body, json, seen, scenario } = exchange;
  const refused = refusal(body["messages"]);
  if (refused !== null) {
    return json(400, { error: { message: refused, type: "invalid_request_error", param: "messages", code: null } }, OPENAI_HEADERS);
  }
  if (body["stream"] === true && scenario !== "unstreamed") return chatStream(exchange);
  const said = words(body);
  seen.produced = said.length;
  const calls = usesTool(body);
  const call = { id: TOOL_CALL.id, type: "function", function: { name: TOOL_CALL.name, arguments: TOOL_CALL.arguments } };
  const message = calls
    ? { role: "assistant", content: null, tool_calls: [call], refusal: null, annotations: [] }
    : { role: "assistant", content: said.join(""), refusal: null, annotations: [] };
  if (scenario.startsWith("slow")) await exchange.wait(paceOf(scenario));
  const usage = chatUsage(scenario, said.length);
  json(
    200,
    {
      id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
      object: "chat.completion",
      created: CREATED,
      model: body["model"],
      choices: [{ index: 0, message, logprobs: null, finish_reason: calls ? "tool_calls" : "stop" }],
      ...(usage === null ? {} : { usage }),
      service_tier: tierOf(scenario),
      system_fingerprint: "fp_fc9f1d7035",
      x_unknown: { kept: "as it is", number: 1e2 },
      ...(scenario === "huge" ? { x_padding: "héllo ".repeat(1_000_000) } : {}),
    },
    { ...OPENAI_HEADERS, "set-cookie": "session=1", "x-tollgate-forged": "1", "access-control-allow-origin": "*", "x-vendor": "kept" },
  );
}

/** A tool that is offered is called once. */
function usesTool({ tools, messages }: Body): boolean {
  return Array.isArray(tools) && !JSON.stringify(messages).includes('"tool"');
}

function chunk(body: Body, scenario: string, facts: object): string {
  const frame = {
    id: "chatcmpl-123",
    object: "chat.completion.chunk",
    created: CREATED,
    model: body["model"],
    service_tier: tierOf(scenario),
    ...facts,
  };
  return `data: ${JSON.stringify(frame)}\n\n`;
}

const MID_ERROR = { error: { message: "The server had an error", type: "server_error", param: null, code: null } };

async function chatStream(exchange: Exchange): Promise<void> {
  const { body, begin, write, end, seen, scenario } = exchange;
  const asked = (body["stream_options"] as { include_usage?: boolean } | undefined)?.include_usage === true;
  const none = asked ? { usage: null } : {};
  const choice = (delta: object, finish_reason: string | null) => ({
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    ...none,
  });
  begin(OPENAI_HEADERS);
  await write(chunk(body, scenario, choice({ role: "assistant", content: "" }, null)));
  for (const delta of deltas(body, scenario)) {
    if (!(await goesOn(exchange, () => write(`data: ${JSON.stringify(MID_ERROR)}\n\n`)))) return;
    seen.produced++;
    if (!(await write(chunk(body, scenario, choice(delta, null))))) return;
  }
  await write(chunk(body, scenario, choice({}, usesTool(body) ? "tool_calls" : "stop")));
  const usage = chatUsage(scenario, seen.produced);
  if (asked && usage !== null) await write(chunk(body, scenario, { choices: [], usage }));
  await write("data: [DONE]\n\n");
  end();
}

function deltas(body: Body, scenario: string): object[] {
  if (usesTool(body)) {
    const [head, ...parts] = ["", "{\n", '"location"', ": ", '"Boston, ', 'MA"', "\n}"];
    const first = { tool_calls: [{ index: 0, id: TOOL_CALL.id, type: "function", function: { name: TOOL_CALL.name, arguments: head } }] };
    return [first, ...parts.map((part) => ({ tool_calls: [{ index: 0, function: { arguments: part } }] }))];
  }
  if (scenario === "tricky") return ["a\n\ndata: [DONE]\n\n", "\r", "\u2028", "é😀", '"}'].map((content) => ({ content }));
  return wordsOf(scenario, words(body)).map((content) => ({ content }));
}

/** Serves `/v1/completions`. */
export function legacyCompletion({ body, json, seen }: Exchange): void {
  const said = words(body);
  seen.produced = said.length;
  json(
    200,
    {
      id: "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
      object: "text_completion",
      created: CREATED,
      model: body["model"],
      choices: [{ text: said.join(""), index: 0, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: said.length, total_tokens: 5 + said.length },
    },
    OPENAI_HEADERS,
  );
}
