import { createServer } from "node:http";

/** A provider that answers at once: what is measured is the way to it. Prints its port when it listens. */

const CHUNKS = 20;
const usage = { prompt_tokens: 12, completion_tokens: CHUNKS, total_tokens: 12 + CHUNKS };
const base = { id: "chatcmpl-bench", created: 1_700_000_000, model: "gpt-4o-mini" };
const answer = JSON.stringify({
  ...base,
  object: "chat.completion",
  choices: [
    { index: 0, message: { role: "assistant", content: "word ".repeat(CHUNKS), refusal: null }, logprobs: null, finish_reason: "stop" },
  ],
  usage,
});
const chunk = (facts: object) => `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", ...facts })}\n\n`;
const delta = chunk({ choices: [{ index: 0, delta: { content: "word " }, logprobs: null, finish_reason: null }] });
const last = chunk({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }] });
const usageChunk = chunk({ choices: [], usage });

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (text: string) => (body += text));
  request.on("end", () => {
    if (!body.includes('"stream":true')) {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
      response.end(answer);
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    let sent = 0;
    const more = () => {
      if (sent++ < CHUNKS) {
        response.write(delta);
        setImmediate(more);
        return;
      }
      response.end(`${last}${body.includes('"include_usage":true') ? usageChunk : ""}data: [DONE]\n\n`);
    };
    more();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address && typeof address === "object") console.log(address.port);
});
