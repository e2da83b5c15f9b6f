import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("ai-sdk");
const prompt = "Hello!";

/** The models that a user of the AI SDK would name, by the packages that make them. */
const models = () => {
  const openai = createOpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1` });
  const anthropic = createAnthropic({ apiKey: set.key, baseURL: `${set.origin}/v1` });
  return {
    "@ai-sdk/openai chat": openai.chat(`${set.openai}/gpt-4o-mini`),
    "@ai-sdk/openai responses": openai.responses(`${set.openai}/gpt-4o-mini`),
    "@ai-sdk/anthropic": anthropic(`${set.anthropic}/claude-sonnet-5`),
  };
};
const NAMES = ["@ai-sdk/openai chat", "@ai-sdk/openai responses", "@ai-sdk/anthropic"] as const;

const weather = (name: string) => ({
  [name]: tool({
    description: "The weather somewhere",
    inputSchema: jsonSchema<{ location: string }>({ type: "object", properties: { location: { type: "string" } } }),
    execute: ({ location }) => Promise.resolve(`22 degrees in ${location}`),
  }),
});

describe.each(NAMES)("%s", (name) => {
  it("generates text and reports its usage", async () => {
    const { text, usage } = await generateText({ model: models()[name], prompt, maxRetries: 0 });
    expect(text).toMatch(/^Hello/);
    expect(usage.outputTokens).toBeGreaterThan(0);
  });

  it("streams text", async () => {
    const { textStream } = streamText({ model: models()[name], prompt, maxRetries: 0 });
    const parts: string[] = [];
    for await (const part of textStream) parts.push(part);
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.join("")).toMatch(/today\?$/);
  });

  it("calls a tool and takes a second turn with its result", async () => {
    const tools = weather(name === "@ai-sdk/anthropic" ? "get_weather" : "get_current_weather");
    const { text, steps } = await generateText({ model: models()[name], prompt, tools, stopWhen: stepCountIs(3), maxRetries: 0 });
    expect(steps).toHaveLength(2);
    expect(steps[0]?.toolResults[0]?.output).toMatch(/^22 degrees in /);
    expect(text).toMatch(/^Hello/);
  });

  it("raises the provider's error with its status", async () => {
    const failing = generateText({ model: models()[name], prompt, maxRetries: 0, headers: { "x-scenario": "error-429" } });
    const error = await failing.catch((thrown: unknown) => thrown);
    expect(APICallError.isInstance(error) && error.statusCode).toBe(429);
  });

  it("an abort cancels the upstream", async () => {
    const aborter = new AbortController();
    const { textStream } = streamText({
      model: models()[name],
      prompt,
      maxRetries: 0,
      headers: { "x-scenario": "slow-100" },
      abortSignal: aborter.signal,
      onError: () => undefined,
    });
    for await (const part of textStream) if (part) break;
    const { last } = set.upstream;
    aborter.abort();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 20 }).not.toBeNull();
  });
});

describe("@ai-sdk/anthropic at the root", () => {
  it("posts to /messages, which is served alike", async () => {
    const model = createAnthropic({ apiKey: set.key, baseURL: set.origin })(`${set.anthropic}/claude-sonnet-5`);
    expect((await generateText({ model, prompt, maxRetries: 0 })).text).toMatch(/^Hello/);
  });
});
