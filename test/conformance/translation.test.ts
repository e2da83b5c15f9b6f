import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool as toolOf } from "ai";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("translation");
/** The upstream refuses every field that the vendor does not know. */
const strict = { headers: { "x-scenario": "strict" } };
const prompt = [{ role: "user" as const, content: "Hello!" }];
const openai = () => new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries: 0 });
const anthropic = () => new Anthropic({ apiKey: set.key, baseURL: set.origin, maxRetries: 0 });
const claude = () => `${set.anthropic}/claude-sonnet-5`;
const gpt = () => `${set.openai}/gpt-4o-mini`;
const chatTools = [{ type: "function" as const, function: { name: "get_weather", parameters: { type: "object", properties: {} } } }];
const messagesTools = [{ name: "get_current_weather", input_schema: { type: "object" as const, properties: {} } }];

/** What the provider was sent last. */
const sent = () => JSON.parse(set.upstream.last.body.toString("utf8")) as Record<string, unknown>;

async function all<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("openai SDK on Anthropic's models", () => {
  it("chat: a JSON answer, with its usage and what it cost", async () => {
    const { data, response } = await openai()
      .chat.completions.create({ model: claude(), messages: [{ role: "system", content: "Be kind." }, ...prompt], seed: 7 })
      .withResponse();
    expect(data.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { role: "assistant", content: "Hello! How can I help you today?" },
    });
    expect(data.usage).toMatchObject({ prompt_tokens: 25, completion_tokens: 9, total_tokens: 34 });
    expect(set.upstream.last.path).toBe("/v1/messages");
    expect(sent()).toMatchObject({ model: "claude-sonnet-5", system: [{ type: "text", text: "Be kind." }] });
    expect(response.headers.get("x-tollgate-dropped")).toBe("seed");
    expect(response.headers.get("x-tollgate-cost")).toBe("0.000043");
    const record = await set.admin.record(response.headers.get("x-request-id") ?? "");
    expect(record).toMatchObject({ status: "actual", actual_usd: "0.000043", usage: { input: 25, output: 9 } });
  });

  it("chat: a stream is the JSON answer, word by word, with the usage at its end", async () => {
    const stream = openai().chat.completions.stream({ model: claude(), messages: prompt, stream_options: { include_usage: true } });
    const whole = await stream.finalChatCompletion();
    expect(whole.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "Hello! How can I help you today?" } });
    expect(whole.usage).toMatchObject({ prompt_tokens: 25, completion_tokens: 9 });
  });

  it.each([false, true])("chat: a tool's call, its result, and the second turn (stream: %s)", async (stream) => {
    const ask = { model: claude(), tools: chatTools };
    const turn = async (messages: OpenAI.ChatCompletionMessageParam[]) =>
      stream
        ? openai()
            .chat.completions.stream({ ...ask, messages })
            .finalChatCompletion()
        : openai().chat.completions.create({ ...ask, messages });
    const first = (await turn(prompt)).choices[0]!;
    expect(first.finish_reason).toBe("tool_calls");
    const [call] = first.message.tool_calls!;
    expect(call).toMatchObject({ id: "toolu_01T1x1fJ34qAmk2tNTrN7Up6", type: "function", function: { name: "get_weather" } });
    const args = call?.type === "function" ? call.function.arguments : "";
    expect(JSON.parse(args)).toEqual({ location: "San Francisco, CA", unit: "fahrenheit" });
    const result = { role: "tool" as const, tool_call_id: call!.id, content: "72 degrees" };
    const second = await turn([...prompt, first.message, result]);
    expect(second.choices[0]?.message.content).toBe("Hello! How can I help you today?");
  });

  it("chat: an error of the provider stands in OpenAI's envelope, with its status", async () => {
    const headers = { "x-scenario": "error-529" };
    const error: unknown = await openai()
      .chat.completions.create({ model: claude(), messages: prompt }, { headers })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 529, type: "overloaded_error", error: { message: "Overloaded" } });
  });

  it("threat 22: a stream that is cut, or that fails, ends in an error and in no clean end", async () => {
    for (const [scenario, words] of [
      ["cut-after-3", /broke off/],
      ["error-mid", /Overloaded/],
    ] as const) {
      const stream = await openai().chat.completions.create(
        { model: claude(), messages: prompt, stream: true },
        { headers: { "x-scenario": scenario } },
      );
      let text = "";
      let finished = false;
      const reading = async () => {
        for await (const { choices } of stream) {
          text += choices[0]?.delta.content ?? "";
          finished ||= choices[0]?.finish_reason !== null;
        }
      };
      await expect(reading()).rejects.toThrow(words);
      expect([text, finished]).toEqual(["Hello! How", false]);
    }
  });

  it.each([false, true])("A7: thinking comes back signed in the second turn (stream: %s)", async (stream) => {
    const ask = { model: claude(), tools: chatTools, reasoning_effort: "high" as const, max_completion_tokens: 9_000 };
    const turn = async (messages: OpenAI.ChatCompletionMessageParam[]) =>
      stream
        ? openai()
            .chat.completions.stream({ ...ask, messages }, strict)
            .finalChatCompletion()
        : openai().chat.completions.create({ ...ask, messages }, strict);
    const { message } = (await turn(prompt)).choices[0]!;
    expect(sent()).toMatchObject({ thinking: { type: "adaptive" }, output_config: { effort: "high" } });
    // The SDK adds up no field that it does not know, so that the whole thought stands in one.
    expect(message).toMatchObject({
      ...(stream ? {} : { reasoning_content: "Let me solve this step by step" }),
      reasoning_details: [
        { type: "reasoning.text", text: "Let me solve this step by step", signature: expect.stringMatching(/^EqQB/) as string },
      ],
    });
    const results = message.tool_calls!.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: "72" }));
    await turn([...prompt, message, ...results]);
    const [, made] = sent()["messages"] as { content: { type: string }[] }[];
    expect(made?.content.map(({ type }) => type)).toEqual(["thinking", "tool_use"]);
    const forged = { ...message, reasoning_details: [{ type: "reasoning.text", text: "hm", signature: "forged" }] };
    await expect(turn([...prompt, forged, ...results])).rejects.toThrow(/Invalid `signature`/);
  });

  it.each([false, true])("parallel calls keep their ids and their order (stream: %s)", async (stream) => {
    const ask = { model: claude(), tools: chatTools, messages: prompt };
    const headers = { "x-scenario": "parallel" };
    const { choices } = stream
      ? await openai().chat.completions.stream(ask, { headers }).finalChatCompletion()
      : await openai().chat.completions.create(ask, { headers });
    const calls = choices[0]!.message.tool_calls!;
    expect(calls.map(({ id }) => id)).toEqual(["toolu_01T1x1fJ34qAmk2tNTrN7Up6", "toolu_01SecondCallOfTheSameTurn"]);
    expect(calls.map((call) => (call.type === "function" ? (JSON.parse(call.function.arguments) as object) : null))).toEqual([
      { location: "San Francisco, CA", unit: "fahrenheit" },
      { location: "New York, NY" },
    ]);
    const results = calls.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: "72" }));
    const second = await openai().chat.completions.create({ ...ask, messages: [...prompt, choices[0]!.message, ...results] }, strict);
    expect(second.choices[0]?.message.content).toMatch(/^Hello/);
  });

  it("what a request costs stands in its usage, by the provider's own counts", async () => {
    const headers = { "x-scenario": "usage-cached", "x-tollgate-usage": "include" };
    const whole = await openai().chat.completions.create({ model: claude(), messages: prompt }, { headers });
    expect(whole.usage).toMatchObject({
      prompt_tokens: 4_096,
      completion_tokens: 503,
      prompt_tokens_details: { cached_tokens: 1_800, cache_write_tokens: 248 },
    });
    const chunks = await all(await openai().chat.completions.create({ model: claude(), messages: prompt, stream: true }, { headers }));
    const streamed = chunks.at(-1)?.usage as unknown as { cost: string; cost_details: object };
    expect(streamed.cost).toBe((whole.usage as unknown as { cost: string }).cost);
    expect(streamed).toEqual(whole.usage);
    const { response } = await openai().chat.completions.create({ model: claude(), messages: prompt }, { headers }).withResponse();
    const record = await set.admin.record(response.headers.get("x-request-id") ?? "");
    expect(record.actual_usd).toBe(streamed.cost);
    expect(record.usage).toMatchObject({ input: 2_048, cache_read: 1_800, cache_write_5m: 148, cache_write_1h: 100, output: 503 });
  });

  it("an abort cancels the upstream", async () => {
    const aborter = new AbortController();
    const stream = await openai().chat.completions.create(
      { model: claude(), messages: prompt, stream: true },
      { headers: { "x-scenario": "slow-50-x200" }, signal: aborter.signal },
    );
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    const { last } = set.upstream;
    aborter.abort();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 20 }).not.toBeNull();
  });
});

describe("@anthropic-ai/sdk on OpenAI's models", () => {
  it("a JSON answer, with its usage", async () => {
    const message = await anthropic().messages.create({ model: gpt(), max_tokens: 99, system: "Be kind.", messages: prompt });
    expect(message).toMatchObject({ type: "message", stop_reason: "end_turn", usage: { input_tokens: 19, output_tokens: 10 } });
    expect(message.content).toMatchObject([{ type: "text", text: "Hello there, how may I assist you today?" }]);
    expect(set.upstream.last.path).toBe("/v1/chat/completions");
    expect(set.upstream.last.headers["anthropic-version"]).toBeUndefined();
    expect(sent()).toEqual({
      model: "gpt-4o-mini",
      messages: [{ role: "system", content: "Be kind." }, ...prompt],
      max_completion_tokens: 99,
    });
  });

  it("a stream is the JSON answer, word by word", async () => {
    const message = await anthropic().messages.stream({ model: gpt(), max_tokens: 99, messages: prompt }).finalMessage();
    expect(message).toMatchObject({ stop_reason: "end_turn", usage: { input_tokens: 19, output_tokens: 10 } });
    expect(message.content).toMatchObject([{ type: "text", text: "Hello there, how may I assist you today?" }]);
  });

  it.each([false, true])("a tool's call, its result, and the second turn (stream: %s)", async (stream) => {
    const ask = { model: gpt(), max_tokens: 99, tools: messagesTools };
    const turn = async (messages: Anthropic.MessageParam[]) =>
      stream
        ? anthropic()
            .messages.stream({ ...ask, messages })
            .finalMessage()
        : anthropic().messages.create({ ...ask, messages });
    const first = await turn(prompt);
    expect(first.stop_reason).toBe("tool_use");
    const call = first.content.find((block) => block.type === "tool_use")!;
    expect(call).toMatchObject({ id: "call_abc123", name: "get_current_weather", input: { location: "Boston, MA" } });
    const result = { type: "tool_result" as const, tool_use_id: call.id, content: "22" };
    const second = await turn([...prompt, { role: "assistant", content: first.content }, { role: "user", content: [result] }]);
    expect(second.content).toMatchObject([{ type: "text", text: "Hello there, how may I assist you today?" }]);
  });

  it("an error of the provider stands in Anthropic's envelope, with its status", async () => {
    const error: unknown = await anthropic()
      .messages.create({ model: gpt(), max_tokens: 9, messages: prompt }, { headers: { "x-scenario": "error-quota" } })
      .catch((thrown: unknown) => thrown);
    if (!(error instanceof Anthropic.RateLimitError)) throw new Error("no error of the vendor's class");
    expect(error.error).toMatchObject({
      type: "error",
      error: { type: "rate_limit_error", message: expect.stringContaining("quota") as string },
    });
  });

  it("threat 22: a stream that is cut, or that fails, ends in an error and in no clean end", async () => {
    for (const [scenario, words] of [
      ["cut-after-3", /broke off/],
      ["error-mid", /server had an error/],
    ] as const) {
      const stream = await anthropic().messages.create(
        { model: gpt(), max_tokens: 99, messages: prompt, stream: true },
        { headers: { "x-scenario": scenario } },
      );
      const types: string[] = [];
      const reading = async () => {
        for await (const { type } of stream) types.push(type);
      };
      await expect(reading()).rejects.toThrow(words);
      expect(types).not.toContain("message_stop");
      expect(types.filter((type) => type === "content_block_delta")).toHaveLength(3);
    }
  });

  it("what cannot be said is refused by its name, before the provider hears of it", async () => {
    const before = set.upstream.seen.length;
    const ask = (more: object) => anthropic().messages.create({ model: gpt(), max_tokens: 9, messages: prompt, ...more } as never);
    await expect(ask({ top_k: 5 })).rejects.toMatchObject({ status: 400, error: { error: { param: "top_k" } } });
    await expect(ask({ tools: [{ type: "web_search_20250305", name: "web_search" }] })).rejects.toMatchObject({
      error: { error: { param: "tools.0.type" } },
    });
    expect(set.upstream.seen.length).toBe(before);
  });
});

describe("@anthropic-ai/sdk on a provider that thinks aloud, or in secret", () => {
  it.each([false, true])("A7: reasoning goes back as the provider wants it (stream: %s)", async (stream) => {
    const ask = { model: gpt(), max_tokens: 99, tools: messagesTools };
    const turn = async (messages: Anthropic.MessageParam[], scenario: string) => {
      const options = { headers: { "x-scenario": scenario } };
      return stream
        ? anthropic()
            .messages.stream({ ...ask, messages }, options)
            .finalMessage()
        : anthropic().messages.create({ ...ask, messages }, options);
    };
    const { content } = await turn(prompt, "thinks");
    expect(content.map(({ type }) => type)).toEqual(["thinking", "tool_use"]);
    expect(content[0]).toMatchObject({ thinking: "Let me think.", signature: expect.stringMatching(/^tollgate\./) as string });
    const result = { type: "tool_result" as const, tool_use_id: "call_abc123", content: "22" };
    await turn([...prompt, { role: "assistant", content }, { role: "user", content: [result] }], "thinks");
    expect((sent()["messages"] as object[])[1]).toMatchObject({ role: "assistant", reasoning_content: "Let me think." });
  });

  it.each([false, true])("A7: Responses' closed reasoning survives the round trip (stream: %s)", async (stream) => {
    const name = `translation-resp-${stream}`;
    await set.admin.call("POST", "/providers", {
      name,
      kind: "openai",
      base_url: `${set.upstream.origin}/v1`,
      api_key: "sk-upstream",
      apis: ["responses"],
    });
    await set.admin.call("POST", "/prices", { provider: name, model: "gpt-5", rates: { input: "1", output: "2" }, source: "test" });
    const ask = {
      model: `${name}/gpt-5`,
      max_tokens: 9_000,
      tools: messagesTools,
      thinking: { type: "enabled" as const, budget_tokens: 4_096 },
    };
    const turn = async (messages: Anthropic.MessageParam[]) =>
      stream
        ? anthropic()
            .messages.stream({ ...ask, messages }, strict)
            .finalMessage()
        : anthropic().messages.create({ ...ask, messages }, strict);
    const { content, stop_reason } = await turn(prompt);
    expect(set.upstream.last.path).toBe("/v1/responses");
    expect(sent()).toMatchObject({ reasoning: { effort: "medium", summary: "auto" }, store: false });
    expect([content.map(({ type }) => type), stop_reason]).toEqual([["thinking", "tool_use"], "tool_use"]);
    const result = { type: "tool_result" as const, tool_use_id: "call_abc123", content: "22" };
    const second = await turn([...prompt, { role: "assistant", content }, { role: "user", content: [result] }]);
    expect(second.stop_reason).toBe("end_turn");
    expect((sent()["input"] as object[])[1]).toMatchObject({
      type: "reasoning",
      id: expect.stringMatching(/^rs_/) as string,
      encrypted_content: expect.stringMatching(/^gAAAA/) as string,
    });
  });
});

describe("openai SDK's Responses on Anthropic's models", () => {
  const tool = { type: "function" as const, name: "get_weather", parameters: {}, strict: false };

  it("JSON and stream say the same", async () => {
    const whole = await openai().responses.create({ model: claude(), input: "Hello!", store: false });
    expect(whole).toMatchObject({ status: "completed", output_text: "Hello! How can I help you today?" });
    expect(whole.usage).toMatchObject({ input_tokens: 25, output_tokens: 9, total_tokens: 34 });
    const events = await all(await openai().responses.create({ model: claude(), input: "Hello!", store: false, stream: true }));
    const last = events.at(-1)!;
    if (last.type !== "response.completed") throw new Error(`ends in ${last.type}`);
    const words = events.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : []));
    expect(words.length).toBeGreaterThan(5);
    expect(words.join("")).toBe(whole.output_text);
    expect(last.response.output.map((item) => ({ ...item, id: "" }))).toEqual(whole.output.map((item) => ({ ...item, id: "" })));
    expect(last.response.usage).toEqual(whole.usage);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, at) => at));
  });

  it("a tool's call, its result, and the second turn", async () => {
    const input: OpenAI.Responses.ResponseInputItem[] = [{ role: "user", content: "Weather?" }];
    const first = await openai().responses.create({ model: claude(), input, tools: [tool], store: false });
    const [call] = first.output;
    if (call?.type !== "function_call") throw new Error("no call");
    const output = { type: "function_call_output" as const, call_id: call.call_id, output: "72" };
    const second = await openai().responses.create({ model: claude(), input: [...input, call, output], tools: [tool], store: false });
    expect(second.output_text).toContain("Hello!");
  });

  it.each([false, true])("A7: thinking comes back signed in the second turn (stream: %s)", async (stream) => {
    const ask = {
      model: claude(),
      tools: [tool],
      store: false,
      reasoning: { effort: "high" as const },
      include: ["reasoning.encrypted_content" as const],
    };
    const turn = async (input: OpenAI.Responses.ResponseInputItem[]) =>
      stream
        ? openai()
            .responses.stream({ ...ask, input }, strict)
            .finalResponse()
        : openai().responses.create({ ...ask, input }, strict);
    const question = { role: "user" as const, content: "Weather?" };
    const { output } = await turn([question]);
    expect(output.map(({ type }) => type)).toEqual(["reasoning", "function_call"]);
    const results = output.flatMap((item) =>
      item.type === "function_call" ? [{ type: "function_call_output" as const, call_id: item.call_id, output: "72" }] : [],
    );
    const second = await turn([question, ...(output as OpenAI.Responses.ResponseInputItem[]), ...results]);
    expect(second.output_text).toContain("Hello!");
    const [, made] = sent()["messages"] as { content: { type: string }[] }[];
    expect(made?.content.map(({ type }) => type)).toEqual(["thinking", "tool_use"]);
  });

  it("a response that was never made is refused by the name of what names it", async () => {
    await expect(openai().responses.create({ model: claude(), input: "Hi", previous_response_id: "resp_1" })).rejects.toMatchObject({
      status: 404,
      param: "previous_response_id",
    });
  });

  it("threat 22: a stream that is cut ends in response.failed", async () => {
    const stream = await openai().responses.create(
      { model: claude(), input: "Hello!", store: false, stream: true },
      { headers: { "x-scenario": "cut-after-3" } },
    );
    await expect(all(stream)).rejects.toThrow(/broke off/);
  });
});

describe.each(["@ai-sdk/openai chat", "@ai-sdk/openai responses", "@ai-sdk/anthropic"] as const)("%s", (name) => {
  const options = { prompt: "Hello!", maxRetries: 0, headers: { "x-scenario": "strict" } };
  const model = () => {
    const vendor = createOpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1` });
    if (name === "@ai-sdk/anthropic") return createAnthropic({ apiKey: set.key, baseURL: `${set.origin}/v1` })(gpt());
    return name === "@ai-sdk/openai chat" ? vendor.chat(claude()) : vendor.responses(claude());
  };
  const called = name === "@ai-sdk/anthropic" ? "get_current_weather" : "get_weather";
  const tools = {
    [called]: toolOf({
      inputSchema: jsonSchema<{ location: string }>({ type: "object", properties: { location: { type: "string" } } }),
      execute: ({ location }) => Promise.resolve(`22 degrees in ${location}`),
    }),
  };

  it("calls a tool of another vendor's model, and takes a second turn", async () => {
    const { text, steps, usage } = await generateText({ ...options, model: model(), tools, stopWhen: stepCountIs(3) });
    expect(steps).toHaveLength(2);
    expect(steps[0]?.toolResults[0]?.output).toMatch(/^22 degrees in /);
    expect(text).toMatch(/^Hello/);
    expect(usage.outputTokens).toBeGreaterThan(0);
  });

  it("streams the same, call and answer", async () => {
    const result = streamText({ ...options, model: model(), tools, stopWhen: stepCountIs(3) });
    const parts: string[] = [];
    for await (const part of result.textStream) parts.push(part);
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.join("")).toMatch(/today\?$/);
    expect(await result.steps).toHaveLength(2);
  });
});

describe("money, whatever dialect it is asked in", () => {
  it("threat 40: a budget caps what the provider is asked for, and refuses in the caller's envelope what it cannot pay", async () => {
    const key = () => set.admin.key({ budgets: [{ window: "total", limit_usd: "0.003" }] });
    const [{ secret }, { secret: other }] = [await key(), await key()];
    const client = new Anthropic({ apiKey: secret, baseURL: set.origin, maxRetries: 0 });
    await client.messages.create({ model: gpt(), max_tokens: 8_000, messages: prompt });
    const { max_completion_tokens: cap } = sent();
    // As much as in the provider's own dialect, whose request is no longer than the translated one.
    const direct = new OpenAI({ apiKey: other, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    await direct.chat.completions.create({ model: gpt(), max_completion_tokens: 8_000, messages: prompt });
    const { max_completion_tokens: theirs } = sent();
    expect(theirs).toBeLessThan(1_500);
    expect(Math.abs(Number(cap) - Number(theirs))).toBeLessThan(20);
    const before = set.upstream.seen.length;
    const long = [{ role: "user" as const, content: "word ".repeat(2_000) }];
    await expect(client.messages.create({ model: gpt(), max_tokens: 9, messages: long })).rejects.toMatchObject({
      status: 402,
      error: { type: "error", error: { type: "billing_error", code: "budget_exceeded" } },
    });
    expect(set.upstream.seen.length).toBe(before);
  });

  it("a dry run prices what would be sent, and refuses what could not be said", async () => {
    const dry = (body: object) =>
      fetch(`${set.origin}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": set.key, "content-type": "application/json", "x-tollgate-dry-run": "true" },
        body: JSON.stringify({ model: gpt(), max_tokens: 100, messages: prompt, ...body }),
      });
    const before = set.upstream.seen.length;
    const priced = await dry({});
    expect([priced.status, JSON.stringify(await priced.json())]).toEqual([200, expect.stringContaining("gpt-4o-mini") as string]);
    expect((await dry({ top_k: 1 })).status).toBe(400);
    expect(set.upstream.seen.length).toBe(before);
  });

  it("the record names the caller's surface and its end user", async () => {
    const user = `user_${"0".repeat(64)}_account__session_1`;
    const { response } = await anthropic()
      .messages.create({ model: gpt(), max_tokens: 9, messages: prompt, metadata: { user_id: user } })
      .withResponse();
    expect(response.headers.get("x-tollgate-dropped")).toBe("metadata.user_id");
    expect(response.headers.get("x-tollgate-model")).toBe("gpt-4o-mini");
    const record = await set.admin.record(response.headers.get("x-request-id") ?? "");
    expect(record).toMatchObject({ capability: "messages", end_user: user, status: "actual" });
  });

  it("what a stream costs is the provider's count, whoever hears it, also where the caller asks for no usage", async () => {
    const { data, response } = await openai()
      .chat.completions.create({ model: claude(), messages: prompt, stream: true }, { headers: { "x-scenario": "usage-cached" } })
      .withResponse();
    expect((await all(data)).every(({ usage }) => usage === undefined)).toBe(true);
    const record = await set.admin.record(response.headers.get("x-request-id") ?? "");
    expect(record.usage).toMatchObject({ input: 2_048, cache_read: 1_800, cache_write_5m: 148, cache_write_1h: 100, output: 503 });
  });

  it("an answer that is none in the provider's dialect is a 502 in the caller's envelope, and is billed by what was sent", async () => {
    const name = "translation-odd";
    const origin = `${set.upstream.origin}/v1/messages`;
    await set.admin.call("POST", "/providers", { name, kind: "openai-compatible", base_url: origin, api_key: "sk-x", apis: ["chat"] });
    await set.admin.call("POST", "/prices", { provider: name, model: "m", rates: { input: "1", output: "2" }, source: "test" });
    const error: unknown = await anthropic()
      .messages.create({ model: `${name}/m`, max_tokens: 9, messages: prompt })
      .catch((thrown: unknown) => thrown);
    if (!(error instanceof Anthropic.APIError)) throw new Error("no error");
    expect([error.status, error.type]).toEqual([502, "api_error"]);
    const record = await set.admin.record(error.headers?.get("x-request-id") ?? "");
    expect(Number(record.actual_usd)).toBeGreaterThan(0);
  });

  it("a page of a proxy in the place of an error is told by its status", async () => {
    const error: unknown = await anthropic()
      .messages.create({ model: gpt(), max_tokens: 9, messages: prompt }, { headers: { "x-scenario": "error-page" } })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 502, error: { error: { type: "api_error", message: "The provider answered 502" } } });
  });

  it("a credential in a provider's error is masked before it is told", async () => {
    const error = await anthropic()
      .messages.create({ model: gpt(), max_tokens: 9, messages: prompt }, { headers: { "x-scenario": "leaky" } })
      .catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toContain("Incorrect API key provided");
    expect((error as Error).message).not.toContain("sk-upstream");
  });
});

describe("a policy over a translated request", () => {
  /** A key with a policy of its own, in force in the isolate that answers. */
  async function judged(name: string, needs: readonly string[], body: string): Promise<OpenAI> {
    const { id: key, secret } = await set.admin.key();
    const source = `export default { name: "${name}", version: "1.0.0", needs: ${JSON.stringify(needs)}, evaluate({ messages, request }) { ${body} } };`;
    const { id } = await set.admin.call<{ id: string }>("POST", "/policies", { name, version: "1.0.0", source, signature: null });
    await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: key }, mode: "enforce" });
    const client = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    const inForce = async () =>
      (await client.chat.completions.create({ model: claude(), messages: prompt }).asResponse()).headers.get("x-tollgate-policies");
    await expect.poll(inForce, { timeout: 10_000 }).toContain(name);
    return client;
  }

  const redacts = 'return { allowed: true, obligations: [{ type: "redact", text: "ann@example.com", with: "somebody" }] };';

  it("threat 36: redacts what is sent, however the caller spelt it", async () => {
    const client = await judged("redacts-translated", ["messages"], redacts);
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: "user", content: "Write to ann@example.com." },
      {
        role: "assistant",
        tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"to":"ann\\u0040example.com"}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "done" },
    ];
    await client.chat.completions.create({ model: claude(), messages, tools: chatTools });
    const text = set.upstream.last.body.toString("utf8");
    expect(set.upstream.last.path).toBe("/v1/messages");
    expect(text.match(/somebody/g)).toHaveLength(2);
    expect(text).not.toMatch(/ann(@|\\u0040)example/);
  });

  it("is told what the caller asked for, and nothing that translation put in", async () => {
    const says = "return { allowed: false, reason: JSON.stringify([request.operation, request.max_tokens, request.requested]) };";
    const { id: key, secret } = await set.admin.key();
    const source = `export default { name: "tells-translated", version: "1.0.0", needs: ["request"], evaluate({ request }) { ${says} } };`;
    const upload = { name: "tells-translated", version: "1.0.0", source, signature: null };
    const { id } = await set.admin.call<{ id: string }>("POST", "/policies", upload);
    await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: key }, mode: "enforce" });
    const client = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    const told = () =>
      client.chat.completions.create({ model: claude(), messages: prompt }).then(
        () => "",
        (error: unknown) => (error as InstanceType<typeof OpenAI.APIError>).message,
      );
    await expect.poll(told, { timeout: 10_000 }).toContain(JSON.stringify(["chat.completions", null, claude()]));
  });
});
