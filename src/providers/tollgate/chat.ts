import type { Event, Exchange, Writer } from "./dialect.ts";

function usageOf({ turn, answer }: Exchange) {
  const completion = answer.pieces.length;
  return {
    prompt_tokens: turn.inputTokens,
    completion_tokens: completion,
    total_tokens: turn.inputTokens + completion,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function finishOf({ answer }: Exchange): string {
  if (answer.tool !== null) return "tool_calls";
  return answer.truncated ? "length" : "stop";
}

function chatWhole(exchange: Exchange): unknown {
  const { answer, id, created, turn } = exchange;
  const text = answer.pieces.join("");
  const call = { id: `call_${id}`, type: "function", function: { name: answer.tool, arguments: text } };
  const message =
    answer.tool === null
      ? { role: "assistant", content: text, refusal: null }
      : { role: "assistant", content: null, refusal: null, tool_calls: [call] };
  return {
    id: `chatcmpl-${id}`,
    object: "chat.completion",
    created,
    model: turn.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishOf(exchange) }],
    usage: usageOf(exchange),
  };
}

function* chatEvents(exchange: Exchange): Iterable<Event> {
  const { answer, id, created, turn } = exchange;
  const head = { id: `chatcmpl-${id}`, object: "chat.completion.chunk", created, model: turn.model };
  const usage = turn.includeUsage ? { usage: null } : {};
  const chunk = (delta: unknown, finish: string | null) => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...usage,
  });
  const call = { index: 0, id: `call_${id}`, type: "function", function: { name: answer.tool, arguments: "" } };
  const first = answer.tool === null ? { content: "" } : { content: null, tool_calls: [call] };
  yield { data: chunk({ role: "assistant", ...first }, null) };
  for (const piece of answer.pieces) {
    const delta = answer.tool === null ? { content: piece } : { tool_calls: [{ index: 0, function: { arguments: piece } }] };
    yield { data: chunk(delta, null), paced: true };
  }
  yield { data: chunk({}, finishOf(exchange)) };
  if (turn.includeUsage) yield { data: { ...head, choices: [], usage: usageOf(exchange) } };
  yield { data: "[DONE]" };
}

function completion(exchange: Exchange, text: string, finish: string | null) {
  const { id, created, turn } = exchange;
  const choices = [{ index: 0, text, logprobs: null, finish_reason: finish }];
  return { id: `cmpl-${id}`, object: "text_completion", created, model: turn.model, choices };
}

function* completionEvents(exchange: Exchange): Iterable<Event> {
  for (const piece of exchange.answer.pieces) yield { data: completion(exchange, piece, null), paced: true };
  yield { data: completion(exchange, "", finishOf(exchange)) };
  if (exchange.turn.includeUsage) yield { data: { ...completion(exchange, "", null), choices: [], usage: usageOf(exchange) } };
  yield { data: "[DONE]" };
}

/** OpenAI Chat Completions. */
export const chat: Writer = { whole: chatWhole, events: chatEvents };

/** OpenAI legacy completions. */
export const completions: Writer = {
  whole: (exchange) => ({
    ...completion(exchange, exchange.answer.pieces.join(""), finishOf(exchange)),
    usage: usageOf(exchange),
  }),
  events: completionEvents,
};
