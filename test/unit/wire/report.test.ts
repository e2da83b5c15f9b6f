import Anthropic from "@anthropic-ai/sdk";
import { Stream as AnthropicStream } from "@anthropic-ai/sdk/core/streaming";
import * as fc from "fast-check";
import OpenAI from "openai";
import { Stream as OpenAIStream } from "openai/core/streaming";
import { describe, expect, it } from "vitest";
import { type Capability, NO_USAGE, TollgateError } from "#core";
import { addCostToStream, cutUsageChunk, errorBody, type Reported, reportedFromJson, spliceCost, streamError, StreamReader } from "#wire";
import { passed, splitAt } from "./said.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const event = (data: unknown, name?: string) =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
const read = (capability: Capability, stream: string, at?: number): Reported => {
  const reader = new StreamReader(capability);
  const bytes = encoder.encode(stream);
  reader.push(bytes.subarray(0, at ?? bytes.length));
  reader.push(bytes.subarray(at ?? bytes.length));
  return reader.reported();
};
const chatUsage = {
  prompt_tokens: 100,
  completion_tokens: 40,
  total_tokens: 140,
  prompt_tokens_details: { cached_tokens: 30, audio_tokens: 5, cache_write_tokens: 15 },
  completion_tokens_details: { reasoning_tokens: 25, audio_tokens: 4 },
};

describe("usage", () => {
  it("OpenAI: what stands inside the prompt and the completion is taken out of them", () => {
    const { usage } = reportedFromJson("chat.completions", JSON.stringify({ choices: [], usage: chatUsage }));
    expect(usage).toEqual({
      ...NO_USAGE,
      input: 50,
      cacheRead: 30,
      cacheWrite5m: 15,
      audioInput: 5,
      output: 36,
      audioOutput: 4,
      reasoning: 25,
    });
  });

  it("OpenAI-compatible: billed output is at least the total less the prompt", () => {
    const { usage } = reportedFromJson(
      "chat.completions",
      JSON.stringify({ usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115 } }),
    );
    expect(usage).toMatchObject({ input: 10, output: 105 });
  });

  it("DeepSeek and Groq say it in other places", () => {
    expect(
      reportedFromJson(
        "chat.completions",
        JSON.stringify({ usage: { prompt_tokens: 10, completion_tokens: 5, prompt_cache_hit_tokens: 4 } }),
      ).usage,
    ).toMatchObject({ input: 6, cacheRead: 4 });
    expect(
      read("chat.completions", event({ choices: [], x_groq: { usage: { prompt_tokens: 3, completion_tokens: 2 } } })).usage,
    ).toMatchObject({ input: 3, output: 2 });
  });

  it("Responses: details, tier and searches", () => {
    const response = {
      status: "completed",
      service_tier: "priority",
      output: [{ type: "web_search_call" }, { type: "message", content: [] }],
      usage: {
        input_tokens: 36,
        input_tokens_details: { cached_tokens: 6 },
        output_tokens: 87,
        output_tokens_details: { reasoning_tokens: 80 },
        total_tokens: 123,
      },
    };
    const whole = reportedFromJson("responses", JSON.stringify(response));
    expect(whole).toMatchObject({ serviceTier: "priority", usage: { input: 30, cacheRead: 6, output: 87, reasoning: 80, webSearches: 1 } });
    expect(read("responses", event({ type: "response.completed", response }, "response.completed")).usage).toEqual(whole.usage);
  });

  it("Anthropic: cached input stands beside, five minutes and an hour apart, and later reports replace earlier ones", () => {
    const usage = {
      input_tokens: 10,
      cache_read_input_tokens: 1_000,
      cache_creation_input_tokens: 300,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
      output_tokens: 50,
      server_tool_use: { web_search_requests: 2 },
    };
    const whole = reportedFromJson("messages", JSON.stringify({ content: [], usage })).usage;
    expect(whole).toEqual({ ...NO_USAGE, input: 10, cacheRead: 1_000, cacheWrite5m: 100, cacheWrite1h: 200, output: 50, webSearches: 2 });
    const streamed =
      event({ type: "message_start", message: { usage: { ...usage, output_tokens: 1, server_tool_use: null } } }) +
      event({ type: "message_delta", usage: { output_tokens: 20 } }) +
      event({ type: "message_delta", usage: { output_tokens: 50, server_tool_use: { web_search_requests: 2 } } });
    expect(read("messages", streamed).usage).toEqual(whole);
    expect(
      read("messages", streamed + event({ type: "message_delta", usage: { input_tokens: 12, output_tokens: 55 } })).usage,
    ).toMatchObject({ input: 12, output: 55, cacheRead: 1_000 });
  });

  it("streamed and buffered forms of one answer use the same", () => {
    const chat =
      event({ choices: [{ index: 0, delta: { content: "hi" } }], usage: null }) +
      event({ choices: [], usage: chatUsage }) +
      event("[DONE]");
    expect(read("chat.completions", chat).usage).toEqual(
      reportedFromJson("chat.completions", JSON.stringify({ choices: [], usage: chatUsage })).usage,
    );
    const cumulative =
      event({ choices: [{ index: 0, delta: {} }], usage: { prompt_tokens: 100, completion_tokens: 1 } }) +
      event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: chatUsage });
    expect(read("chat.completions", cumulative).usage).toMatchObject({ output: 36 });
  });

  it("threat 42: lies never throw and never go below zero", () => {
    const lie = fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null), fc.object(), fc.constant(2 ** 60));
    const names = [
      "prompt_tokens",
      "completion_tokens",
      "total_tokens",
      "input_tokens",
      "output_tokens",
      "prompt_tokens_details",
      "cache_creation",
      "cache_read_input_tokens",
    ];
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), lie),
        fc.constantFrom<Capability>("chat.completions", "responses", "messages", "embeddings"),
        (usage, capability) => {
          for (const found of [
            reportedFromJson(capability, JSON.stringify({ usage })).usage,
            read(capability, event({ type: "message_start", message: { usage }, usage, response: { usage } })).usage,
          ]) {
            for (const count of Object.values(found ?? {})) expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
          }
        },
      ),
    );
    expect(reportedFromJson("chat.completions", "<html>")).toMatchObject({ usage: null, complete: false });
  });
});

describe("streams", () => {
  const STREAMS: Readonly<Record<string, readonly [Capability, string]>> = {
    chat: [
      "chat.completions",
      `: hello\r\n\r\n${event({ choices: [{ index: 0, delta: { content: "a\n\ndata: [DONE]\n\n\u2028é" }, finish_reason: null }] })}data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],\ndata: "usage":null}\r\r${event({ choices: [], usage: chatUsage })}${event("[DONE]")}`,
    ],
    responses: [
      "responses",
      event({ type: "response.output_text.delta", delta: "word " }) +
        event({ type: "response.completed", response: { usage: { input_tokens: 1, output_tokens: 2 } } }),
    ],
    messages: [
      "messages",
      event({ type: "message_start", message: { usage: { input_tokens: 3, output_tokens: 1 } } }, "message_start") +
        event({ type: "ping" }, "ping") +
        event({ type: "content_block_delta", delta: { text: "hello" } }) +
        event({ type: "message_delta", usage: { output_tokens: 9 } }) +
        event({ type: "message_stop" }),
    ],
  };

  it.each(Object.keys(STREAMS))("threat 21: %s means the same split at every byte", (name) => {
    const [capability, stream] = STREAMS[name]!;
    const whole = read(capability, stream);
    expect(whole).toMatchObject({ complete: true, failed: false });
    for (let at = 0; at <= encoder.encode(stream).length; at++) expect(read(capability, stream, at)).toEqual(whole);
  });

  it("threat 22: a stream that stops short is not complete, one that errs has failed", () => {
    for (const [capability, stream] of Object.values(STREAMS))
      expect(read(capability, stream.slice(0, stream.length / 3)).complete).toBe(false);
    expect(read("chat.completions", event({ error: { message: "x" } })).failed).toBe(true);
    expect(read("messages", event({ type: "error", error: {} }, "error")).failed).toBe(true);
    expect(read("responses", event({ type: "response.failed", response: {} })).failed).toBe(true);
  });

  it("a line without end is dropped, and what follows is read", () => {
    const reader = new StreamReader("chat.completions");
    for (let at = 0; at < 90; at++) reader.push(encoder.encode("x".repeat(65_536)));
    reader.push(encoder.encode(`\n\n${event({ choices: [], usage: chatUsage })}`));
    expect(reader.reported().usage?.output).toBe(36);
  });

  it("cutting the usage chunk takes that chunk and no other byte, split anywhere", async () => {
    const keep = [
      event({ choices: [{ index: 0, delta: { content: '"choices":[]' } }], usage: null }),
      'data: {"choices":[],"prompt_filter_results":[1]}\r\n\r\n',
      ": ping\n\n",
      event("[DONE]"),
    ];
    const bytes = encoder.encode([keep[0], keep[1], keep[2], event({ choices: [], usage: chatUsage }), keep[3]].join(""));
    for (let at = 0; at <= bytes.length; at += 3)
      expect(decoder.decode(await passed(splitAt(bytes, at), cutUsageChunk()))).toBe(keep.join(""));
  });

  it("a cost goes into the final usage and nowhere else", async () => {
    const shown = { cost: "0.5", details: { input: "0.5" } };
    expect(spliceCost('{"a":[1, 2],"usage" : { "x":1 },"b":{}}', shown)).toBe(
      '{"a":[1, 2],"usage" : { "x":1 ,"cost":"0.5","cost_details":{"input":"0.5"}},"b":{}}',
    );
    expect([spliceCost("<html>", shown), spliceCost('{"usage":null}', shown)]).toEqual(["<html>", '{"usage":null}']);
    const priced = await passed(
      [encoder.encode(STREAMS["responses"]![1])],
      addCostToStream("responses", () => shown),
    );
    expect(decoder.decode(priced)).toBe(
      STREAMS["responses"]![1].replace('"output_tokens":2}', '"output_tokens":2,"cost":"0.5","cost_details":{"input":"0.5"}}'),
    );
  });
});

describe("errors", () => {
  const error = new TollgateError("budget_exceeded", "over", { param: "model", details: { window: "day" } });

  it("stand in the envelope that the caller's SDK reads, with code and details in both", () => {
    expect(JSON.parse(errorBody("openai", error, "req_1"))).toEqual({
      error: { message: "over", type: "billing_error", param: "model", code: "budget_exceeded", details: { window: "day" } },
    });
    expect(JSON.parse(errorBody("anthropic", error, "req_1"))).toMatchObject({
      type: "error",
      error: { type: "billing_error", message: "over", code: "budget_exceeded", details: { window: "day" } },
      request_id: "req_1",
    });
  });

  it("in the middle of a stream raise in the vendors' own stream readers", async () => {
    const drain = async (stream: AsyncIterable<unknown>) => {
      for await (const _ of stream);
    };
    const answer = (capability: Capability) =>
      new Response(streamError(capability, error, "req_1"), { headers: { "content-type": "text/event-stream" } });
    await expect(drain(OpenAIStream.fromSSEResponse(answer("chat.completions"), new AbortController()))).rejects.toBeInstanceOf(
      OpenAI.APIError,
    );
    await expect(drain(AnthropicStream.fromSSEResponse(answer("messages"), new AbortController()))).rejects.toBeInstanceOf(
      Anthropic.APIError,
    );
    for (const capability of ["chat.completions", "messages", "responses"] as const)
      expect(streamError(capability, error, "r")).not.toContain("[DONE]");
    expect(read("responses", streamError("responses", error, "req_1"))).toMatchObject({ failed: true, complete: true });
  });
});
