import type { Fields } from "#core";
import type { Event, Exchange, Writer } from "./dialect.ts";

function usageOf({ turn, answer }: Exchange) {
  return {
    input_tokens: turn.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: answer.pieces.length,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: turn.inputTokens + answer.pieces.length,
  };
}

function statusOf({ answer }: Exchange): "completed" | "incomplete" {
  return answer.truncated ? "incomplete" : "completed";
}

function responseOf(exchange: Exchange, status: string, output: unknown[]) {
  const { id, created, turn } = exchange;
  const ended = status !== "in_progress";
  return {
    id: `resp_${id}`,
    object: "response",
    created_at: created,
    status,
    error: null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: null,
    metadata: {},
    model: turn.model,
    output,
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    usage: ended ? usageOf(exchange) : null,
  };
}

function partOf(text: string) {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

function itemOf({ answer, id }: Exchange, status: string, text: string | null) {
  if (answer.tool !== null) {
    return { id: `fc_${id}`, type: "function_call", status, call_id: `call_${id}`, name: answer.tool, arguments: text ?? "" };
  }
  return { id: `msg_${id}`, type: "message", status, role: "assistant", content: text === null ? [] : [partOf(text)] };
}

function* textEvents({ answer, id }: Exchange, text: string): Iterable<Fields> {
  const at = { item_id: `msg_${id}`, output_index: 0, content_index: 0 };
  yield { type: "response.content_part.added", ...at, part: partOf("") };
  for (const delta of answer.pieces) yield { type: "response.output_text.delta", ...at, delta, logprobs: [] };
  yield { type: "response.output_text.done", ...at, text, logprobs: [] };
  yield { type: "response.content_part.done", ...at, part: partOf(text) };
}

function* toolEvents({ answer, id }: Exchange, text: string): Iterable<Fields> {
  const at = { item_id: `fc_${id}`, output_index: 0 };
  for (const delta of answer.pieces) yield { type: "response.function_call_arguments.delta", ...at, delta };
  yield { type: "response.function_call_arguments.done", ...at, name: answer.tool, arguments: text };
}

function* plainEvents(exchange: Exchange): Iterable<Fields> {
  const text = exchange.answer.pieces.join("");
  const status = statusOf(exchange);
  const item = itemOf(exchange, status, text);
  yield { type: "response.created", response: responseOf(exchange, "in_progress", []) };
  yield { type: "response.in_progress", response: responseOf(exchange, "in_progress", []) };
  yield { type: "response.output_item.added", output_index: 0, item: itemOf(exchange, "in_progress", null) };
  yield* exchange.answer.tool === null ? textEvents(exchange, text) : toolEvents(exchange, text);
  yield { type: "response.output_item.done", output_index: 0, item };
  yield { type: `response.${status}`, response: responseOf(exchange, status, [item]) };
}

function* events(exchange: Exchange): Iterable<Event> {
  let sequence = 0;
  for (const fields of plainEvents(exchange)) {
    const type = String(fields["type"]);
    yield { event: type, data: { ...fields, sequence_number: sequence++ }, paced: type.endsWith(".delta") };
  }
}

/** OpenAI Responses. */
export const responses: Writer = {
  whole: (exchange) => {
    const status = statusOf(exchange);
    return responseOf(exchange, status, [itemOf(exchange, status, exchange.answer.pieces.join(""))]);
  },
  events,
};
