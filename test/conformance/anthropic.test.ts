import Anthropic from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("anthropic-sdk");
const messages = [{ role: "user" as const, content: "Hello, Claude" }];
const tools = [{ name: "get_weather", input_schema: { type: "object" as const, properties: {} } }];
const base = { max_tokens: 1024, messages };

const through = (options: object = {}) => new Anthropic({ apiKey: set.key, baseURL: set.origin, maxRetries: 0, ...options });
const direct = () => new Anthropic({ apiKey: "sk-ant-direct", baseURL: set.upstream.origin, maxRetries: 0 });
const model = () => `${set.anthropic}/claude-sonnet-5`;

async function both<Answer>(ask: (client: Anthropic, model: string) => Promise<Answer>): Promise<[Answer, Answer]> {
  return [await ask(through(), model()), await ask(direct(), "claude-sonnet-5")];
}

async function all<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("@anthropic-ai/sdk", () => {
  it("messages: a JSON answer parses deep-equal to the vendor's", async () => {
    const [ours, theirs] = await both((client, named) => client.messages.create({ model: named, ...base }));
    expect(ours).toEqual(theirs);
    expect(ours._request_id).toMatch(/^req_/);
  });

  it("messages: a stream yields the vendor's events", async () => {
    const [ours, theirs] = await both(async (client, named) => all(await client.messages.create({ model: named, ...base, stream: true })));
    expect(ours).toEqual(theirs);
  });

  it("messages: tool input arrives whole, and a second turn is accepted", async () => {
    const client = through();
    const first = await client.messages.stream({ model: model(), ...base, tools }).finalMessage();
    const call = first.content[0];
    if (call?.type !== "tool_use") throw new Error("no tool use");
    expect(call.input).toEqual({ location: "San Francisco, CA", unit: "fahrenheit" });
    const result = { role: "user" as const, content: [{ type: "tool_result" as const, tool_use_id: call.id, content: "15" }] };
    const second = await client.messages.create({
      model: model(),
      max_tokens: 64,
      tools,
      messages: [...messages, { role: "assistant", content: first.content }, result],
    });
    expect(second.stop_reason).toBe("end_turn");
  });

  it("count_tokens equals the vendor's, and costs nothing", async () => {
    const [ours, theirs] = await both((client, named) => client.messages.countTokens({ model: named, messages }));
    expect(ours).toEqual(theirs);
  });

  it("beta calls pass their headers and query as the vendor would see them", async () => {
    const seen = async (client: Anthropic, named: string) => {
      await client.beta.messages.create({ model: named, ...base, betas: ["files-api-2025-04-14"] });
      const { search, headers } = set.upstream.last;
      return [search, headers["anthropic-beta"], headers["anthropic-version"]];
    };
    const [ours, theirs] = await both(seen);
    expect(ours).toEqual(theirs);
    const headers = { "x-api-key": set.key, "anthropic-version": "2023-06-01", "content-type": "application/json" };
    const body = JSON.stringify({ model: model(), ...base });
    expect((await fetch(`${set.origin}/v1/messages?beta=true`, { method: "POST", headers, body })).status).toBe(200);
    expect(set.upstream.last.search).toBe("?beta=true");
  });

  it("models: lists in Anthropic's shape", async () => {
    const models = await all(through().models.list());
    expect(models.map(({ id }) => id)).toContain(model());
  });

  it.each([400, 401, 403, 404, 413, 429, 500, 529])("a provider's %d reaches the client as the vendor's own error", async (status) => {
    const headers = { "x-scenario": `error-${status}` };
    const caught = (client: Anthropic, named: string) =>
      client.messages.create({ model: named, ...base }, { headers }).catch((error: unknown) => error);
    const [ours, theirs] = await both(caught);
    if (!(ours instanceof Anthropic.APIError) || !(theirs instanceof Anthropic.APIError)) throw new Error("no error");
    expect([ours.status, ours.constructor.name, ours.error]).toEqual([theirs.status, theirs.constructor.name, theirs.error]);
  });

  it("a decision of the gateway comes in Anthropic's envelope, once, without retry-after", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "month", limit_usd: "0" }] });
    let sent = 0;
    const counting: typeof fetch = (...given) => {
      sent++;
      return fetch(...given);
    };
    const client = new Anthropic({ apiKey: secret, baseURL: set.origin, maxRetries: 3, fetch: counting });
    const error = await client.messages.create({ model: model(), ...base }).catch((thrown: unknown) => thrown);
    if (!(error instanceof Anthropic.APIError)) throw new Error("no error");
    expect(error.status).toBe(402);
    expect(error.error).toMatchObject({
      type: "error",
      error: { type: "billing_error", code: "budget_exceeded", details: { window: "month", unit: "usd", limit: "0" } },
    });
    expect(error.headers?.get("retry-after")).toBeNull();
    expect(sent).toBe(1);
  });

  it("an abort by the client cancels the upstream within 500 ms", async () => {
    const stream = through().messages.stream({ model: model(), ...base }, { headers: { "x-scenario": "slow-50-x200" } });
    for await (const event of stream) if (event.type === "content_block_delta") break;
    const { last } = set.upstream;
    const leftAt = performance.now();
    stream.abort();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 20 }).not.toBeNull();
    expect(last.abortedAt! - leftAt).toBeLessThan(500);
  });

  it("a stream that the provider cuts raises an error", async () => {
    const stream = await through().messages.create({ model: model(), ...base, stream: true }, { headers: { "x-scenario": "cut-after-3" } });
    await expect(all(stream)).rejects.toThrow(/broke off/);
  });

  it("a provider's error in the middle of a stream reaches the client", async () => {
    const stream = await through().messages.create({ model: model(), ...base, stream: true }, { headers: { "x-scenario": "error-mid" } });
    await expect(all(stream)).rejects.toThrow(/Overloaded/);
  });

  it("the built-in provider speaks Messages", async () => {
    const answer = await through()
      .messages.stream({ model: "tollgate/echo", ...base })
      .finalText();
    expect(answer).toContain("Hello, Claude");
  });
});
