import type { Event, Exchange, Writer } from "./dialect.ts";

function usageOf({ turn }: Exchange, outputTokens: number) {
  return { input_tokens: turn.inputTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: outputTokens };
}

function stopOf({ answer }: Exchange): string {
  if (answer.tool !== null) return "tool_use";
  return answer.truncated ? "max_tokens" : "end_turn";
}

function messageOf(exchange: Exchange, content: unknown[], stop: string | null, outputTokens: number) {
  const { id, turn } = exchange;
  return {
    id: `msg_${id}`,
    type: "message",
    role: "assistant",
    model: turn.model,
    content,
    stop_reason: stop,
    stop_sequence: null,
    usage: usageOf(exchange, outputTokens),
  };
}

function whole(exchange: Exchange): unknown {
  const { answer, id } = exchange;
  const text = answer.pieces.join("");
  const block =
    answer.tool === null
      ? { type: "text", text, citations: null }
      : { type: "tool_use", id: `toolu_${id}`, name: answer.tool, input: JSON.parse(text) as unknown };
  return messageOf(exchange, [block], stopOf(exchange), answer.pieces.length);
}

function* plainEvents(exchange: Exchange): Iterable<{ type: string; paced?: boolean; [field: string]: unknown }> {
  const { answer, id } = exchange;
  yield { type: "message_start", message: messageOf(exchange, [], null, 1) };
  const block = answer.tool === null ? { type: "text", text: "" } : { type: "tool_use", id: `toolu_${id}`, name: answer.tool, input: {} };
  yield { type: "content_block_start", index: 0, content_block: block };
  yield { type: "ping" };
  for (const piece of answer.pieces) {
    const delta = answer.tool === null ? { type: "text_delta", text: piece } : { type: "input_json_delta", partial_json: piece };
    yield { type: "content_block_delta", index: 0, delta };
  }
  yield { type: "content_block_stop", index: 0 };
  const delta = { stop_reason: stopOf(exchange), stop_sequence: null };
  yield { type: "message_delta", delta, usage: usageOf(exchange, answer.pieces.length) };
  yield { type: "message_stop" };
}

function* events(exchange: Exchange): Iterable<Event> {
  for (const data of plainEvents(exchange)) yield { event: data.type, data, paced: data.type === "content_block_delta" };
}

/** Anthropic Messages. */
export const messages: Writer = { whole, events };
