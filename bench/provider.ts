import { createServer } from "node:http";

/**
 * A provider that answers at once, with a word for each of `max_tokens`, or one each `x-bench-pace-ms`: what is measured is the way to it.
 * Prints its port when it listens.
 */

const usageOf = (words: number) => ({ prompt_tokens: 12, completion_tokens: words, total_tokens: 12 + words });
const base = { id: "chatcmpl-bench", created: 1_700_000_000, model: "gpt-4o-mini" };
const answerOf = (words: number) =>
  JSON.stringify({
    ...base,
    object: "chat.completion",
    choices: [
      { index: 0, message: { role: "assistant", content: "word ".repeat(words), refusal: null }, logprobs: null, finish_reason: "stop" },
    ],
    usage: usageOf(words),
  });
const chunk = (facts: object) => `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", ...facts })}\n\n`;
const delta = chunk({ choices: [{ index: 0, delta: { content: "word " }, logprobs: null, finish_reason: null }] });
const last = chunk({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }] });
const usageChunk = (words: number) => chunk({ choices: [], usage: usageOf(words) });

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (text: string) => (body += text));
  request.on("end", () => {
    const words = Number(/"max_tokens":(\d+)/.exec(body)?.[1] ?? 1);
    if (!body.includes('"stream":true')) {
      const answer = answerOf(words);
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
      response.end(answer);
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const paceMs = Number(request.headers["x-bench-pace-ms"] ?? 0);
    const later = paceMs > 0 ? () => setTimeout(more, paceMs) : () => setImmediate(more);
    let sent = 0;
    const more = () => {
      if (sent++ < words) {
        response.write(delta);
        later();
        return;
      }
      response.end(`${last}${body.includes('"include_usage":true') ? usageChunk(words) : ""}data: [DONE]\n\n`);
    };
    more();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address && typeof address === "object") console.log(address.port);
});
