import OpenAI from "openai";
import { describe, expect, inject, it } from "vitest";
import { CANARIES, holding } from "../support/canaries.ts";
import { stage } from "./stage.ts";

const set = stage("responses");
const client = (apiKey = set.key) => new OpenAI({ apiKey, baseURL: `${set.origin}/v1`, maxRetries: 0 });

/** What the provider was sent last. */
const sent = () => JSON.parse(set.upstream.last.body.toString("utf8")) as Record<string, unknown>;

type Ask = OpenAI.Responses.ResponseCreateParamsNonStreaming;
type Answer = OpenAI.Responses.Response;

/** Asks, and returns the whole response: of one answer, or of a stream's last event. */
async function respond(ask: Ask, { stream = false, apiKey = set.key }: { stream?: boolean; apiKey?: string } = {}): Promise<Answer> {
  if (!stream) return client(apiKey).responses.create(ask);
  // Not a moment later: whoever has read the last event may go on at once.
  for await (const event of await client(apiKey).responses.create({ ...ask, stream: true })) {
    if (event.type === "response.completed") return event.response;
  }
  throw new Error("the stream had no end");
}

/** What it threw, as the SDK tells it. */
async function refusal(
  work: Promise<unknown>,
): Promise<{ status: number; error: { message: string; param: string | null; code: string } }> {
  return work.then(
    () => Promise.reject(new Error("it was answered")),
    (thrown: unknown) => thrown as { status: number; error: { message: string; param: string | null; code: string } },
  );
}

const text = (item: unknown) => JSON.stringify((item as { content: unknown }).content);
const claude = () => `${set.anthropic}/claude-sonnet-5`;
const echo = () => "tollgate/echo";
const gpt = () => `${set.openai}/gpt-4o-mini`;
const MODELS = [
  ["translated from Messages", claude],
  ["the built-in", echo],
  ["native", gpt],
] as const;

describe.each(MODELS)("openai SDK: responses that can be named again, %s", (_, model) => {
  it.each([false, true])("the next turn goes on from the last, at once (stream: %s)", async (stream) => {
    const first = await respond({ model: model(), input: "My name is Ada." }, { stream });
    const second = await respond({ model: model(), input: "What is my name?", previous_response_id: first.id }, { stream });
    const third = await respond({ model: model(), input: "Sure?", previous_response_id: second.id }, { stream });
    expect(new Set([first.id, second.id, third.id]).size).toBe(3);
    const again = await client().responses.retrieve(third.id);
    expect(again).toMatchObject({ id: third.id, previous_response_id: second.id, store: true, status: "completed", output: third.output });
    const items = await client().responses.inputItems.list(third.id, { order: "asc" });
    const said = items.data.map(text);
    for (const each of ["My name is Ada.", "What is my name?", "Sure?"]) expect(said.some((one) => one.includes(each))).toBe(true);
  });

  it("many turns go on from one, at once and apart", async () => {
    const root = await respond({ model: model(), input: "Root." });
    const branches = await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        respond({ model: model(), input: `Branch ${at}.`, previous_response_id: root.id }, { stream: at % 2 === 0 }),
      ),
    );
    expect(new Set(branches.map(({ id }) => id)).size).toBe(12);
    for (const [at, { id }] of branches.entries()) {
      const said = JSON.stringify((await client().responses.inputItems.list(id, { limit: 100 })).data);
      expect(said.match(/Branch \d+\./g)).toEqual([`Branch ${at}.`]);
      expect(said).toContain("Root.");
    }
  });

  it("threat 6: another key's id is 404, the same as one that was never made, wherever it is named", async () => {
    const { secret } = await set.admin.key({ name: "stranger" });
    const mine = await respond({ model: model(), input: "Secret." });
    const [item] = mine.output;
    const missing = mine.id.replace(/.{6}$/, "abcdef");
    const ways = (id: string) => [
      client(secret).responses.retrieve(id),
      client(secret).responses.inputItems.list(id),
      client(secret).responses.delete(id),
      client(secret).responses.cancel(id),
      client(secret).responses.create({ model: model(), input: "Go on", previous_response_id: id }),
    ];
    const before = set.upstream.seen.length;
    const [theirs, none] = await Promise.all([mine.id, missing].map((id) => Promise.all(ways(id).map(refusal))));
    for (const [at, { status, error }] of theirs!.entries()) {
      expect([status, error.code]).toEqual([404, "not_found"]);
      expect({ ...error, message: error.message.replace(mine.id, missing) }).toEqual(none![at]!.error);
    }
    const reference = client(secret).responses.create({ model: model(), input: [{ type: "item_reference", id: item!.id! }] });
    expect(await refusal(reference)).toMatchObject({ status: 404, error: { param: "input.0.id" } });
    expect(set.upstream.seen.length).toBe(before);
    expect((await client().responses.retrieve(mine.id)).id).toBe(mine.id);
  });

  it("a response that was deleted is not there any more", async () => {
    const { id } = await respond({ model: model(), input: "Forget me." });
    await client().responses.delete(id);
    expect((await refusal(client().responses.retrieve(id))).status).toBe(404);
    expect((await refusal(client().responses.delete(id))).status).toBe(404);
    expect((await refusal(respond({ model: model(), input: "Go on", previous_response_id: id }))).status).toBe(404);
  });

  it("an item that is none, or names itself wrongly, is the caller's fault", async () => {
    for (const item of [null, 5, "text", [], { type: "item_reference" }, { id: "__proto__" }]) {
      const answer = await fetch(`${set.origin}/v1/responses`, {
        method: "POST",
        headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: model(), input: [item, { role: "user", content: "hi" }] }),
      });
      await answer.text();
      expect(answer.status).toBeLessThan(500);
    }
  });

  it.each([false, true])("store: false leaves nothing (stream: %s)", async (stream) => {
    const { id } = await respond({ model: model(), input: "Hello!", store: false }, { stream });
    expect((await refusal(client().responses.retrieve(id))).status).toBe(404);
    expect((await refusal(respond({ model: model(), input: "Go on", previous_response_id: id }))).status).toBe(404);
  });

  it("items of an earlier answer can be named in place of being told", async () => {
    const first = await respond({ model: model(), input: "Hello!" });
    const input = [
      { role: "user" as const, content: "Hello!" },
      { type: "item_reference" as const, id: first.output[0]!.id! },
      { role: "user" as const, content: "And now?" },
    ];
    expect((await respond({ model: model(), input })).status).toBe("completed");
  });

  it("nothing can be cancelled, and conversations are refused, each with its reason", async () => {
    const { id } = await respond({ model: model(), input: "Hello!" });
    expect(await refusal(client().responses.cancel(id))).toMatchObject({ status: 400, error: { message: /background/ } });
    const inConversation = respond({ model: model(), input: "Hello!", conversation: "conv_1" });
    expect(await refusal(inConversation)).toMatchObject({ status: 400, error: { param: "conversation" } });
  });
});

describe("what a provider keeps", () => {
  it("is gone on from, read and deleted with the credential that it was made with, of several", async () => {
    const name = "responses-accounts";
    await set.admin.upstream(name, "openai", set.upstream.origin, ["gpt-4o-mini"]);
    const { data } = await set.admin.call<{ data: { id: string; name: string }[] }>("GET", "/providers?limit=100");
    const { id } = data.find((provider) => provider.name === name)!;
    await set.admin.call("POST", `/providers/${id}/credentials`, { label: "second", api_key: "sk-second-account" });
    const used = new Set<unknown>();
    const credential = () => set.upstream.last.headers.authorization;
    await expect
      .poll(
        async () => {
          const session = { "x-tollgate-session-id": `s-${used.size}-${Math.random()}` };
          const first = await client().responses.create(
            { model: `${name}/gpt-4o-mini`, input: JSON.stringify(session) },
            { headers: session },
          );
          const made = credential();
          used.add(made);
          const ways = [
            () => client().responses.create({ model: `${name}/gpt-4o-mini`, input: "On.", previous_response_id: first.id }),
            () => client().responses.retrieve(first.id),
            () => client().responses.delete(first.id),
          ];
          for (const way of ways) {
            await way();
            expect(credential()).toBe(made);
          }
          return used.size;
        },
        { timeout: 20_000, interval: 10 },
      )
      .toBe(2);
  });
});

describe("what is kept here", () => {
  it.each([false, true])(
    "tool calls, signed thoughts and results come across three turns that name each other (stream: %s)",
    async (stream) => {
      const tools = [{ type: "function" as const, name: "get_weather", parameters: { type: "object", properties: {} }, strict: false }];
      const ask = { model: claude(), tools, reasoning: { effort: "high" as const }, max_output_tokens: 9_000 };
      const first = await respond({ ...ask, input: "Weather?" }, { stream });
      expect(first.output.map(({ type }) => type)).toEqual(["reasoning", "function_call"]);
      const results = first.output.flatMap((item) =>
        item.type === "function_call" ? [{ type: "function_call_output" as const, call_id: item.call_id, output: "72 degrees" }] : [],
      );
      const second = await respond({ ...ask, input: results, previous_response_id: first.id }, { stream });
      expect(second.output_text ?? JSON.stringify(second.output)).toContain("Hello!");
      const turns = sent()["messages"] as { role: string; content: { type: string }[] }[];
      expect(turns.map(({ role, content }) => [role, ...content.map(({ type }) => type)])).toEqual([
        ["user", "text"],
        ["assistant", "thinking", "tool_use"],
        ["user", "tool_result"],
      ]);
      await respond({ ...ask, input: "Thanks.", previous_response_id: second.id }, { stream });
      expect(sent()["messages"]).toHaveLength(5);
      // Instructions are each turn's own.
      expect(sent()["system"]).toBeUndefined();
    },
  );

  it.each([false, true])(
    "custom tools are called, answered and gone on from as such, on a model that knows none (stream: %s)",
    async (stream) => {
      const tools = [{ type: "custom" as const, name: "get_weather", description: "Tells the weather." }];
      const first = await respond({ model: claude(), tools, input: "Weather?" }, { stream });
      expect(sent()["tools"]).toMatchObject([{ name: "get_weather", input_schema: { required: ["input"] } }]);
      const call = first.output.find((item) => item.type === "custom_tool_call")!;
      expect(call).toMatchObject({ name: "get_weather", call_id: "toolu_01T1x1fJ34qAmk2tNTrN7Up6" });
      expect(JSON.parse(call.input)).toEqual({ location: "San Francisco, CA", unit: "fahrenheit" });
      const input = [{ type: "custom_tool_call_output" as const, call_id: call.call_id, output: "72 degrees" }];
      const second = await respond({ model: claude(), tools, input, previous_response_id: first.id }, { stream });
      expect(JSON.stringify(second.output)).toContain("Hello!");
      expect(JSON.stringify(sent()["messages"])).toContain(JSON.stringify({ input: call.input }));
    },
  );

  it("the response says what was asked of it, and repeats its metadata", async () => {
    const made = await respond({ model: claude(), input: "Hello!", instructions: "Be kind.", metadata: { case: "7" } });
    expect(made).toMatchObject({ instructions: "Be kind.", metadata: { case: "7" }, store: true, previous_response_id: null });
    expect(await client().responses.retrieve(made.id)).toMatchObject({ instructions: "Be kind.", metadata: { case: "7" } });
    expect(await respond({ model: claude(), input: "Hello!", store: false })).toMatchObject({ store: false });
  });

  it("a conversation moves on to another provider's model, and none moves away from the provider that keeps it", async () => {
    const first = await respond({ model: claude(), input: "My name is Ada." });
    const second = await respond({ model: gpt(), input: "And now?", previous_response_id: first.id });
    expect(sent()).toMatchObject({ model: "gpt-4o-mini", previous_response_id: null });
    expect(JSON.stringify(sent()["input"])).toContain("My name is Ada.");
    const away = respond({ model: claude(), input: "Back?", previous_response_id: second.id });
    expect(await refusal(away)).toMatchObject({ status: 400, error: { param: "previous_response_id", message: new RegExp(set.openai) } });
  });

  it("reasoning that another maker closed stays behind where the conversation moves on", async () => {
    const tools = [{ type: "function" as const, name: "get_weather", parameters: { type: "object", properties: {} }, strict: false }];
    const first = await respond({ model: claude(), tools, reasoning: { effort: "high" }, max_output_tokens: 9_000, input: "Weather?" });
    const [thought, call] = first.output;
    if (thought?.type !== "reasoning" || call?.type !== "function_call") throw new Error("no thought and no call");
    expect(thought.encrypted_content).toMatch(/^tollgate\.1\./);
    const input = [{ type: "function_call_output" as const, call_id: call.call_id, output: "72" }];
    expect(await respond({ model: gpt(), tools, input, previous_response_id: first.id })).toMatchObject({ status: "completed" });
    expect((sent()["input"] as { type: string }[]).map(({ type }) => type)).toEqual(["message", "function_call", "function_call_output"]);
  });

  it("input items are paged, either way, by the ids of items", async () => {
    const input = Array.from({ length: 7 }, (_, at) => ({ role: "user" as const, content: `Line ${at}.` }));
    const { id } = await respond({ model: echo(), input });
    const lines = async (order: "asc" | "desc") => {
      const found: string[] = [];
      for await (const item of client().responses.inputItems.list(id, { limit: 3, order })) found.push(/Line \d/.exec(text(item))![0]);
      return found;
    };
    const all = input.map(({ content }) => content.slice(0, 6));
    expect(await lines("asc")).toEqual(all);
    expect(await lines("desc")).toEqual(all.toReversed());
    const page = await client().responses.inputItems.list(id, { limit: 3, order: "asc" });
    expect(page).toMatchObject({ has_more: true, data: [{ type: "message", role: "user" }, {}, {}] });
    for (const [query, param] of [
      [{ after: "msg_none" }, "after"],
      [{ limit: 101 }, "limit"],
    ] as const)
      expect(await refusal(client().responses.inputItems.list(id, query))).toMatchObject({ status: 400, error: { param } });
  });

  it("an estimate of the next turn counts what it goes on from", async () => {
    const first = await respond({ model: echo(), input: "word ".repeat(500) });
    const priced = async (previous: string | null) => {
      const body = JSON.stringify({ model: echo(), input: "Hi", previous_response_id: previous });
      const headers = { authorization: `Bearer ${set.key}`, "content-type": "application/json", "x-tollgate-dry-run": "true" };
      const answer = await fetch(`${set.origin}/v1/responses`, { method: "POST", headers, body });
      return ((await answer.json()) as { input_tokens: { tight: number } }).input_tokens.tight;
    };
    expect((await priced(first.id)) - (await priced(null))).toBeGreaterThan(800);
  });

  it("threat 28: no prompt and no answer can be read from the storage", async () => {
    const canary = `${CANARIES.prompt}-kept`;
    const { id } = await respond({ model: claude(), input: canary });
    expect(JSON.stringify((await client().responses.inputItems.list(id)).data)).toContain(canary);
    expect(holding(inject("state"), canary)).toEqual([]);
  });
});

describe("a short request that names much", () => {
  const named = (ids: readonly string[]) => respond({ model: echo(), input: ids.map((id) => ({ type: "item_reference", id })) });

  it("is refused before it is told: one item a thousand times, and no isolate runs out of memory", async () => {
    const { id } = await respond({ model: echo(), input: "x".repeat(1_000_000) });
    const [item] = (await client().responses.inputItems.list(id)).data;
    const refused = await refusal(named(Array.from({ length: 1_000 }, () => item!.id!)));
    expect(refused).toMatchObject({ status: 413, error: { code: "payload_too_large", param: "input" } });
    expect((await client().responses.retrieve(id)).id).toBe(id);
  });

  it("is refused where it names more responses than a request may, without looking for one", async () => {
    const refused = await refusal(named(Array.from({ length: 1_001 }, (_, at) => `item_${at}`)));
    expect(refused).toMatchObject({ status: 400, error: { code: "invalid_request", param: "input" } });
  });
});
