import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("langchain");
const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather",
    parameters: { type: "object", properties: { location: { type: "string" } } },
  },
};
const question = new HumanMessage("What is the weather in San Francisco?");

const MODELS = {
  "ChatOpenAI on Anthropic's model": () =>
    new ChatOpenAI({
      model: `${set.anthropic}/claude-sonnet-5`,
      apiKey: set.key,
      configuration: { baseURL: `${set.origin}/v1` },
      maxRetries: 0,
    }),
  "ChatOpenAI by Responses on Anthropic's model": () =>
    new ChatOpenAI({
      model: `${set.anthropic}/claude-sonnet-5`,
      apiKey: set.key,
      configuration: { baseURL: `${set.origin}/v1` },
      useResponsesApi: true,
      maxRetries: 0,
    }),
  "ChatAnthropic on OpenAI's model": () =>
    new ChatAnthropic({ model: `${set.openai}/gpt-4o-mini`, apiKey: set.key, anthropicApiUrl: set.origin, maxTokens: 100, maxRetries: 0 }),
};

it.each(Object.entries(MODELS))("%s: a tool's call, its result, and the second turn, whole and streamed alike", async (_, model) => {
  const bound = model().bindTools([weather]);
  const first = await bound.invoke([question]);
  expect(first.tool_calls).toHaveLength(1);
  const [call] = first.tool_calls!;
  expect(call!.name).toMatch(/weather/);
  expect(call!.args).toMatchObject({ location: expect.stringContaining(",") });
  const turn = [question, first, new ToolMessage({ content: "72 degrees", tool_call_id: call!.id! })];
  const second = await bound.invoke(turn);
  expect(second.usage_metadata).toMatchObject({ input_tokens: expect.any(Number), output_tokens: expect.any(Number) });
  expect(second.text).toMatch(/^Hello/);
  const parts = await Array.fromAsync(await bound.stream(turn));
  expect(parts.length).toBeGreaterThan(2);
  expect(parts.map((part) => part.text).join("")).toBe(second.text);
});

it("a budget that is spent reaches LangChain as the caller's own error", async () => {
  const { secret } = await set.admin.key({ name: "langchain broke", budgets: [{ window: "day", limit_usd: "0.000000001" }] });
  const model = new ChatOpenAI({
    model: `${set.anthropic}/claude-sonnet-5`,
    apiKey: secret,
    configuration: { baseURL: `${set.origin}/v1` },
    maxRetries: 2,
  });
  await expect(model.invoke([question])).rejects.toMatchObject({ status: 402, code: "budget_exceeded" });
});
