import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { Capability } from "#core";
import { respond } from "#providers";

const CAPABILITIES: Record<string, Capability> = {
  "/v1/chat/completions": "chat.completions",
  "/v1/completions": "completions",
  "/v1/responses": "responses",
  "/v1/embeddings": "embeddings",
  "/v1/messages": "messages",
  "/v1/messages/count_tokens": "count_tokens",
};

const inProcess = async (input: RequestInfo | URL, init?: RequestInit) => {
  const request = new Request(input, init);
  const signal = new AbortController().signal;
  return respond(CAPABILITIES[new URL(request.url).pathname]!, await request.json(), signal);
};
const fetch: typeof globalThis.fetch = inProcess;
const openai = new OpenAI({ apiKey: "none", baseURL: "https://tollgate.test/v1", fetch, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey: "none", baseURL: "https://tollgate.test", fetch, maxRetries: 0 });
const user = [{ role: "user" as const, content: "hello world" }];
const schema = { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] };

describe("the OpenAI SDK", () => {
  it("reads a chat completion whole and streamed alike", async () => {
    const whole = await openai.chat.completions.create({ model: "tollgate/echo", messages: user });
    expect(whole.choices[0]?.message.content).toBe("You said: hello world");
    const stream = await openai.chat.completions.create({
      model: "echo",
      messages: user,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe("You said: hello world");
    expect(usage).toEqual(whole.usage);
  });

  it("sees the token limit kept and counted", async () => {
    const cut = await openai.chat.completions.create({ model: "echo", messages: user, max_tokens: 3 });
    expect(cut.choices[0]?.finish_reason).toBe("length");
    expect(cut.usage?.completion_tokens).toBe(3);
  });

  it("calls a named tool, streamed, with arguments that fit its schema, and then answers with text", async () => {
    const tools = [{ type: "function" as const, function: { name: "weather", parameters: schema } }];
    const asked = [{ role: "user" as const, content: "use weather" }];
    const final = await openai.chat.completions.stream({ model: "echo", messages: asked, tools }).finalChatCompletion();
    const call = final.choices[0]?.message.tool_calls?.[0];
    expect(final.choices[0]?.finish_reason).toBe("tool_calls");
    expect(JSON.parse(call?.type === "function" ? call.function.arguments : "")).toEqual({ city: "use weather" });
    const messages = [...asked, { role: "tool" as const, tool_call_id: "x", content: "sunny" }];
    const after = await openai.chat.completions.create({ model: "echo", messages, tools });
    expect(after.choices[0]?.message.content).toBe("The tool answered: sunny");
  });

  it("reads a response whole and streamed, numbered without gaps", async () => {
    const whole = await openai.responses.create({ model: "echo", input: "hello" });
    expect(whole.output_text).toBe("You said: hello");
    const stream = openai.responses.stream({ model: "echo", input: "hello" });
    const numbers: number[] = [];
    const kinds: string[] = [];
    for await (const event of stream) {
      numbers.push(event.sequence_number);
      kinds.push(event.type);
    }
    expect(numbers).toEqual(numbers.map((_, at) => at));
    expect([kinds[0], kinds.at(-1)]).toEqual(["response.created", "response.completed"]);
    expect((await stream.finalResponse()).output_text).toBe("You said: hello");
  });

  it("reads a response's tool call when one is forced", async () => {
    const tools = [{ type: "function" as const, name: "weather", parameters: schema, strict: false }];
    const stream = openai.responses.stream({ model: "echo", input: "hi", tools, tool_choice: "required" });
    expect((await stream.finalResponse()).output[0]).toMatchObject({ type: "function_call", name: "weather", arguments: '{"city":"hi"}' });
  });

  it("reads legacy completions and embeddings", async () => {
    expect((await openai.completions.create({ model: "echo", prompt: "hi" })).choices[0]?.text).toBe("You said: hi");
    let text = "";
    for await (const chunk of await openai.completions.create({ model: "echo", prompt: "hi", stream: true }))
      text += chunk.choices[0]?.text ?? "";
    expect(text).toBe("You said: hi");
    const { data } = await openai.embeddings.create({ model: "echo", input: ["a", "b"] });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([64, 64]);
    const floats = await openai.embeddings.create({ model: "echo", input: "a", encoding_format: "float" });
    expect(data[0]?.embedding[0]).toBeCloseTo(floats.data[0]!.embedding[0]!, 6);
  });
});

describe("the Anthropic SDK", () => {
  it("reads a message whole and streamed alike", async () => {
    const whole = await anthropic.messages.create({ model: "echo", max_tokens: 100, messages: user });
    const streamed = await anthropic.messages.stream({ model: "echo", max_tokens: 100, messages: user }).finalMessage();
    expect(whole.content[0]).toMatchObject({ type: "text", text: "You said: hello world" });
    expect(streamed.content[0]).toMatchObject({ type: "text", text: "You said: hello world" });
    expect(streamed.usage).toEqual(whole.usage);
    expect(streamed.stop_reason).toBe("end_turn");
  });

  it("calls a forced tool, streamed, and answers its result with text", async () => {
    const tools = [{ name: "weather", input_schema: schema }];
    const request = { model: "echo", max_tokens: 100, tools, tool_choice: { type: "tool" as const, name: "weather" } };
    const called = await anthropic.messages.stream({ ...request, messages: user }).finalMessage();
    expect(called.stop_reason).toBe("tool_use");
    expect(called.content[0]).toMatchObject({ type: "tool_use", input: { city: "hello world" } });
    const result = { role: "user" as const, content: [{ type: "tool_result" as const, tool_use_id: "x", content: "sunny" }] };
    const after = await anthropic.messages.create({ ...request, messages: [...user, result] });
    expect(after.content[0]).toMatchObject({ text: "The tool answered: sunny" });
  });

  it("counts the tokens that a message is then charged", async () => {
    const counted = await anthropic.messages.countTokens({ model: "echo", messages: user });
    const whole = await anthropic.messages.create({ model: "echo", max_tokens: 100, messages: user });
    expect(counted.input_tokens).toBe(whole.usage.input_tokens);
  });
});

it("stops the slow model when the caller aborts", async () => {
  const abort = new AbortController();
  const response = respond("messages", { model: "slow", stream: true, messages: user }, abort.signal);
  const reader = response.body!.getReader();
  await reader.read();
  abort.abort(new Error("left"));
  await expect(
    (async () => {
      while (!(await reader.read()).done);
    })(),
  ).rejects.toThrow("left");
});
