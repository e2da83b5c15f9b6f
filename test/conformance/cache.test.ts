import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("cache");

interface Surface {
  readonly path: string;
  readonly body: Record<string, unknown>;
}
const surfaces = {
  chat: (): Surface => ({
    path: "/v1/chat/completions",
    body: { model: `${set.openai}/gpt-4o-mini`, max_tokens: 20, messages: [{ role: "user", content: "hi" }] },
  }),
  responses: (): Surface => ({ path: "/v1/responses", body: { model: `${set.openai}/gpt-4o-mini`, max_output_tokens: 20, input: "hi" } }),
  messages: (): Surface => ({
    path: "/v1/messages",
    body: { model: `${set.anthropic}/claude-sonnet-5`, max_tokens: 20, messages: [{ role: "user", content: "hi" }] },
  }),
  "messages of another vendor's model": (): Surface => ({
    path: "/v1/messages",
    body: { model: `${set.openai}/gpt-4o-mini`, max_tokens: 20, messages: [{ role: "user", content: "hi" }] },
  }),
  "responses of another vendor's model": (): Surface => ({
    path: "/v1/responses",
    body: { model: `${set.anthropic}/claude-sonnet-5`, max_output_tokens: 20, input: "hi" },
  }),
};
const NAMES = Object.keys(surfaces) as (keyof typeof surfaces)[];

/** A key with a cache. */
const cached = (fields: Record<string, unknown> = {}) => set.admin.key({ cache: "key", ...fields });

function post(secret: string, { path, body }: Surface, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${set.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

const streamed = ({ path, body }: Surface, more: Record<string, unknown> = {}): Surface => ({
  path,
  body: { ...body, stream: true, ...more },
});
const outcome = (answer: Response) => answer.headers.get("x-tollgate-cache");
const requestId = (answer: Response) => answer.headers.get("x-request-id") ?? "";
const asked = () => set.upstream.seen.length;

async function spent(secret: string): Promise<{ spent_usd: string; reserved_usd: string; requests: number }> {
  return (await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } })).json() as never;
}

describe("A6: identical requests at once", () => {
  it("of 100 streams one is asked of the provider and charged, and all are the same", async () => {
    const { secret } = await cached({ budgets: [{ window: "day", limit_usd: "100" }] });
    const before = asked();
    const question = streamed(surfaces.chat());
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const answer = await post(secret, question, { "x-scenario": "slow-50-x20" });
        return { answer, text: await answer.text() };
      }),
    );
    expect(asked() - before).toBe(1);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]!.text).toContain("[DONE]");
    const outcomes = answers.map(({ answer }) => outcome(answer));
    expect(outcomes.filter((each) => each === "miss")).toHaveLength(1);
    expect(outcomes.filter((each) => each === "coalesced").length).toBeGreaterThan(90);
    const records = await Promise.all(answers.map(({ answer }) => set.admin.record(requestId(answer))));
    const charged = records.filter(({ actual_usd }) => actual_usd !== "0");
    expect(charged).toHaveLength(1);
    await expect.poll(() => spent(secret)).toMatchObject({ spent_usd: charged[0]!.actual_usd, reserved_usd: "0", requests: 100 });
  });
});

describe.each(NAMES)("an answer that is given again: %s", (name) => {
  it.each([false, true])("is what it was, byte for byte; costs nothing, and is on record as a hit (stream: %s)", async (stream) => {
    const { secret } = await cached({ budgets: [{ window: "day", limit_usd: "100" }] });
    const question = stream ? streamed(surfaces[name]()) : surfaces[name]();
    const first = await post(secret, question);
    const text = await first.text();
    const paid = await set.admin.record(requestId(first));
    const before = asked();
    const again = await post(secret, question);
    expect([await again.text(), outcome(first), outcome(again), asked() - before]).toEqual([text, "miss", "hit", 0]);
    expect(again.headers.get("content-type")).toBe(first.headers.get("content-type"));
    expect(again.headers.get("x-tollgate-cost-saved")).toBe(paid.actual_usd);
    const record = await set.admin.record(requestId(again));
    expect(record).toMatchObject({ cache: "hit", actual_usd: "0", estimated_usd: "0", status: "actual", outcome: "ok", attempts: 0 });
    expect(record["receipt"]).toMatchObject({ lines: [], total_usd: "0", saved_usd: paid.actual_usd });
    expect(await set.admin.call("GET", `/requests/${requestId(again)}`)).toMatchObject({ http_status: 200, outcome: "ok" });
    expect(await spent(secret)).toMatchObject({ spent_usd: paid.actual_usd, reserved_usd: "0", requests: 2 });
  });
});

describe("official SDKs", () => {
  it("parse what they are given again, JSON and stream", async () => {
    const { secret } = await cached();
    const openai = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1` });
    const anthropic = new Anthropic({ apiKey: secret, baseURL: set.origin });
    const chat = { model: `${set.openai}/gpt-4o-mini`, messages: [{ role: "user" as const, content: "sdk" }] };
    const message = { model: `${set.anthropic}/claude-sonnet-5`, max_tokens: 50, messages: [{ role: "user" as const, content: "sdk" }] };
    const ask = async () => ({
      whole: await openai.chat.completions.create(chat).withResponse(),
      streamed: await openai.chat.completions.stream({ ...chat, stream: true }).finalChatCompletion(),
      response: await openai.responses.stream({ model: chat.model, input: "sdk" }).finalResponse(),
      message: await anthropic.messages.create(message).withResponse(),
      streamedMessage: await anthropic.messages.stream(message).finalMessage(),
    });
    const first = await ask();
    const before = asked();
    const again = await ask();
    expect(asked()).toBe(before);
    expect([outcome(again.whole.response), outcome(again.message.response)]).toEqual(["hit", "hit"]);
    expect(again.whole.data).toEqual(first.whole.data);
    expect(again.message.data).toEqual(first.message.data);
    const said = ({ streamed: { choices }, response, streamedMessage }: typeof first) => [choices, response.output_text, response.usage, streamedMessage]; // prettier-ignore
    expect(said(again)).toEqual(said(first));
  });
});
