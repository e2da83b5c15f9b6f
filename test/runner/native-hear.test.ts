import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { CallFailure } from "../../runner/native/gateway.ts";
import { hear } from "../../runner/native/hear.ts";

const EVENTS = [
  { type: "message_start", message: { id: "msg_1", content: [] } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Größe?" } },
  { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "c2ln" } },
  { type: "content_block_stop", index: 0 },
  { type: "ping" },
  { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Ich sehe " } },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "nach. 🔎" } },
  { type: "content_block_stop", index: 1 },
  { type: "content_block_start", index: 2, content_block: { type: "tool_use", id: "c1", name: "Read", input: {} } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: '{"file_' } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: 'path":"a.txt"}' } },
  { type: "content_block_stop", index: 2 },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 9 } },
  { type: "message_stop" },
];
const bytes = Buffer.from(EVENTS.map((event) => `event: ${event.type}\r\ndata: ${JSON.stringify(event)}\r\n\r\n`).join(""));
const REPLY = {
  content: [
    { type: "thinking", thinking: "Größe?", signature: "c2ln" },
    { type: "text", text: "Ich sehe nach. 🔎" },
    { type: "tool_use", id: "c1", name: "Read", input: { file_path: "a.txt" } },
  ],
  malformed: new Set(),
  stopReason: "tool_use",
};

it("an answer is heard alike wherever its stream is split", async () => {
  for (let at = 0; at <= bytes.length; at++) {
    const parts = [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0);
    expect(await hear(Readable.from(parts, { objectMode: false }), null)).toEqual(REPLY);
  }
});

it("an answer that is cut at any byte is no answer: none of its calls is run", async () => {
  const whole = bytes.indexOf('message_stop"}') + 'message_stop"}'.length;
  for (let at = 0; at < whole; at++) {
    const cut = hear(Readable.from([bytes.subarray(0, at)], { objectMode: false }), "req_1");
    await expect(cut, `cut at ${at}`).rejects.toMatchObject({ name: CallFailure.name, kind: "interrupted", request: "req_1" });
  }
});
