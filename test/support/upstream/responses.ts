import { type Exchange, goesOn, wordsOf } from "./exchange.ts";
import { CREATED, OPENAI_HEADERS, TOOL_CALL, words } from "./openai-facts.ts";
import { responsesUsage, tierOf } from "./reported.ts";
import { refusedField, refusedResponses } from "./validate.ts";

/** Responses: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming. */

type Body = Readonly<Record<string, unknown>>;

/** What the account keeps: https://platform.openai.com/docs/guides/conversation-state. An id is drawn from the request, so that what differs is another. */
const KEPT = new Map<string, { readonly input: readonly unknown[]; readonly response: { readonly output: readonly unknown[] } }>();

/** What a response was given with what it made; nothing for one that is not kept. */
function historyOf(id: unknown): readonly unknown[] {
  const kept = KEPT.get(String(id));
  return kept ? [...kept.input, ...kept.response.output] : [];
}

function inputOf({ input, previous_response_id: previous }: Body): readonly unknown[] {
  const own =
    typeof input === "string" ? [{ type: "message", role: "user", content: [{ type: "input_text", text: input }] }] : (input ?? []);
  return [...historyOf(previous), ...(own as unknown[])];
}

function responseObject({ body, scenario, seen }: Exchange, status: string, output: unknown[], usage: unknown) {
  const response = {
    id: `resp_${seen.digest.slice(0, 48)}`,
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
    previous_response_id: body["previous_response_id"] ?? null,
    reasoning: { effort: null, summary: null },
    store: body["store"] ?? true,
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: body["tools"] ?? [],
    top_p: 1,
    truncation: "disabled",
    usage,
    user: null,
    metadata: {},
    service_tier: tierOf(scenario),
  };
  if (status === "completed" && response.store !== false) KEPT.set(response.id, { input: inputOf(body), response });
  return response;
}

/** Serves `/v1/responses/{id}` and its `input_items`: https://platform.openai.com/docs/api-reference/responses/get */
export function keptResponse(path: string, { seen, json }: Exchange): void {
  const [, id = "", below] = /^\/v1\/responses\/([^/]+)(\/input_items)?$/.exec(path) ?? [];
  const kept = KEPT.get(id);
  if (!kept) {
    const message = `Response with id '${id}' not found.`;
    return json(404, { error: { message, type: "invalid_request_error", param: null, code: null } }, OPENAI_HEADERS);
  }
  if (seen.method === "DELETE") {
    KEPT.delete(id);
    return json(200, { id, object: "response", deleted: true }, OPENAI_HEADERS);
  }
  if (below === undefined) return json(200, kept.response, OPENAI_HEADERS);
  const data = kept.input.map((item, at) => ({ ...(item as object), id: `msg_${at}` })).toReversed();
  json(200, { object: "list", data, first_id: data[0]?.id, last_id: data.at(-1)?.id, has_more: false }, OPENAI_HEADERS);
}

/** A text answer: its id, its words, and the item that holds them. */
interface Said {
  readonly id: string;
  readonly said: readonly string[];
  readonly part: object;
  readonly message: object;
}

function textOf(body: Body, scenario: string): Said {
  const said = wordsOf(scenario, words(body));
  const id = "msg_67ccd3acc8d48190a77525dc6de64b4104becb25c45c1d41";
  const part = { type: "output_text", text: said.join(""), annotations: [], logprobs: [] };
  return { id, said, part, message: { type: "message", id, status: "completed", role: "assistant", content: [part] } };
}

const CALL = {
  type: "function_call",
  id: "fc_1",
  call_id: TOOL_CALL.id,
  name: TOOL_CALL.name,
  arguments: TOOL_CALL.arguments,
  status: "completed",
};

/** https://platform.openai.com/docs/guides/reasoning: told in its closed form to whoever asks to include it. */
const THOUGHT = {
  type: "reasoning",
  id: "rs_6820f383d7c08191846711c5df8233bc0ac5ba57aafcbac7",
  summary: [{ type: "summary_text", text: "Weighing the weather." }],
  encrypted_content: "gAAAAABoISQ24OyVRYbkYfukdJoqdzWT-3uiErKInHDC",
};

function thoughtIn({ include }: Body): object[] {
  return JSON.stringify(include ?? []).includes("reasoning.encrypted_content") ? [THOUGHT] : [];
}

/** Serves `/v1/responses`. */
export async function responses(exchange: Exchange): Promise<void> {
  const { body, json, seen, scenario } = exchange;
  const refused =
    (scenario === "strict" ? refusedField("responses", body) : null) ??
    refusedResponses({ ...body, input: inputOf(body) }, { [CALL.id]: CALL.call_id }, THOUGHT.encrypted_content);
  if (refused !== null) {
    return json(400, { error: { message: refused, type: "invalid_request_error", param: "input", code: null } }, OPENAI_HEADERS);
  }
  const { previous_response_id: previous } = body;
  if (typeof previous === "string" && !KEPT.has(previous)) {
    const message = `Previous response with id '${previous}' not found.`;
    const error = { message, type: "invalid_request_error", param: "previous_response_id", code: "previous_response_not_found" };
    return json(400, { error }, OPENAI_HEADERS);
  }
  const usesTool = Array.isArray(body["tools"]) && !JSON.stringify(body["input"]).includes("function_call_output");
  const text = textOf(body, scenario);
  if (body["stream"] === true) return usesTool ? toolEvents(exchange) : textEvents(exchange, text);
  seen.produced = text.said.length;
  json(
    200,
    responseObject(exchange, "completed", [...thoughtIn(body), usesTool ? CALL : text.message], responsesUsage(scenario, seen.produced)),
    OPENAI_HEADERS,
  );
}

/** Numbers events and sends them, as every Responses stream does. */
function events({ write }: Exchange) {
  let sequence = 0;
  return (type: string, facts: object) =>
    write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...facts })}\n\n`);
}

async function textEvents(exchange: Exchange, { id, said, message, part }: Said): Promise<void> {
  const { begin, end, seen, scenario } = exchange;
  const send = events(exchange);
  const at = { item_id: id, output_index: 0, content_index: 0 };
  const started = responseObject(exchange, "in_progress", [], null);
  begin(OPENAI_HEADERS);
  await send("response.created", { response: started });
  await send("response.in_progress", { response: started });
  await send("response.output_item.added", { output_index: 0, item: { ...message, status: "in_progress", content: [] } });
  await send("response.content_part.added", { ...at, part: { ...part, text: "" } });
  const fail = () => send("error", { code: "server_error", message: "The server had an error", param: null });
  for (const delta of said) {
    if (!(await goesOn(exchange, fail))) return;
    seen.produced++;
    if (!(await send("response.output_text.delta", { ...at, delta, logprobs: [] }))) return;
  }
  await send("response.output_text.done", { ...at, text: said.join(""), logprobs: [] });
  await send("response.content_part.done", { ...at, part });
  await send("response.output_item.done", { output_index: 0, item: message });
  const usage = responsesUsage(scenario, seen.produced);
  await send("response.completed", { response: responseObject(exchange, "completed", [message], usage) });
  end();
}

async function toolEvents(exchange: Exchange): Promise<void> {
  const { begin, end, seen, scenario, body } = exchange;
  const send = events(exchange);
  const [thought] = thoughtIn(body);
  const output_index = thought ? 1 : 0;
  const at = { item_id: CALL.id, output_index };
  begin(OPENAI_HEADERS);
  await send("response.created", { response: responseObject(exchange, "in_progress", [], null) });
  if (thought) {
    const [summary] = THOUGHT.summary;
    const place = { item_id: THOUGHT.id, output_index: 0, summary_index: 0 };
    await send("response.output_item.added", { output_index: 0, item: { ...THOUGHT, summary: [], encrypted_content: "" } });
    await send("response.reasoning_summary_part.added", { ...place, part: { ...summary, text: "" } });
    await send("response.reasoning_summary_text.delta", { ...place, delta: summary!.text });
    await send("response.reasoning_summary_text.done", { ...place, text: summary!.text });
    await send("response.reasoning_summary_part.done", { ...place, part: summary });
    await send("response.output_item.done", { output_index: 0, item: thought });
  }
  await send("response.output_item.added", { output_index, item: { ...CALL, arguments: "", status: "in_progress" } });
  for (const delta of CALL.arguments.match(/.{1,6}/gs) ?? []) {
    seen.produced++;
    await send("response.function_call_arguments.delta", { ...at, delta });
  }
  await send("response.function_call_arguments.done", { ...at, arguments: CALL.arguments });
  await send("response.output_item.done", { output_index, item: CALL });
  const output = [...thoughtIn(body), CALL];
  await send("response.completed", { response: responseObject(exchange, "completed", output, responsesUsage(scenario, seen.produced)) });
  end();
}
