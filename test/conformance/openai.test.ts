import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("openai-sdk");
const messages = [{ role: "user" as const, content: "Hello!" }];
const tools = [{ type: "function" as const, function: { name: "get_current_weather", parameters: { type: "object", properties: {} } } }];

const through = (options: object = {}) => new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries: 0, ...options });
const direct = () => new OpenAI({ apiKey: "sk-direct", baseURL: `${set.upstream.origin}/v1`, maxRetries: 0 });
const model = () => `${set.openai}/gpt-4o-mini`;

/** Both ways, with the model's name taken out: the one thing that the request spells differently. */
async function both<Answer>(ask: (client: OpenAI, model: string) => Promise<Answer>): Promise<[Answer, Answer]> {
  const [viaGateway, viaVendor] = [await ask(through(), model()), await ask(direct(), "gpt-4o-mini")];
  return [viaGateway, viaVendor];
}

async function all<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("A11: openai SDK", () => {
  it("chat: a JSON answer parses deep-equal to the vendor's", async () => {
    const [ours, theirs] = await both((client, named) => client.chat.completions.create({ model: named, messages }));
    expect(ours).toEqual(theirs);
    expect(ours._request_id).toMatch(/^req_/);
  });

  it("chat: a stream yields the vendor's chunks, without a usage chunk that nobody asked for", async () => {
    const [ours, theirs] = await both(async (client, named) =>
      all(await client.chat.completions.create({ model: named, messages, stream: true })),
    );
    expect(ours.every(({ usage }) => usage === null)).toBe(true);
    expect(ours).toEqual(theirs.map((chunk) => ({ ...chunk, usage: null })));
  });

  it("chat: a stream carries its usage to a client that asks", async () => {
    const ask = { messages, stream: true as const, stream_options: { include_usage: true } };
    const [ours, theirs] = await both(async (client, named) => all(await client.chat.completions.create({ model: named, ...ask })));
    expect(ours).toEqual(theirs);
    expect(ours.at(-1)?.usage?.completion_tokens).toBe(10);
  });

  it("chat: tool calls arrive whole, as JSON and as a stream", async () => {
    const [ours, theirs] = await both((client, named) => client.chat.completions.create({ model: named, messages, tools }));
    expect(ours).toEqual(theirs);
    const streamed = await through().chat.completions.stream({ model: model(), messages, tools }).finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { arguments: '{\n"location": "Boston, MA"\n}' } });
  });

  it("chat: a second turn with the tool's result is accepted", async () => {
    const client = through();
    const first = await client.chat.completions.create({ model: model(), messages, tools });
    const call = first.choices[0]!.message;
    const result = { role: "tool" as const, tool_call_id: call.tool_calls![0]!.id, content: "22 degrees" };
    const second = await client.chat.completions.create({ model: model(), messages: [...messages, call, result], tools });
    expect(second.choices[0]?.message.content).toBe("Hello there, how may I assist you today?");
  });

  it("responses: JSON, stream, tools and a second turn equal the vendor's", async () => {
    const [ours, theirs] = await both((client, named) => client.responses.create({ model: named, input: "Hello!" }));
    expect(ours).toEqual(theirs);
    const [events, vendors] = await both(async (client, named) =>
      all(await client.responses.create({ model: named, input: "Hello!", stream: true })),
    );
    expect(events).toEqual(vendors);
    const tool = { type: "function" as const, name: "get_current_weather", parameters: {}, strict: false };
    const called = await through().responses.create({ model: model(), input: "Weather?", tools: [tool] });
    const call = called.output[0];
    if (call?.type !== "function_call") throw new Error("no call");
    const output = { type: "function_call_output" as const, call_id: call.call_id, output: "22" };
    const second = await through().responses.create({
      model: model(),
      input: [{ role: "user", content: "Weather?" }, call, output],
      tools: [tool],
    });
    expect(second.output_text).toContain("Hello");
  });

  it("completions and embeddings equal the vendor's", async () => {
    const [ours, theirs] = await both((client, named) => client.completions.create({ model: named, prompt: "Say this" }));
    expect(ours).toEqual(theirs);
    const embed = (client: OpenAI, named: string) => client.embeddings.create({ model: named, input: "x", encoding_format: "float" });
    const [vectors, vendors] = [
      await embed(through(), `${set.openai}/text-embedding-3-small`),
      await embed(direct(), "text-embedding-3-small"),
    ];
    expect(vectors).toEqual(vendors);
  });

  it("models: lists what the key may call, and reads one", async () => {
    const models = await all(through().models.list());
    expect(models.map(({ id }) => id)).toContain(model());
    expect((await through().models.retrieve("tollgate/echo")).owned_by).toBe("tollgate");
  });

  it.each([400, 401, 403, 404, 422, 429, 500, 503])("a provider's %d reaches the client as the vendor's own error", async (status) => {
    const headers = { "x-scenario": `error-${status}` };
    const caught = async (client: OpenAI, named: string) =>
      client.chat.completions
        .create({ model: named, messages }, { headers })
        .catch((error: unknown) => error as InstanceType<typeof OpenAI.APIError>);
    const [ours, theirs] = await both(caught);
    expect(ours).toBeInstanceOf(OpenAI.APIError);
    if (!(ours instanceof OpenAI.APIError) || !(theirs instanceof OpenAI.APIError)) throw new Error("no error");
    expect([ours.status, ours.constructor.name, ours.error]).toEqual([theirs.status, theirs.constructor.name, theirs.error]);
  });

  it("retries what the vendor says can be retried", async () => {
    const before = set.upstream.seen.length;
    const client = through({ maxRetries: 1 });
    await expect(client.chat.completions.create({ model: model(), messages }, { headers: { "x-scenario": "error-500" } })).rejects.toThrow(
      /500/,
    );
    expect(set.upstream.seen.length - before).toBe(2);
  });

  it("never retries a decision of the gateway: x-should-retry is obeyed", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd: "0" }] });
    let sent = 0;
    const counting: typeof fetch = (...given) => {
      sent++;
      return fetch(...given);
    };
    const client = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 3, fetch: counting });
    const error = await client.chat.completions.create({ model: model(), messages }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: "budget_exceeded", type: "billing_error" });
    expect(sent).toBe(1);
  });

  it("an abort by the client cancels the upstream within 500 ms", async () => {
    const aborter = new AbortController();
    const stream = await through().chat.completions.create(
      { model: model(), messages, stream: true },
      { headers: { "x-scenario": "slow-50-x200" }, signal: aborter.signal },
    );
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    const { last } = set.upstream;
    const leftAt = performance.now();
    aborter.abort();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 20 }).not.toBeNull();
    expect(last.abortedAt! - leftAt).toBeLessThan(500);
  });

  it("a stream that the provider cuts raises an error, after the text that came", async () => {
    const stream = await through().chat.completions.create(
      { model: model(), messages, stream: true },
      { headers: { "x-scenario": "cut-after-3" } },
    );
    let text = "";
    await expect(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    }).rejects.toThrow(/broke off/);
    expect(text).toBe("Hello there,");
  });

  it("a provider's error in the middle of a stream reaches the client", async () => {
    const stream = await through().chat.completions.create(
      { model: model(), messages, stream: true },
      { headers: { "x-scenario": "error-mid" } },
    );
    await expect(all(stream)).rejects.toThrow(/server had an error/);
  });

  it("the built-in provider speaks every OpenAI surface", async () => {
    const client = through();
    const chat = await client.chat.completions.create({ model: "tollgate/echo", messages });
    expect(chat.choices[0]?.message.content).toContain("Hello!");
    const streamed = await client.chat.completions.stream({ model: "tollgate/echo", messages }).finalContent();
    expect(streamed).toBe(chat.choices[0]?.message.content);
    expect((await client.responses.create({ model: "tollgate/echo", input: "Hi" })).output_text).toContain("Hi");
    expect((await client.embeddings.create({ model: "tollgate/echo", input: "Hi" })).data).toHaveLength(1);
  });
});
