import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("errors");
const prompt = [{ role: "user" as const, content: "hi" }];

/** How a case of the contract's table is brought about: by whose key, with which model, header or body. */
interface Cause {
  readonly key?: () => string;
  readonly model?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Record<string, unknown>;
}

/** One row of the contract's table. */
interface Row {
  readonly code: string;
  readonly status: number;
  readonly type: string;
  readonly retried: boolean;
  readonly cause: Cause;
}

const keys = { poor: "", narrow: "" };

beforeAll(async () => {
  keys.poor = (await set.admin.key({ budgets: [{ window: "total", limit_usd: "0" }] })).secret;
  keys.narrow = (await set.admin.key({ models: { allow: ["tollgate/echo"], deny: [] } })).secret;
});

const TABLE: readonly Row[] = [
  { code: "invalid_request", status: 400, type: "invalid_request_error", retried: false, cause: { body: { stream: "yes" } } },
  {
    code: "invalid_request",
    status: 400,
    type: "invalid_request_error",
    retried: false,
    cause: { headers: { "x-tollgate-nothing": "1" } },
  },
  { code: "invalid_api_key", status: 401, type: "authentication_error", retried: false, cause: { key: () => "sk-tg-nobody" } },
  { code: "budget_exceeded", status: 402, type: "billing_error", retried: false, cause: { key: () => keys.poor } },
  { code: "permission_denied", status: 403, type: "permission_error", retried: false, cause: { key: () => keys.narrow } },
  { code: "model_not_found", status: 404, type: "not_found_error", retried: false, cause: { model: "nobody/nothing" } },
  { code: "upstream_error", status: 502, type: "api_error", retried: true, cause: { headers: { "x-scenario": "hang-up" } } },
  {
    code: "upstream_timeout",
    status: 504,
    type: "timeout_error",
    retried: true,
    cause: { headers: { "x-scenario": "stall", "x-tollgate-timeout-ms": "300" } },
  },
];

/** What a client of either vendor saw of an error, and how often it asked before it gave up. */
interface Met {
  readonly name: string;
  readonly status: number | undefined;
  readonly error: unknown;
  readonly headers: Headers;
  readonly asked: number;
}

/** A fetch that counts, from an address of its own: failed authentications are counted by address. */
function counted(address: string) {
  const counter = { asked: 0 };
  const counting: typeof fetch = (input, init) => {
    counter.asked++;
    const headers = new Headers(init?.headers);
    headers.set("cf-connecting-ip", address);
    return fetch(input, { ...init, headers });
  };
  return { counter, counting };
}

async function viaOpenai({ key, model, headers, body }: Cause): Promise<Met> {
  const { counter, counting } = counted("198.51.100.251");
  const client = new OpenAI({ apiKey: key?.() ?? set.key, baseURL: `${set.origin}/v1`, maxRetries: 1, fetch: counting });
  const ask = { model: model ?? `${set.openai}/gpt-4o-mini`, messages: prompt, ...body };
  const error: unknown = await client.chat.completions.create(ask as never, { headers: headers ?? {} }).catch((thrown: unknown) => thrown);
  if (!(error instanceof OpenAI.APIError)) throw new Error("no error of the vendor's");
  return {
    name: error.constructor.name,
    status: error.status,
    error: { error: error.error },
    headers: error.headers!,
    asked: counter.asked,
  };
}

async function viaAnthropic({ key, model, headers, body }: Cause): Promise<Met> {
  const { counter, counting } = counted("198.51.100.252");
  const client = new Anthropic({ apiKey: key?.() ?? set.key, baseURL: set.origin, maxRetries: 1, fetch: counting });
  const ask = { model: model ?? `${set.anthropic}/claude-sonnet-5`, max_tokens: 9, messages: prompt, ...body };
  const error: unknown = await client.messages.create(ask as never, { headers: headers ?? {} }).catch((thrown: unknown) => thrown);
  if (!(error instanceof Anthropic.APIError)) throw new Error("no error of the vendor's");
  return { name: error.constructor.name, status: error.status, error: error.error, headers: error.headers!, asked: counter.asked };
}

/** The class by which the SDKs show a status; Anthropic's has two more. */
const CLASSES: Readonly<Record<number, string>> = {
  400: "BadRequestError",
  401: "AuthenticationError",
  402: "APIError",
  403: "PermissionDeniedError",
  404: "NotFoundError",
  502: "InternalServerError",
  504: "InternalServerError",
};
const ANTHROPIC_CLASSES: typeof CLASSES = { ...CLASSES, 402: "PaymentRequiredError", 504: "GatewayTimeoutError" };

function checkFace({ name, status, headers, asked }: Met, row: Row, classes: typeof CLASSES): void {
  expect([name, status]).toEqual([classes[row.status], row.status]);
  expect(headers.get("x-should-retry")).toBe(String(row.retried));
  expect(asked).toBe(row.retried ? 2 : 1);
  expect(headers.get("retry-after")).toBeNull();
  expect(headers.get("x-request-id")).toMatch(/^req_/);
  expect(headers.get("request-id")).toBe(headers.get("x-request-id"));
}

describe.each(TABLE)("the gateway's own $code, $status", (row) => {
  it("openai: the class of its status, OpenAI's envelope, and asked again only where that can help", async () => {
    const met = await viaOpenai(row.cause);
    checkFace(met, row, CLASSES);
    const { error } = met.error as { error: Record<string, unknown> };
    expect(error).toMatchObject({ type: row.type, code: row.code, message: expect.stringMatching(/\w/) as string });
    expect(Object.keys(error).filter((key) => key !== "details")).toEqual(["message", "type", "param", "code"]);
  });

  it("@anthropic-ai/sdk: the class of its status, Anthropic's envelope, and asked again only where that can help", async () => {
    const met = await viaAnthropic(row.cause);
    checkFace(met, row, ANTHROPIC_CLASSES);
    const body = met.error as { type: string; error: Record<string, unknown>; request_id: string };
    expect(Object.keys(body)).toEqual(["type", "error", "request_id"]);
    expect(body.type).toBe("error");
    expect(body.error).toMatchObject({ type: row.type, code: row.code, message: expect.stringMatching(/\w/) as string });
    expect(body.request_id).toBe(met.headers.get("request-id"));
  });
});

describe("what is not the client's to repair", () => {
  it("a wrong method and a route that is not offered say so by name, once", async () => {
    const { counter, counting } = counted("198.51.100.253");
    const client = new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries: 2, fetch: counting });
    const wrong: unknown = await client.get("/embeddings").catch((thrown: unknown) => thrown);
    expect(wrong).toMatchObject({ status: 405, code: "method_not_allowed", type: "invalid_request_error" });
    const batches: unknown = await client.batches.list().catch((thrown: unknown) => thrown);
    expect(batches).toMatchObject({
      status: 404,
      code: "not_found",
      type: "not_found_error",
      message: expect.stringContaining("/v1/batches") as string,
    });
    expect(counter.asked).toBe(2);
  });

  it("a limit of pace is a 429 with a wait of at most a minute, and a client that waits gets through", async () => {
    const { secret } = await set.admin.key({ limits: { concurrency: 1 } });
    const { counter, counting } = counted("198.51.100.254");
    const held = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    const ask = { model: `${set.openai}/gpt-4o-mini`, messages: prompt };
    const before = set.upstream.seen.length;
    const first = held.chat.completions.create(ask, { headers: { "x-scenario": "slow-700" } });
    await expect.poll(() => set.upstream.seen.length, { interval: 10 }).toBe(before + 1);
    const refused: unknown = await held.chat.completions.create(ask).catch((thrown: unknown) => thrown);
    if (!(refused instanceof OpenAI.RateLimitError)) throw new Error("no refusal of pace");
    expect(refused.error).toMatchObject({
      type: "rate_limit_error",
      code: "rate_limited",
      details: { limit: "concurrency", max: 1, used: 1 },
    });
    expect(refused.headers.get("x-should-retry")).toBe("true");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    expect(Number(refused.headers.get("retry-after-ms"))).toBeLessThanOrEqual(60_000);
    const patient = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 5, fetch: counting });
    expect((await patient.chat.completions.create(ask)).choices).toHaveLength(1);
    expect(counter.asked).toBeGreaterThan(1);
    expect((await first).choices).toHaveLength(1);
  });
});

describe("a provider's error", () => {
  const through = (maxRetries: number) => new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries });
  const ask = (client: OpenAI, model: string, scenario: string): Promise<unknown> =>
    client.chat.completions.create({ model, messages: prompt }, { headers: { "x-scenario": scenario } }).catch((thrown: unknown) => thrown);

  it("that says it is final is not asked for again", async () => {
    const before = set.upstream.seen.length;
    const error = await ask(through(3), `${set.openai}/gpt-4o-mini`, "error-quota");
    expect(error).toMatchObject({ status: 429, code: "insufficient_quota" });
    expect(set.upstream.seen.length - before).toBe(1);
  });

  it("that names a wait keeps it, and the client waits that long", async () => {
    const before = set.upstream.seen.length;
    const startedAt = performance.now();
    const error = await ask(through(1), `${set.openai}/gpt-4o-mini`, "error-429");
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(set.upstream.seen.length - before).toBe(2);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_000);
  });

  it("that is a proxy's page reaches the client as it would without a gateway", async () => {
    const direct = new OpenAI({ apiKey: "sk-direct", baseURL: `${set.upstream.origin}/v1`, maxRetries: 0 });
    const [ours, theirs] = [
      await ask(through(0), `${set.openai}/gpt-4o-mini`, "error-page"),
      await ask(direct, "gpt-4o-mini", "error-page"),
    ];
    if (!(ours instanceof OpenAI.APIError) || !(theirs instanceof OpenAI.APIError)) throw new Error("no error");
    expect([ours.status, ours.message, ours.headers?.get("content-type")]).toEqual([502, theirs.message, "text/html"]);
  });

  it("costs nothing, and leaves nothing reserved", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd: "0.01" }] });
    const client = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    for (const scenario of ["error-400", "error-500", "error-503"]) await ask(client, `${set.openai}/gpt-4o-mini`, scenario);
    const standing = async () => {
      const answer = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
      const { budgets } = (await answer.json()) as { budgets: { status: { spent: string; reserved: string } }[] };
      return [budgets[0]?.status.spent, budgets[0]?.status.reserved];
    };
    await expect.poll(standing, { timeout: 2_000 }).toEqual(["0", "0"]);
  });
});

describe("a turn that the vendor would refuse", () => {
  it("openai: a tool's result without its call, and a call without its result, are refused in the vendor's words", async () => {
    const client = new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries: 0 });
    const direct = new OpenAI({ apiKey: "sk-direct", baseURL: `${set.upstream.origin}/v1`, maxRetries: 0 });
    const call = { id: "call_1", type: "function" as const, function: { name: "f", arguments: "{}" } };
    const turns: OpenAI.ChatCompletionMessageParam[][] = [
      [...prompt, { role: "tool", tool_call_id: "call_9", content: "x" }],
      [...prompt, { role: "assistant", tool_calls: [call] }, ...prompt],
      [...prompt, { role: "assistant", tool_calls: [call] }, { role: "tool", tool_call_id: "call_2", content: "x" }],
    ];
    for (const messages of turns) {
      const refusal = (who: OpenAI, model: string): Promise<unknown> =>
        who.chat.completions.create({ model, messages }).catch((thrown: unknown) => (thrown as { message: string }).message);
      const [ours, theirs] = [await refusal(client, `${set.openai}/gpt-4o-mini`), await refusal(direct, "gpt-4o-mini")];
      expect(ours).toBe(theirs);
      expect(ours).toMatch(/^400 .*tool_call/);
    }
    const orphan = { type: "function_call_output" as const, call_id: "call_9", output: "x" };
    await expect(client.responses.create({ model: `${set.openai}/gpt-4o-mini`, input: [orphan] })).rejects.toThrow(
      /^400 No tool call found/,
    );
  });

  it("@anthropic-ai/sdk: likewise, and so is thinking that was changed", async () => {
    const client = new Anthropic({ apiKey: set.key, baseURL: set.origin, maxRetries: 0 });
    const model = `${set.anthropic}/claude-sonnet-5`;
    const use = { type: "tool_use" as const, id: "toolu_1", name: "f", input: {} };
    const result = { type: "tool_result" as const, tool_use_id: "toolu_2", content: "x" };
    const thought = { type: "thinking" as const, thinking: "hm", signature: "forged" };
    const turns: [Anthropic.MessageParam[], RegExp][] = [
      [[...prompt, { role: "user", content: [result] }], /unexpected `tool_use_id`/],
      [[...prompt, { role: "assistant", content: [use] }, ...prompt], /without `tool_result` blocks/],
      [[...prompt, { role: "assistant", content: [thought] }, ...prompt], /Invalid `signature`/],
    ];
    for (const [messages, words] of turns) await expect(client.messages.create({ model, max_tokens: 9, messages })).rejects.toThrow(words);
  });
});
