import { writeFileSync } from "node:fs";
import { type Pair, StreamTranslator, translateAnswer, translateRequest } from "#translation";
import { readAsk } from "#wire";

/**
 * `node bench/translation.ts`: what translation adds to a request, in microseconds of processor time, on Node; whatever else runs on the
 * machine counts little. Writes bench/translation.json.
 */

const ROUNDS = 9;
const DELTAS = 400;
const encoder = new TextEncoder();

function microseconds(step: () => unknown, calls: number): number {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let call = 0; call < calls; call++) step();
    const { user, system } = process.cpuUsage(start);
    found.push((user + system) / calls);
  }
  return found.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
}

const round = (value: number) => Number(value.toFixed(1));
const event = (type: string, facts: object) => encoder.encode(`event: ${type}\ndata: ${JSON.stringify({ type, ...facts })}\n\n`);

const usage = { input_tokens: 30, output_tokens: DELTAS };
const messages = [
  event("message_start", { message: { id: "msg_1", model: "m", content: [], usage } }),
  event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
  ...Array.from({ length: DELTAS }, () => event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "word " } })),
  event("content_block_stop", { index: 0 }),
  event("message_delta", { delta: { stop_reason: "end_turn" }, usage }),
  event("message_stop", {}),
];
const choice = { index: 0, delta: { content: "word " }, logprobs: null, finish_reason: null };
const chunk = encoder.encode(
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", model: "m", choices: [choice] })}\n\n`,
);
const chat = [...Array.from({ length: DELTAS }, () => chunk), encoder.encode("data: [DONE]\n\n")];

/** One event a chunk, as providers mostly send them. */
function perChunk(pair: Pair, chunks: readonly Uint8Array[]): number {
  const once = () => {
    const translator = new StreamTranslator(pair, { requestId: "req_1", created: 1, includeUsage: true });
    for (const each of chunks) encoder.encode(translator.push(each));
    return translator.end();
  };
  return round(microseconds(once, 20) / chunks.length);
}

const turns = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ role: at % 2 === 0 ? "user" : "assistant", content: "Some words of a turn. ".repeat(15) }));
const tool = { type: "function", function: { name: "f", description: "x".repeat(200), parameters: { type: "object", properties: {} } } };
const small = { model: "m", max_tokens: 9, messages: turns(1) };
const large = { model: "m", max_tokens: 9, messages: turns(21), tools: Array.from({ length: 10 }, () => tool) };
const toClaude = { from: "openai-chat", to: "anthropic" } as const;

/** The request said anew, written, and read again as the provider's. */
function perRequest(body: Readonly<Record<string, unknown>>): number {
  const once = () => {
    const said = translateRequest(body, toClaude, "m", { maxTokens: 9, openai: false });
    return readAsk("messages", encoder.encode(JSON.stringify(said.body)));
  };
  return round(microseconds(once, 300));
}

const answer = JSON.stringify({
  id: "msg_1",
  model: "m",
  content: [{ type: "text", text: "word ".repeat(DELTAS) }],
  stop_reason: "end_turn",
  usage,
});

const results = {
  "a request of one turn": perRequest(small),
  "a request of 21 turns and ten tools (10 kB)": perRequest(large),
  "a whole answer of 400 words": round(microseconds(() => translateAnswer(answer, toClaude, { created: 1 }), 500)),
  "a chunk of Messages in Chat Completions": perChunk(toClaude, messages),
  "a chunk of Messages in Responses": perChunk({ from: "openai-responses", to: "anthropic" }, messages),
  "a chunk of Chat Completions in Messages": perChunk({ from: "anthropic", to: "openai-chat" }, chat),
};
console.table(results);
writeFileSync("bench/translation.json", `${JSON.stringify({ unit: "µs of processor time", node: process.version, results }, null, 2)}\n`);
