import { type Exchange, goesOn, paceOf, wordsOf } from "./exchange.ts";
import { callsIn, CREATED, OPENAI_HEADERS, words } from "./openai-facts.ts";
import { chatUsage, tierOf } from "./reported.ts";
import { refusedChat, refusedField } from "./validate.ts";

/**
 * Chat Completions: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming; legacy completions:
 * https://platform.openai.com/docs/api-reference/completions/object.
 */

type Body = Readonly<Record<string, unknown>>;

/** Serves `/v1/chat/completions`. */
export async function chat(exchange: Exchange): Promise<void> {
  const { body, json, seen, scenario } = exchange;
  const refused = (scenario === "strict" ? refusedField("chat", body) : null) ?? refusedChat(body);
  if (refused !== null) {
    return json(400, { error: { message: refused, type: "invalid_request_error", param: "messages", code: null } }, OPENAI_HEADERS);
  }
  if (body["stream"] === true && scenario !== "unstreamed") return chatStream(exchange);
  const said = words(body);
  seen.produced = said.length;
  const calls = usesTool(body);
  const made = callsIn(scenario).map(({ id, name, arguments: text }) => ({ id, type: "function", function: { name, arguments: text } }));
  const message = calls
    ? { role: "assistant", content: null, ...thoughts(scenario), tool_calls: made, refusal: null, annotations: [] }
    : { role: "assistant", content: said.join(""), ...thoughts(scenario), refusal: null, annotations: [] };
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

/** Compatible providers that show what they think: https://api-docs.deepseek.com/guides/thinking_mode */
function thoughts(scenario: string) {
  return scenario === "thinks" ? { reasoning_content: "Let me think." } : {};
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
  if (scenario === "thinks") await write(chunk(body, scenario, choice(thoughts(scenario), null)));
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
    return callsIn(scenario).flatMap(({ id, name, arguments: text }, index) => [
      { tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] },
      ...(text.match(/[^]{1,9}/g) ?? []).map((part) => ({ tool_calls: [{ index, function: { arguments: part } }] })),
    ]);
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
