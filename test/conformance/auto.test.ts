import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../support/gateway.ts";
import { stage } from "./stage.ts";

// The table is the deployment's, which others ask at the same time.
const set = stage("auto", { alone: true });
const question = [{ role: "user" as const, content: "What is the capital of France?" }];
const tool = { type: "function" as const, function: { name: "get_weather", parameters: { type: "object", properties: {} } } };

const openai = () => new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries: 0 });
const anthropic = () => new Anthropic({ apiKey: set.key, baseURL: set.origin, maxRetries: 0 });
const gpt = () => `${set.openai}/gpt-4o-mini`;
const claude = () => `${set.anthropic}/claude-sonnet-5`;

async function requested(id: string): Promise<Record<string, unknown>> {
  await set.admin.record(id);
  return set.admin.call("GET", `/requests/${id}`);
}

describe("A2: model auto, by the official SDKs", () => {
  beforeAll(async () => {
    await set.admin.call("PUT", "/auto", {
      tiers: [
        { name: "words", models: [gpt()] },
        { name: "deeds", models: [claude()] },
      ],
      rules: [{ name: "tools", when: { tools: true }, tier: "deeds" }],
      otherwise: "words",
    });
    return () => set.admin.call("DELETE", "/auto");
  });

  it("OpenAI's: a question goes to one vendor, the same with tools to the other, and the headers say why", async () => {
    const plain = await openai().chat.completions.create({ model: "auto", messages: question }).withResponse();
    expect(plain.data.choices[0]?.message.role).toBe("assistant");
    expect(JSON.parse(new TextDecoder().decode(set.upstream.last.body))).toMatchObject({ model: "gpt-4o-mini", messages: question });
    const told = (response: Response) => ["provider", "model", "route-reason"].map((name) => response.headers.get(`x-tollgate-${name}`));
    expect(told(plain.response)).toEqual([set.openai, "gpt-4o-mini", "rule none, tier words"]);
    const armed = await openai()
      .chat.completions.create({ model: "auto", messages: question, tools: [tool], max_tokens: 64 })
      .withResponse();
    expect(told(armed.response)).toEqual([set.anthropic, "claude-sonnet-5", "rule tools, tier deeds"]);
    expect(armed.data.choices[0]?.message.tool_calls).toMatchObject([{ type: "function", function: { name: "get_weather" } }]);
  });

  it("OpenAI's: a stream, and Responses", async () => {
    const stream = await openai().chat.completions.create({ model: "auto", messages: question, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).not.toBe("");
    expect((await openai().responses.create({ model: "auto", input: "What is the capital of France?" })).output_text).not.toBe("");
  });

  it("Anthropic's: an answer, a stream and the tokens of a message", async () => {
    const base = { model: "auto", max_tokens: 64, messages: question };
    expect((await anthropic().messages.create(base)).content[0]?.type).toBe("text");
    expect((await anthropic().messages.stream(base).finalMessage()).role).toBe("assistant");
    expect((await anthropic().messages.countTokens({ model: "auto", messages: question })).input_tokens).toBeGreaterThan(0);
  });

  it("the record names auto as what was asked for, what answered, and the reasons", async () => {
    const { response } = await openai().chat.completions.create({ model: "auto", messages: question }).withResponse();
    const id = response.headers.get("x-request-id")!;
    const record = await set.admin.record(id);
    expect(record["resource"]).toEqual({ kind: "model", provider: set.openai, model: "gpt-4o-mini", requested: "auto" });
    expect(await requested(id)).toMatchObject({
      requested: "auto",
      model: "gpt-4o-mini",
      auto: {
        rule: null,
        tier: "words",
        model: gpt(),
        features: { operation: "chat.completions", language: "en", tools: 0 },
        rules: [{ name: "tools", matched: false, reason: "tools is 0; wanted true" }],
        candidates: [{ model: gpt(), tier: "words", out: null }],
      },
    });
  });

  it("a key that may not call the choice gets the next, and never the one it may not", async () => {
    const { secret } = await set.admin.key({ models: { allow: ["*"], deny: [gpt()] } });
    const client = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    const { response } = await client.chat.completions.create({ model: "auto", messages: question }).withResponse();
    expect(response.headers.get("x-tollgate-provider")).toBe(set.anthropic);
    expect(response.headers.get("x-tollgate-route-reason")).toBe(
      "rule none, tier words, chosen from tier deeds, passed over 1: 1 not_allowed",
    );
  });
});

describe("A2: a model that auto chose, and that fails", () => {
  const gone = () => `${set.openai}-gone`;

  beforeAll(async () => {
    const port = await freePort();
    await set.admin.upstream(gone(), "openai", `http://127.0.0.1:${port}`, ["gpt-4o-mini"]);
    await set.admin.call("PUT", "/auto", {
      tiers: [
        { name: "words", models: [`${gone()}/gpt-4o-mini`, "nobody/m", claude()] },
        { name: "deeds", models: [gpt()] },
      ],
      otherwise: "words",
    });
    return () => set.admin.call("DELETE", "/auto");
  });

  it.each([false, true])(
    "is not noticed: the next of its tier answers, and the record tells both attempts (stream: %s)",
    async (stream) => {
      const { response } = await openai().chat.completions.create({ model: "auto", messages: question, stream }).withResponse();
      expect(["provider", "model", "attempts"].map((name) => response.headers.get(`x-tollgate-${name}`))).toEqual([
        set.anthropic,
        "claude-sonnet-5",
        "2",
      ]);
      const id = response.headers.get("x-request-id")!;
      const record = await requested(id);
      expect(record).toMatchObject({
        requested: "auto",
        provider: set.anthropic,
        attempts: [{ provider: gone() }, { provider: set.anthropic, model: "claude-sonnet-5", status: 200 }],
        auto: { tier: "words", model: `${gone()}/gpt-4o-mini`, spares: [claude()] },
      });
      expect(await set.admin.record(id)).toMatchObject({ resource: { provider: set.anthropic, requested: "auto" }, outcome: "ok" });
    },
  );

  it("is explained with what stands behind it, which no other tier does", async () => {
    const answer = await fetch(`${set.origin}/v1/route/explain`, {
      method: "POST",
      headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json" },
      body: JSON.stringify({ operation: "chat.completions", request: { model: "auto", messages: question } }),
    });
    expect(await answer.json()).toMatchObject({ model: `${gone()}/gpt-4o-mini`, falls_back_on: [claude()], tier: "words" });
  });
});
