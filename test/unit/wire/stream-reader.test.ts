import { Stream as AnthropicStream } from "@anthropic-ai/sdk/core/streaming";
import * as fc from "fast-check";
import { Stream as OpenAIStream } from "openai/core/streaming";
import { describe, expect, it } from "vitest";
import { type Capability, NO_USAGE } from "#core";
import { StreamReader } from "#wire";
import { bytesOf, event, oneByOne, read, readAll, splitAt } from "./said.ts";

/** Text that would end an event, end a stream or start one, were it not inside JSON. */
const HOSTILE = 'a\n\ndata: [DONE]\n\n\r\rdata: {"usage":{"completion_tokens":9}}\r\n\r\n\u2028\u2029\u0085\ufeffé😀';
const chunk = (delta: object, finish: string | null = null, index = 0) =>
  event({ choices: [{ index, delta, finish_reason: finish }], usage: null });
const usage = { prompt_tokens: 11, completion_tokens: 6, total_tokens: 17 };
const counted = { ...NO_USAGE, input: 11, output: 6 };

const STREAMS: readonly [string, Capability, string][] = [
  [
    "chat",
    "chat.completions",
    `: hello\n\n${chunk({ role: "assistant", content: "" })}${chunk({ content: HOSTILE })}${chunk({}, "stop")}${event({ choices: [], usage })}${event("[DONE]")}`,
  ],
  ["completions", "completions", event({ choices: [{ index: 0, text: HOSTILE }] }) + event({ choices: [], usage }) + event("[DONE]")],
  [
    "responses",
    "responses",
    event({ type: "response.created", response: { usage: null } }, "response.created") +
      event({ type: "response.output_text.delta", delta: HOSTILE }, "response.output_text.delta") +
      event({ type: "response.completed", response: { usage: { input_tokens: 11, output_tokens: 6 } } }, "response.completed"),
  ],
  [
    "messages",
    "messages",
    event({ type: "message_start", message: { usage: { input_tokens: 11, output_tokens: 1 } } }, "message_start") +
      event({ type: "ping" }, "ping") +
      event({ type: "content_block_delta", delta: { type: "text_delta", text: HOSTILE } }, "content_block_delta") +
      event({ type: "message_delta", usage: { output_tokens: 6 } }, "message_delta") +
      event({ type: "message_stop" }, "message_stop"),
  ],
];
const LINE_ENDS = [
  ["LF", "\n"],
  ["CRLF", "\r\n"],
  ["CR", "\r"],
] as const;
const FORMS = STREAMS.flatMap(([name, capability, stream]) =>
  LINE_ENDS.map(([ends, end]) => [name, ends, capability, stream.replaceAll("\n", end)] as const),
);

describe("threat 21: a stream whose text looks like events", () => {
  it.each(FORMS)("%s with %s means the same split at every byte offset, and none of it is forged", (_name, _ends, capability, stream) => {
    const whole = read(capability, stream);
    expect(whole).toEqual({
      usage: counted,
      serviceTier: null,
      complete: true,
      failed: false,
      unbilled: false,
      outputTokens: whole.outputTokens,
    });
    expect(whole.outputTokens).toBe(Math.ceil(bytesOf(HOSTILE).length / 4));
    const bytes = bytesOf(stream);
    for (let at = 0; at <= bytes.length; at++) expect(readAll(capability, splitAt(bytes, at))).toEqual(whole);
    expect(readAll(capability, oneByOne(bytes))).toEqual(whole);
  });

  it("means the same in any number of pieces", () => {
    fc.assert(
      fc.property(fc.constantFrom(...FORMS), fc.array(fc.double({ min: 0, max: 1, noNaN: true })), ([, , capability, stream], cuts) => {
        const bytes = bytesOf(stream);
        const offsets = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b), bytes.length];
        const pieces = offsets.slice(1).map((end, at) => bytes.subarray(offsets[at], end));
        expect(readAll(capability, pieces)).toEqual(read(capability, stream));
      }),
    );
  });

  it("does not end where its text says that it does", () => {
    const [, , chat] = STREAMS[0]!;
    const cut = chat.slice(0, chat.indexOf('"finish_reason":"stop"'));
    expect(cut).toContain("[DONE]");
    expect(read("chat.completions", cut)).toMatchObject({ complete: false, usage: null });
  });

  it("is cut into events as the vendors' own readers cut it", async () => {
    for (const [, , capability, stream] of FORMS) {
      const answer = new Response(stream, { headers: { "content-type": "text/event-stream" } });
      const Reader = capability === "messages" ? AnthropicStream : OpenAIStream;
      const texts: string[] = [];
      for await (const each of Reader.fromSSEResponse<Record<string, unknown>>(answer, new AbortController()))
        texts.push(JSON.stringify(each));
      const told = texts.map((text) => event(text)).join("") + event("[DONE]");
      expect(read(capability, told)).toEqual(read(capability, stream));
    }
  });
});

describe("an event stream", () => {
  const parts = JSON.stringify({ choices: [], usage }).split(",");

  it("may break its data over several lines", () => {
    for (const [, end] of LINE_ENDS)
      expect(
        read("chat.completions", `${parts.map((part, at) => `data: ${part}${at < parts.length - 1 ? "," : ""}${end}`).join("")}${end}`)
          .usage,
      ).toEqual(counted);
  });

  it("may open with a byte order mark, leave out the space, name fields that nobody knows, and hold comments", () => {
    const odd = `\ufeff: comment\ndata\nid: 7\nretry: 9\nusage: {"completion_tokens":99}\ndata:${JSON.stringify({ choices: [], usage })}\n\n`;
    expect(read("chat.completions", odd).usage).toEqual(counted);
    expect(read("chat.completions", `\ufeff${event({ choices: [], usage })}`).usage).toEqual(counted);
  });

  it("may mix line ends", () => {
    const json = JSON.stringify({ choices: [], usage });
    for (const blank of ["\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\r\n\n", "\n\r", "\r\n\r"])
      expect(read("chat.completions", `data: ${json}${blank}data: [DONE]\n\n`)).toMatchObject({ usage: counted, complete: true });
  });

  it("takes no data that is not an object, and no broken JSON", () => {
    for (const data of ["null", "7", '"[DONE]"', "[]", "{", "", "undefined", '{"choices":7}', '{"choices":[null,7]}'])
      expect(read("chat.completions", event(data) + event({ choices: [], usage }))).toMatchObject({ usage: counted, complete: false });
  });

  it("that is not valid UTF-8 is read on behind what is broken", () => {
    const bytes = new Uint8Array([...bytesOf("data: "), 0xff, 0xc3, 0x28, ...bytesOf(`\n\n${event({ choices: [], usage })}`)]);
    expect(readAll("chat.completions", oneByOne(bytes)).usage).toEqual(counted);
  });

  it("never makes the reader throw, whatever it holds", () => {
    const pieces = fc.array(
      fc.oneof(fc.uint8Array(), fc.constantFrom("data: {", '"usage":', "}", "\n\n", "\r", "event: error").map(bytesOf)),
    );
    fc.assert(
      fc.property(pieces, fc.constantFrom(...STREAMS), (pieces, [, capability, stream]) => {
        const after = [...pieces, bytesOf(`\n\n${stream}`)];
        expect(readAll(capability, after)).toMatchObject({ usage: counted, complete: true });
      }),
    );
  });
});

describe("threat 42: memory stays bounded", () => {
  const piece = new Uint8Array(65_536).fill(120);
  const rest = bytesOf(`\n\n${event({ choices: [], usage })}`);

  it("a line without end is dropped, and what follows is read", () => {
    const reader = new StreamReader("chat.completions");
    reader.push(bytesOf("data: "));
    for (let at = 0; at < 90; at++) reader.push(piece);
    reader.push(rest);
    expect(reader.reported().usage).toEqual(counted);
  });

  it("an event of endless lines is dropped, and what follows is read", () => {
    const reader = new StreamReader("chat.completions");
    const line = bytesOf(`data: ${"x".repeat(65_536)}\n`);
    for (let at = 0; at < 90; at++) reader.push(line);
    reader.push(bytesOf(`data: [DONE]${new TextDecoder().decode(rest)}`));
    expect(reader.reported()).toMatchObject({ usage: counted, complete: false });
  });

  it("whether an event is too large does not hang on how it is split", () => {
    for (const [spare, kept] of [
      [0, true],
      [1, false],
    ] as const) {
      const frame = 'data: {"usage":{"prompt_tokens":11,"completion_tokens":6},"x":""}';
      const line = frame.replace('""', `"${"x".repeat(16 * 1024 * 1024 - frame.length + spare)}"`);
      for (const end of ["\n\n", "\r\r", "\r\n\r\n"]) {
        const bytes = bytesOf(`${line}${end}data: [DONE]\n\n`);
        for (const at of [0, 9, line.length - 1, line.length, line.length + 1, line.length + 2, line.length + 3])
          expect(readAll("chat.completions", splitAt(bytes, at))).toMatchObject({ usage: kept ? counted : null, complete: true });
      }
    }
  });

  it("choices without number are not all followed", () => {
    const reader = new StreamReader("chat.completions");
    for (let at = 0; at < 5_000; at++) reader.push(bytesOf(chunk({ content: "x" }, null, at)));
    expect(reader.reported()).toMatchObject({ outputTokens: 5_000, complete: false });
    reader.push(bytesOf(event("[DONE]")));
    expect(reader.reported().complete).toBe(true);
  });
});

describe("threat 22: how a stream ends", () => {
  it.each(STREAMS)("%s is not complete at any offset before its end", (_name, capability, stream) => {
    const ends = {
      "chat.completions": '"finish_reason":"stop"',
      completions: "[DONE]",
      responses: "event: response.completed",
      messages: "event: message_stop",
    };
    const bytes = bytesOf(stream.slice(0, stream.lastIndexOf(ends[capability as keyof typeof ends])));
    const reader = new StreamReader(capability);
    for (const byte of oneByOne(bytes)) {
      reader.push(byte);
      expect(reader.reported().complete).toBe(false);
    }
    reader.push(bytesOf(stream.slice(stream.lastIndexOf(ends[capability as keyof typeof ends]))));
    expect(reader.reported().complete).toBe(true);
  });

  it("a half event at the end does not count", () => {
    expect(read("chat.completions", "data: [DONE]").complete).toBe(false);
    expect(read("chat.completions", "data: [DONE]\n").complete).toBe(false);
    expect(read("chat.completions", "data: [DONE]\n\n").complete).toBe(true);
  });

  it("chat without [DONE] is complete once every choice that began has its reason, and not before", () => {
    const reader = new StreamReader("chat.completions");
    const complete = [
      chunk({ content: "a" }),
      chunk({}, "stop"),
      chunk({ content: "b" }, null, 1),
      chunk({ content: "c" }, null, 1),
      chunk({}, "length", 1),
      event({ choices: [], usage }),
    ].map((each) => {
      reader.push(bytesOf(each));
      return reader.reported().complete;
    });
    expect(complete).toEqual([false, true, false, false, true, true]);
  });

  it("an error in band is told, in every dialect's form", () => {
    const error = { message: "overloaded", type: "server_error" };
    expect(read("chat.completions", event({ error }))).toMatchObject({ failed: true, complete: false });
    expect(read("chat.completions", event({ error: null, choices: [] })).failed).toBe(false);
    expect(read("responses", event({ type: "error", message: "x" }, "error"))).toMatchObject({ failed: true, complete: false });
    expect(read("responses", event({ type: "response.failed", response: { error } }, "response.failed"))).toMatchObject({
      failed: true,
      complete: true,
    });
    expect(read("messages", event({ type: "error", error }, "error"))).toMatchObject({ failed: true, complete: false });
    expect(read("messages", event({ error }, "error")).failed).toBe(true);
  });
});

describe("our own count of what was said", () => {
  it("is a token for each short delta and a quarter of the bytes of a longer text", () => {
    expect(read("chat.completions", chunk({ content: "" })).outputTokens).toBe(0);
    expect(read("chat.completions", chunk({ content: "Hi" }) + chunk({ content: " there," })).outputTokens).toBe(2);
    expect(read("chat.completions", chunk({ content: "x".repeat(400) })).outputTokens).toBe(100);
    expect(read("chat.completions", chunk({ content: "漢".repeat(100) })).outputTokens).toBe(75);
  });

  it.each<[string, Capability, object]>([
    ["a refusal", "chat.completions", { choices: [{ delta: { refusal: "no" } }] }],
    ["reasoning", "chat.completions", { choices: [{ delta: { reasoning_content: "hm" } }] }],
    ["reasoning by another name", "chat.completions", { choices: [{ delta: { reasoning: "hm" } }] }],
    ["a tool's name", "chat.completions", { choices: [{ delta: { tool_calls: [{ function: { name: "look" } }] } }] }],
    ["a tool's arguments", "chat.completions", { choices: [{ delta: { tool_calls: [{ function: { arguments: '{"a"' } }] } }] }],
    ["a custom tool's input", "chat.completions", { choices: [{ delta: { tool_calls: [{ custom: { input: "x" } }] } }] }],
    ["a function's arguments", "chat.completions", { choices: [{ delta: { function_call: { arguments: "{" } } }] }],
    ["legacy text", "completions", { choices: [{ text: "x" }] }],
    ["a response's text", "responses", { type: "response.output_text.delta", delta: "x" }],
    ["a response's arguments", "responses", { type: "response.function_call_arguments.delta", delta: "x" }],
    ["a response's refusal", "responses", { type: "response.refusal.delta", delta: "x" }],
    ["a block's text", "messages", { type: "content_block_delta", delta: { text: "x" } }],
    ["a block's thinking", "messages", { type: "content_block_delta", delta: { thinking: "x" } }],
    ["a block's input", "messages", { type: "content_block_delta", delta: { partial_json: "{" } }],
  ])("has %s", (_what, capability, said) => {
    expect(read(capability, event(said)).outputTokens).toBe(1);
  });
});
