import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { connect, tables } from "#db";
import { admin, ask, newKey } from "../support/front.ts";

interface Quoted {
  readonly model: string;
  readonly input_tokens: { readonly strict: number; readonly tight: number; readonly close: number };
  readonly max_output_tokens: number;
  readonly reserve_usd: string;
  readonly expected_usd: string;
  readonly price_state: string;
  readonly lines: readonly {
    readonly class: string;
    readonly quantity: number;
    readonly rate: string;
    readonly per: number;
    readonly usd: string;
  }[];
  readonly allowed: boolean;
  readonly blocked_by: { readonly code: string; readonly message: string; readonly details: Record<string, unknown> } | null;
}

const chat = {
  model: "tollgate/echo",
  max_tokens: 50,
  messages: [{ role: "user", content: "The harbour was quiet when the boats came in." }],
};
const described = (request: unknown = chat, operation: unknown = "chat.completions") => ({ operation, request });

async function quoted(secret: string, body: unknown = described(), headers: Record<string, string> = {}): Promise<Quoted> {
  const answer = await ask("POST", "/v1/estimate", { as: secret, body, headers });
  expect(answer.status).toBe(200);
  return answer.json();
}

async function refused(secret: string, body: unknown, path = "/v1/estimate", headers: Record<string, string> = {}) {
  const answer = await ask("POST", path, { as: secret, body, headers });
  const { error } = (await answer.json()) as { error: { code: string; param?: string | null; message: string } };
  return [answer.status, error.code, error.param ?? null];
}

const standing = async (secret: string) => (await ask("GET", "/v1/key", { as: secret })).json() as Promise<Record<string, unknown>>;
const dollars = (usd: string) => Math.round(Number(usd) * 1e15);

describe("D1: POST /v1/estimate", () => {
  test("answers exactly the contract's fields, and its lines add up to what is expected", async () => {
    const { secret } = await newKey();
    const answer = await quoted(secret);
    const fields = "model input_tokens max_output_tokens reserve_usd expected_usd price_state lines allowed blocked_by";
    expect(Object.keys(answer).join(" ")).toBe(fields);
    const { model, input_tokens: input, max_output_tokens: output, allowed, blocked_by: blocked } = answer;
    expect({ model, output, allowed, blocked }).toEqual({ model: "tollgate/echo", output: 50, allowed: true, blocked: null });
    expect([input.close > 5, input.close <= input.tight, input.tight <= input.strict]).toEqual([true, true, true]);
    expect(Object.keys(answer.lines[0]!)).toEqual(["class", "quantity", "rate", "per", "usd"]);
    expect(answer.lines.map((line) => [line.class, line.quantity])).toEqual([
      ["input", input.close],
      ["output", 50],
    ]);
    expect(answer.lines.reduce((sum, { usd }) => sum + dollars(usd), 0)).toBe(dollars(answer.expected_usd));
    expect(dollars(answer.reserve_usd)).toBeGreaterThanOrEqual(dollars(answer.expected_usd));
    expect(answer.price_state).toBe("priced");
  });

  test("what it says would be reserved is what a request then reserves, and the input it names is never passed", async () => {
    const { secret } = await newKey({ budgets: [{ window: "day", limit_usd: "5" }] });
    const { reserve_usd: reserve, input_tokens: input } = await quoted(secret);
    const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: chat });
    const { usage } = (await answer.json()) as { usage: { prompt_tokens: number } };
    expect(usage.prompt_tokens).toBeLessThanOrEqual(input.strict);
    const request = answer.headers.get("x-request-id")!;
    await expect
      .poll(async () => (await connect(env.DB).select().from(tables.costRecords)).find((each) => each.request === request)?.estimatedUsd, {
        timeout: 15_000,
      })
      .toBe(reserve);
  });

  test("reserves nothing, counts no request and leaves no record", async () => {
    const { id, secret } = await newKey({ limits: { rpm: 3 }, budgets: [{ window: "day", limit_usd: "5" }] });
    const before = await standing(secret);
    for (let time = 0; time < 6; time++) expect((await quoted(secret)).allowed).toBe(true);
    const after = await standing(secret);
    expect({ ...after, budgets: null, limits: null }).toEqual({ ...before, budgets: null, limits: null });
    expect([after["requests"], after["spent_usd"], after["reserved_usd"]]).toEqual([0, "0", "0"]);
    const records = (await connect(env.DB).select().from(tables.costRecords)).filter(({ key }) => key === id);
    expect(records).toEqual([]);
  });

  test("every operation is priced, in its own dialect", async () => {
    const { secret } = await newKey();
    const { messages } = chat;
    const each: [string, object][] = [
      ["chat.completions", chat],
      ["completions", { model: "tollgate/echo", prompt: "Say it.", max_tokens: 5 }],
      ["responses", { model: "tollgate/echo", input: "Say it.", max_output_tokens: 5 }],
      ["embeddings", { model: "tollgate/echo", input: "Say it." }],
      ["messages", { model: "tollgate/echo", max_tokens: 5, messages }],
    ];
    for (const [operation, request] of each) {
      const {
        input_tokens: input,
        max_output_tokens: output,
        expected_usd: expected,
      } = await quoted(secret, described(request, operation));
      expect([operation, input.close > 0, Number(expected) > 0]).toEqual([operation, true, true]);
      expect(output).toBe(operation === "embeddings" ? 0 : operation === "chat.completions" ? 50 : 5);
    }
    const free = await quoted(secret, described({ model: "tollgate/echo", messages }, "count_tokens"));
    expect([free.price_state, free.expected_usd, free.reserve_usd, free.allowed]).toEqual(["free", "0", "0", true]);
  });

  test("a model whose price nobody knows says so, and is estimated at the dearest", async () => {
    await admin("POST", "/providers", { name: "nobody", kind: "openai-compatible", base_url: "https://nobody.example/v1", api_key: "k" });
    const { secret } = await newKey();
    const answer = await quoted(secret, described({ ...chat, model: "nobody/m-1" }));
    expect([answer.model, answer.price_state, Number(answer.expected_usd) > 0]).toEqual(["nobody/m-1", "unknown", true]);
  });

  test("a budget that would refuse is named, with the amounts of the refusal that a request then gets", async () => {
    const { secret } = await newKey({ budgets: [{ window: "day", limit_usd: "0.000001" }] });
    const { allowed, blocked_by: blocked } = await quoted(secret);
    const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: chat });
    const { error } = (await answer.json()) as { error: { code: string; message: string; details: object } };
    expect([answer.status, allowed]).toEqual([402, false]);
    expect(blocked).toEqual({ code: error.code, message: error.message, details: error.details });
  });

  test("a limit of pace that would refuse is named", async () => {
    const { secret } = await newKey({ limits: { rpm: 1 } });
    expect((await quoted(secret)).allowed).toBe(true);
    expect((await ask("POST", "/v1/chat/completions", { as: secret, body: chat })).status).toBe(200);
    const { allowed, blocked_by: blocked } = await quoted(secret);
    expect([allowed, blocked?.code, blocked?.details]).toMatchObject([false, "rate_limited", { limit: "rpm", max: 1, used: 1 }]);
  });

  test("asking what a request would cost uses up nothing of a key's pace, so that the answer stays true", async () => {
    const { secret } = await newKey({ limits: { rpm: 2, tpm: 1_000, concurrency: 1 } });
    const asked = await Promise.all(Array.from({ length: 6 }, () => quoted(secret)));
    expect(asked.map(({ allowed }) => allowed)).toEqual(Array.from({ length: 6 }, () => true));
    const headers = { "x-tollgate-dry-run": "true" };
    await ask("POST", "/v1/chat/completions", { as: secret, body: chat, headers });
    const { limits } = (await (await ask("GET", "/v1/key", { as: secret })).json()) as { limits: object };
    expect(limits).toMatchObject({ rpm: { remaining: 2 }, tpm: { remaining: 1_000 }, concurrency: { in_use: 0 } });
    const sent = await ask("POST", "/v1/chat/completions", { as: secret, body: chat });
    expect([sent.status, sent.headers.get("x-ratelimit-remaining-requests")]).toEqual([200, "1"]);
  });

  test("a request that would be wrong is refused as it would be, and the field is named from outside", async () => {
    const { secret } = await newKey({ models: { allow: ["*"], deny: ["tollgate/slow"] } });
    const cases: [unknown, (number | string | null)[]][] = [
      ["{", [400, "invalid_request", null]],
      [{}, [400, "invalid_request", "operation"]],
      [{ operation: "chat" }, [400, "invalid_request", "operation"]],
      [{ operation: "chat.completions" }, [400, "invalid_request", "request"]],
      [described("text"), [400, "invalid_request", "request"]],
      [described([chat]), [400, "invalid_request", "request"]],
      [{ ...described(), more: 1 }, [400, "invalid_request", "more"]],
      ['{"operation":"chat.completions","operation":"messages","request":{}}', [400, "invalid_request", "operation"]],
      ['{"operation":"chat.completions","request":{"model":"a","model":"b","messages":[]}}', [400, "invalid_request", "request.model"]],
      [described({ messages: [] }), [400, "invalid_request", "request.model"]],
      [described({ ...chat, max_tokens: -1 }), [400, "invalid_request", "request.max_tokens"]],
      [described({ ...chat, model: "no-such-model" }), [404, "model_not_found", "model"]],
      [described({ ...chat, model: "tollgate/slow" }), [403, "permission_denied", "model"]],
    ];
    for (const [body, wanted] of cases) expect([body, await refused(secret, body)]).toEqual([body, wanted]);
    const headers = { "x-tollgate-max-cost": "0.000000001" };
    expect(await refused(secret, described(), "/v1/estimate", headers)).toEqual([400, "invalid_request", "x-tollgate-max-cost"]);
  });

  test("errors come in Anthropic's envelope where its version is sent", async () => {
    const { secret } = await newKey();
    const answer = await ask("POST", "/v1/estimate", { as: secret, body: {}, headers: { "anthropic-version": "2023-06-01" } });
    expect(await answer.json()).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
  });

  test("other methods are refused by name", async () => {
    expect((await ask("GET", "/v1/estimate")).status).toBe(405);
  });
});

describe("x-tollgate-dry-run", () => {
  test("prices a request of any route as the estimate does, and sends, reserves and records nothing", async () => {
    const { id, secret } = await newKey({ budgets: [{ window: "day", limit_usd: "5" }] });
    const headers = { "x-tollgate-dry-run": "true" };
    const dry = await ask("POST", "/v1/chat/completions", { as: secret, body: chat, headers });
    expect([dry.status, await dry.json()]).toEqual([200, await quoted(secret)]);
    const message = await ask("POST", "/v1/messages", { as: secret, body: { ...chat, max_tokens: 7 }, headers });
    expect(await message.json()).toMatchObject({ model: "tollgate/echo", max_output_tokens: 7, allowed: true });
    const { requests, spent_usd: spent, reserved_usd: reserved } = await standing(secret);
    expect([requests, spent, reserved]).toEqual([0, "0", "0"]);
    expect((await connect(env.DB).select().from(tables.costRecords)).filter(({ key }) => key === id)).toEqual([]);
  });

  test("false sends the request, and any other word is refused by the header's name", async () => {
    const { secret } = await newKey();
    const real = await ask("POST", "/v1/chat/completions", { as: secret, body: chat, headers: { "x-tollgate-dry-run": "false" } });
    expect(await real.json()).toMatchObject({ object: "chat.completion" });
    for (const word of ["yes", "TRUE", "1"])
      expect(await refused(secret, chat, "/v1/chat/completions", { "x-tollgate-dry-run": word })).toEqual([
        400,
        "invalid_request",
        "x-tollgate-dry-run",
      ]);
  });
});
