import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Capability, inputTokens, NO_USAGE, outputTokens } from "#core";
import { reportedFromJson } from "#wire";
import { event, read } from "./said.ts";

const whole = (capability: Capability, answer: unknown) => reportedFromJson(capability, JSON.stringify(answer));

describe("OpenAI chat usage", () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 40,
    total_tokens: 140,
    prompt_tokens_details: { cached_tokens: 30, audio_tokens: 5, cache_write_tokens: 15 },
    completion_tokens_details: { reasoning_tokens: 25, audio_tokens: 4 },
  };

  it("takes what stands inside the prompt and the completion out of them", () => {
    const read = whole("chat.completions", { choices: [], usage }).usage!;
    const split = { input: 50, cacheRead: 30, cacheWrite5m: 15, audioInput: 5, output: 36, audioOutput: 4, reasoning: 25 };
    expect(read).toEqual({ ...NO_USAGE, ...split });
    expect([inputTokens(read), outputTokens(read)]).toEqual([100, 40]);
  });

  it("bills at least the total less the prompt, for providers that leave reasoning out of the completion", () => {
    expect(whole("chat.completions", { usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115 } }).usage).toMatchObject({
      input: 10,
      output: 105,
    });
    expect(whole("chat.completions", { usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 1 } }).usage).toMatchObject({
      input: 10,
      output: 5,
    });
  });

  it("of DeepSeek and of Groq stands in other places", () => {
    expect(
      whole("chat.completions", { usage: { prompt_tokens: 10, completion_tokens: 5, prompt_cache_hit_tokens: 4 } }).usage,
    ).toMatchObject({ input: 6, cacheRead: 4 });
    const groq = { choices: [], x_groq: { usage: { prompt_tokens: 3, completion_tokens: 2 } } };
    expect(read("chat.completions", event(groq)).usage).toMatchObject({ input: 3, output: 2 });
    expect(read("chat.completions", event({ ...groq, usage: {} })).usage).toMatchObject({ input: 3, output: 2 });
  });

  it("of embeddings has input alone, and of legacy completions both", () => {
    expect(whole("embeddings", { data: [], usage: { prompt_tokens: 8, total_tokens: 8 } }).usage).toEqual({ ...NO_USAGE, input: 8 });
    expect(whole("completions", { choices: [{ text: "x" }], usage: { prompt_tokens: 8, completion_tokens: 2 } }).usage).toEqual({
      ...NO_USAGE,
      input: 8,
      output: 2,
    });
  });

  it("that grows chunk by chunk counts by its last", () => {
    const chunk = (tokens: number) => event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: tokens } });
    expect(read("chat.completions", chunk(1) + chunk(2) + chunk(9)).usage).toMatchObject({ input: 7, output: 9 });
  });

  it("in a last chunk that has choices counts as well", () => {
    const last = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage };
    expect(read("chat.completions", event(last)).usage).toEqual(whole("chat.completions", { usage }).usage);
  });
});

describe("Responses usage", () => {
  const response = {
    status: "completed",
    service_tier: "priority",
    output: [{ type: "web_search_call" }, { type: "message", content: [] }, { type: "web_search_call" }],
    usage: {
      input_tokens: 36,
      input_tokens_details: { cached_tokens: 6, cache_write_tokens: 10 },
      output_tokens: 87,
      output_tokens_details: { reasoning_tokens: 80 },
      total_tokens: 123,
    },
  };

  it("has details, tier, and a search for each of its calls", () => {
    const read = { ...NO_USAGE, input: 20, cacheRead: 6, cacheWrite5m: 10, output: 87, reasoning: 80, webSearches: 2 };
    expect(whole("responses", response)).toMatchObject({ serviceTier: "priority", usage: read });
  });

  it.each(["response.completed", "response.incomplete", "response.failed"])("counts at %s", (type) => {
    expect(read("responses", event({ type, response }, type)).usage).toEqual(whole("responses", response).usage);
  });

  it("does not count before the end", () => {
    expect(read("responses", event({ type: "response.in_progress", response })).usage).toBeNull();
  });
});

describe("Anthropic usage", () => {
  const usage = {
    input_tokens: 10,
    cache_read_input_tokens: 1_000,
    cache_creation_input_tokens: 300,
    cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
    output_tokens: 50,
    output_tokens_details: { thinking_tokens: 30 },
    server_tool_use: { web_search_requests: 2 },
    service_tier: "priority",
  };
  const counted = {
    ...NO_USAGE,
    input: 10,
    cacheRead: 1_000,
    cacheWrite5m: 100,
    cacheWrite1h: 200,
    output: 50,
    reasoning: 30,
    webSearches: 2,
  };
  const start = (more: object) => event({ type: "message_start", message: { usage: { ...usage, ...more } } });
  const delta = (more: object) => event({ type: "message_delta", usage: more });

  it("has cached input beside the rest, five minutes and an hour apart", () => {
    expect(whole("messages", { content: [], usage })).toMatchObject({ usage: counted, serviceTier: "priority" });
  });

  it("streams as it stands in a whole answer, each later report over the earlier", () => {
    const streamed = start({ output_tokens: 1, output_tokens_details: null, server_tool_use: null }) + delta({ output_tokens: 20 });
    const last = { output_tokens: 50, output_tokens_details: { thinking_tokens: 30 }, server_tool_use: { web_search_requests: 2 } };
    expect(read("messages", streamed + delta(last)).usage).toEqual(counted);
    expect(read("messages", streamed + delta({ input_tokens: 12, output_tokens: 55 })).usage).toMatchObject({
      input: 12,
      output: 55,
      cacheRead: 1_000,
      cacheWrite5m: 100,
      cacheWrite1h: 200,
    });
  });

  it("keeps what is told of cache writes as a sum where it belongs: to five minutes unless an hour is known", () => {
    const told = (more: object) => whole("messages", { usage: { input_tokens: 1, output_tokens: 1, ...more } }).usage;
    expect(told({ cache_creation_input_tokens: 300 })).toMatchObject({ cacheWrite5m: 300, cacheWrite1h: 0 });
    expect(told({ cache_creation: { ephemeral_1h_input_tokens: 200 }, cache_creation_input_tokens: 300 })).toMatchObject({
      cacheWrite5m: 100,
      cacheWrite1h: 200,
    });
    expect(told({ cache_creation: { ephemeral_5m_input_tokens: 7 } })).toMatchObject({ cacheWrite5m: 7, cacheWrite1h: 0 });
    expect(read("messages", start({}) + delta({ output_tokens: 1, cache_creation_input_tokens: 350 })).usage).toMatchObject({
      cacheWrite5m: 150,
      cacheWrite1h: 200,
    });
  });
});

describe("one answer", () => {
  const USAGES: readonly [Capability, object, (usage: object) => string][] = [
    [
      "chat.completions",
      { prompt_tokens: 9, completion_tokens: 4, total_tokens: 20, completion_tokens_details: { reasoning_tokens: 7 } },
      (usage) =>
        event({ choices: [{ index: 0, delta: { content: "hi" } }], usage: null }) + event({ choices: [], usage }) + event("[DONE]"),
    ],
    [
      "completions",
      { prompt_tokens: 9, completion_tokens: 4 },
      (usage) => event({ choices: [{ index: 0, text: "hi" }] }) + event({ choices: [], usage }) + event("[DONE]"),
    ],
    [
      "responses",
      { input_tokens: 9, output_tokens: 4, input_tokens_details: { cached_tokens: 3 } },
      (usage) => event({ type: "response.output_text.delta", delta: "hi" }) + event({ type: "response.completed", response: { usage } }),
    ],
    [
      "messages",
      { input_tokens: 9, output_tokens: 4, cache_read_input_tokens: 8 },
      (usage) =>
        event({ type: "message_start", message: { usage: { ...usage, output_tokens: 1 } } }) +
        event({ type: "message_delta", usage }) +
        event({ type: "message_stop" }),
    ],
  ];

  it.each(USAGES)("of %s costs the same streamed and whole", (capability, usage, streamed) => {
    const buffered = whole(capability, { choices: [], content: [], usage });
    expect(buffered).toMatchObject({ complete: true, failed: false });
    expect(buffered.usage).not.toBeNull();
    expect(read(capability, streamed(usage))).toMatchObject({ usage: buffered.usage, complete: true });
  });
});

describe("threat 42: an upstream's lies", () => {
  const CAPABILITIES: readonly Capability[] = ["chat.completions", "completions", "responses", "messages", "embeddings", "count_tokens"];
  const NAMES = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "prompt_cache_hit_tokens",
  ];
  const PARTS = ["cached_tokens", "cache_write_tokens", "audio_tokens", "reasoning_tokens", "thinking_tokens", "web_search_requests"];
  const GROUPS = ["prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details", "server_tool_use"];
  const large = fc.integer({ min: Number.MAX_SAFE_INTEGER - 3, max: Number.MAX_SAFE_INTEGER });
  const lie = fc.oneof(fc.integer(), large, fc.double(), fc.string(), fc.constantFrom(null, -1, 2 ** 53, 2 ** 60, 1e308, true, [], {}));
  const lies = fc.dictionary(fc.constantFrom(...NAMES), lie);
  const grouped = fc.dictionary(fc.constantFrom(...GROUPS), fc.oneof(lie, fc.dictionary(fc.constantFrom(...PARTS), lie)));
  const writes = fc.dictionary(fc.constantFrom("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"), lie);
  const usage = fc
    .tuple(lies, grouped, fc.oneof(lie, writes))
    .map(([flat, groups, kept]) => ({ ...flat, ...groups, cache_creation: kept }));

  it("never throw, never go below zero, never exceed what can be counted, and reasoning stays within output", () => {
    fc.assert(
      fc.property(fc.array(usage, { minLength: 1, maxLength: 3 }), fc.constantFrom(...CAPABILITIES), (usages, capability) => {
        const stream = usages.map((usage) => event({ type: "message_delta", choices: [], usage, response: { usage } })).join("");
        const started = event({ type: "message_start", message: { usage: usages[0] } });
        const ended = event({ type: "response.completed", response: { usage: usages[0], output: usages } });
        for (const found of [whole(capability, { usage: usages[0] }).usage, read(capability, started + stream + ended).usage]) {
          const counts = Object.values(found ?? {});
          expect(counts.filter((count) => !Number.isSafeInteger(count) || count < 0)).toEqual([]);
          if (found) expect(found.reasoning).toBeLessThanOrEqual(found.output);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("of parts larger than their whole are cut to the whole", () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 99, audio_tokens: 99, cache_write_tokens: 99 },
      completion_tokens_details: { reasoning_tokens: 99, audio_tokens: 3 },
    };
    expect(whole("chat.completions", { usage }).usage).toEqual({ ...NO_USAGE, cacheRead: 10, output: 2, audioOutput: 3, reasoning: 2 });
  });

  it("of no count at all are no usage", () => {
    for (const usage of [
      null,
      7,
      "x",
      [],
      {},
      { prompt_tokens: -1, completion_tokens: 1.5 },
      { input_tokens: "9", output_tokens: 2 ** 53 },
    ])
      for (const capability of CAPABILITIES) expect(whole(capability, { usage }).usage).toBeNull();
  });

  it("do not hide our own count", () => {
    const text = "a text of some forty characters in length";
    const counts = [
      read("chat.completions", event({ choices: [{ index: 0, delta: { content: text } }], usage: { completion_tokens: 0 } })),
      whole("chat.completions", { choices: [{ message: { content: text } }], usage: { completion_tokens: 0 } }),
      whole("messages", { content: [{ type: "text", text }], usage: { output_tokens: 0 } }),
      whole("responses", { output: [{ content: [{ text }] }], usage: { output_tokens: 0 } }),
    ];
    for (const { outputTokens, usage } of counts) expect([outputTokens, usage!.output]).toEqual([Math.ceil(text.length / 4), 0]);
  });

  it.each(CAPABILITIES)("as whole %s answers of any shape do not throw", (capability) => {
    expect(reportedFromJson(capability, "<html>")).toEqual({
      usage: null,
      serviceTier: null,
      complete: false,
      failed: false,
      unbilled: false,
      outputTokens: 0,
    });
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(reportedFromJson(capability, text).complete).toBe(true);
      }),
    );
    const shapes = fc.record(
      { choices: fc.jsonValue(), content: fc.array(fc.jsonValue()), output: fc.array(fc.jsonValue()), usage: fc.jsonValue() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(shapes, (answer) => {
        expect(whole(capability, answer).outputTokens).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("nested a hundred thousand deep cost no stack", () => {
    const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    const answer = `{"content":[{"type":"tool_use","input":${deep}}],"choices":[{"message":${deep}}],"usage":{"input_tokens":1,"output_tokens":2}}`;
    for (const capability of CAPABILITIES) expect(() => reportedFromJson(capability, answer)).not.toThrow();
    expect(reportedFromJson("messages", answer).usage).toMatchObject({ input: 1, output: 2 });
  });
});

describe("things billed by the piece", () => {
  it("threat 42: are believed to a thousand, however many a provider claims", () => {
    const lies = [
      whole("messages", { usage: { input_tokens: 1, output_tokens: 1, server_tool_use: { web_search_requests: 1e15 } } }),
      whole("responses", { usage: { input_tokens: 1, output_tokens: 1 }, tool_usage: { web_search: { num_requests: 1e15 } } }),
      whole("responses", {
        usage: { input_tokens: 1, output_tokens: 1, server_side_tool_usage_details: { web_search_calls: 1e15, other_calls: 1e15 } },
      }),
      whole("chat.completions", { usage: { prompt_tokens: 1, completion_tokens: 1, num_sources_used: 1e15, prompt_audio_seconds: 1e15 } }),
    ];
    for (const { usage } of lies) {
      const { webSearches, searchSources, extras } = usage!;
      for (const count of [webSearches, searchSources, extras]) expect([0, 1_000]).toContain(count);
      expect(webSearches + searchSources + extras).toBeGreaterThanOrEqual(1_000);
    }
  });

  it("threat 42: passes beside a message never add up past a safe integer", () => {
    const iterations = Array.from({ length: 9 }, () => ({ type: "compaction", input_tokens: Number.MAX_SAFE_INTEGER, output_tokens: 1 }));
    const { usage } = whole("messages", { usage: { input_tokens: 9, output_tokens: 9, iterations } });
    expect(usage).toMatchObject({ input: Number.MAX_SAFE_INTEGER, output: 18 });
  });
});
