import { afterEach, describe, expect, test } from "vitest";
import { admin, ask, newKey } from "../support/front.ts";

interface Explained {
  readonly model: string | null;
  readonly auto: boolean;
  readonly refused_by: { readonly code: string; readonly details: Record<string, unknown> } | null;
  readonly features: Record<string, unknown>;
  readonly rules: readonly { readonly name: string; readonly matched: boolean; readonly reason: string }[];
  readonly rule: string | null;
  readonly tier: string | null;
  readonly candidates: readonly {
    readonly model: string;
    readonly tier: string | null;
    readonly chosen: boolean;
    readonly out: { readonly code: string; readonly message: string } | null;
  }[];
}

const chat = { model: "auto", max_tokens: 20, messages: [{ role: "user", content: "What is the capital of France?" }] };
const explained = async (secret: string, request: object = chat, operation = "chat.completions"): Promise<Explained> => {
  const answer = await ask("POST", "/v1/route/explain", { as: secret, body: { operation, request } });
  expect(answer.status).toBe(200);
  return answer.json();
};
const sent = (secret: string, request: object = chat, path = "/v1/chat/completions") => ask("POST", path, { as: secret, body: request });
const whyOut = ({ candidates }: Explained) => Object.fromEntries(candidates.map(({ model, out }) => [model, out?.code ?? "in"]));
const TABLE = {
  tiers: [
    { name: "weak", models: ["tollgate/slow"] },
    { name: "strong", models: ["nowhere/m", "tollgate/echo"] },
  ],
  rules: [{ name: "tools", when: { tools: true }, tier: "strong" }],
  otherwise: "weak",
};

describe("A2: the auto-router", () => {
  afterEach(() => admin("DELETE", "/auto"));

  test("answers with nothing but the built-in provider, and says what answered and why", async () => {
    const { secret } = await newKey();
    const answer = await sent(secret);
    expect(answer.status).toBe(200);
    const told = ["provider", "model", "route-reason"].map((name) => answer.headers.get(`x-tollgate-${name}`));
    expect(told).toEqual([
      "tollgate",
      "echo",
      "rule short, tier small, chosen from tier none, passed over 17: 7 no_credential, 10 unknown_provider",
    ]);
    expect(((await answer.json()) as { model: string }).model).toBe("echo");
  });

  test("is a model among those of a key for which one can be chosen, in either shape, and of no other", async () => {
    const listed = async (models: object, headers = {}) => {
      const { secret } = await newKey({ models });
      const { data } = (await (await ask("GET", "/v1/models", { as: secret, headers })).json()) as { data: Record<string, unknown>[] };
      const one = await ask("GET", "/v1/models/auto", { as: secret, headers });
      return { auto: data.filter(({ id }) => id === "auto"), one: one.status === 200 ? await one.json() : one.status };
    };
    const all = { allow: ["*"], deny: [] };
    const openai = await listed(all);
    expect(openai.auto).toMatchObject([{ object: "model", owned_by: "tollgate", context_length: null, price: null }]);
    expect(openai.one).toEqual(openai.auto[0]);
    const anthropic = await listed(all, { "anthropic-version": "2023-06-01" });
    expect(anthropic.auto).toMatchObject([{ type: "model", display_name: "auto", price: null }]);
    expect(anthropic.one).toEqual(anthropic.auto[0]);
    expect(await listed({ allow: ["nobody/*"], deny: [] })).toEqual({ auto: [], one: 404 });
  });

  test("explains by the judgement that it routes by: what was read, each rule tried, each candidate's reason", async () => {
    const { secret } = await newKey();
    const { model, rule, tier, rules, features, candidates } = await explained(secret);
    expect([model, rule, tier]).toEqual(["tollgate/echo", "short", "small"]);
    expect(features).toMatchObject({
      operation: "chat.completions",
      max_output_tokens: 20,
      messages: 1,
      tools: 0,
      code: false,
      language: "en",
    });
    expect(rules.at(0)).toEqual({
      name: "low-budget",
      matched: false,
      reason: "budget_left_percent is not known; wanted at most 10",
    });
    expect(rules.at(-1)).toMatchObject({ name: "short", matched: true });
    expect(candidates.filter(({ chosen }) => chosen)).toEqual([{ model: "tollgate/echo", tier: null, chosen: true, out: null }]);
    expect(whyOut({ candidates } as Explained)).toMatchObject({ "openai/gpt-6-luna": "no_credential", "google/gemini-3.8-flash": "unknown_provider", "tollgate/slow": "in" }); // prettier-ignore
  });

  test("is configured by a table of the operator's, in force at once, and goes back to the built-in one", async () => {
    const { secret } = await newKey();
    expect(await admin("GET", "/auto")).toMatchObject({ source: "built_in", otherwise: "medium" });
    expect(await admin("PUT", "/auto", TABLE)).toMatchObject({ source: "operator", ...TABLE });
    expect((await explained(secret)).model).toBe("tollgate/slow");
    const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];
    const answer = await sent(secret, { ...chat, tools });
    expect(answer.headers.get("x-tollgate-model")).toBe("echo");
    expect(answer.headers.get("x-tollgate-route-reason")).toBe("rule tools, tier strong, passed over 1: 1 unknown_provider");
    await admin("DELETE", "/auto");
    expect((await explained(secret)).model).toBe("tollgate/echo");
  });

  test("a table that names no tier of its own, or auto itself, is refused by the field", async () => {
    const wrong: [object, string][] = [
      [{ ...TABLE, otherwise: "none" }, "otherwise"],
      [{ ...TABLE, rules: [{ name: "x", tier: "none" }] }, "rules.0.tier"],
      [{ ...TABLE, rules: [{ name: "x", when: { lenght: true }, tier: "weak" }] }, "rules.0.when.lenght"],
      [{ ...TABLE, tiers: [{ name: "weak", models: ["auto"] }], rules: [], otherwise: "weak" }, "tiers"],
    ];
    for (const [body, param] of wrong) {
      const answer = await ask("PUT", "/admin/v1/auto", { as: "admin-key-for-worker-tests", body });
      const { error } = (await answer.json()) as { error: { param: string } };
      expect([answer.status, error.param]).toEqual([400, param]);
    }
  });

  test("no alias may take its name", async () => {
    await expect(admin("POST", "/models", { name: "auto", provider: "tollgate", model: "echo" })).rejects.toThrow(
      "auto has a model chosen",
    );
  });

  test("threat 21: chooses nothing that the key may not call, and refuses where nothing is left", async () => {
    const { secret } = await newKey({ models: { allow: ["*"], deny: ["tollgate/echo"] } });
    expect((await sent(secret)).headers.get("x-tollgate-model")).toBe("slow");
    const none = await newKey({ models: { allow: ["acme/*"], deny: [] } });
    const refused = await sent(none.secret);
    const { error } = (await refused.json()) as { error: { code: string; details: { violations: unknown[] } } };
    expect([refused.status, error.code]).toEqual([403, "permission_denied"]);
    expect(error.details.violations).toContainEqual({
      kind: "model",
      name: "tollgate/echo",
      field: "model",
      reason: "not in the key's models",
    });
    const told = await explained(none.secret);
    expect([told.model, told.refused_by?.code, whyOut(told)["tollgate/echo"]]).toEqual([null, "permission_denied", "not_allowed"]);
  });

  test("passes over what the budget would refuse, and is refused by it where it would refuse all", async () => {
    const { secret } = await newKey({ budgets: [{ window: "day", limit_usd: "0.001" }] });
    await admin("POST", "/prices", { provider: "tollgate", model: "echo", rates: { input: "1000", output: "5000" }, source: "test" });
    expect((await sent(secret)).headers.get("x-tollgate-model")).toBe("slow");
    expect(whyOut(await explained(secret))).toMatchObject({ "tollgate/echo": "over_budget", "tollgate/slow": "in" });
    const poor = await newKey({ budgets: [{ window: "day", limit_usd: "0" }] });
    expect((await sent(poor.secret)).status).toBe(402);
    expect((await explained(poor.secret)).rule).toBe("low-budget");
    const capped = await ask("POST", "/v1/chat/completions", { as: secret, body: chat, headers: { "x-tollgate-max-cost": "0.000000001" } });
    expect([capped.status, ((await capped.json()) as { error: { param: string } }).error.param]).toEqual([400, "x-tollgate-max-cost"]);
  });

  test("passes over what is too short for the request", async () => {
    const { secret } = await newKey();
    await admin("POST", "/models", { name: "tiny", provider: "tollgate", model: "echo", context_tokens: 10 });
    await admin("PUT", "/auto", { tiers: [{ name: "only", models: ["tiny", "tollgate/slow"] }], otherwise: "only" });
    const told = await explained(secret);
    expect([told.model, whyOut(told)["tiny"]]).toEqual(["tollgate/slow", "too_long"]);
    expect((await sent(secret)).headers.get("x-tollgate-model")).toBe("slow");
  });

  test("refuses what no model can be chosen for, and leaves a named model to be named", async () => {
    const { secret } = await newKey();
    const refused = await sent(secret, { model: "auto", input: "text" }, "/v1/embeddings");
    expect([refused.status, ((await refused.json()) as { error: { param: string } }).error.param]).toEqual([400, "model"]);
    const named = await explained(secret, { ...chat, model: "tollgate/echo" });
    expect([named.auto, named.model, named.rules, named.tier]).toEqual([false, "tollgate/echo", [], null]);
    const unknown = await explained(secret, { ...chat, model: "acme/m" });
    expect([unknown.model, unknown.refused_by?.code, whyOut(unknown)]).toEqual([null, "model_not_found", { "acme/m": "unknown_provider" }]);
  });

  test("explains a route by its places: which are meant, which are not, and what it goes on to", async () => {
    const { secret } = await newKey({ models: { allow: ["*"], deny: ["mistral/*"] } });
    const place = (provider: string, model: string, priority: number) => ({ provider, model, priority });
    await admin("POST", "/providers", { name: "mistral", kind: "openai-compatible", base_url: "https://api.mistral.ai/v1" });
    await admin("POST", "/routes", {
      name: "explained",
      targets: [
        { ...place("tollgate", "slow", 0), when: { tags: ["night"] } },
        place("mistral", "mistral-large-2512", 1),
        place("tollgate", "echo", 2),
      ],
    });
    const about = async (headers: Record<string, string>) => {
      const body = { operation: "chat.completions", request: { ...chat, model: "explained" } };
      return (await ask("POST", "/v1/route/explain", { as: secret, body, headers })).json() as Promise<
        Explained & { falls_back_on: string[] }
      >;
    };
    const day = await about({});
    expect([day.auto, day.model, day.falls_back_on, whyOut(day)]).toEqual([
      false,
      "tollgate/echo",
      [],
      { "tollgate/slow": "not_meant", "mistral/mistral-large-2512": "not_allowed", "tollgate/echo": "in" },
    ]);
    const night = await about({ "x-tollgate-tags": "night" });
    expect([night.model, night.falls_back_on]).toEqual(["tollgate/slow", ["tollgate/echo"]]);
    expect((await sent(secret, { ...chat, model: "explained" })).headers.get("x-tollgate-model")).toBe("echo");
    await expect(admin("POST", "/routes", { name: "auto", targets: [place("tollgate", "echo", 0)] })).rejects.toThrow(
      "auto has a model chosen",
    );
  });

  test("a tier may name a route, which goes on as routes do, and is recorded as what was asked for", async () => {
    const { secret } = await newKey();
    const targets = [{ provider: "tollgate", model: "slow", priority: 0 }, { provider: "tollgate", model: "echo", priority: 1 }]; // prettier-ignore
    await admin("POST", "/routes", { name: "pair", targets });
    await admin("PUT", "/auto", { tiers: [{ name: "only", models: ["pair"] }], otherwise: "only" });
    const told = (await explained(secret)) as Explained & { falls_back_on: string[] };
    expect([told.model, told.falls_back_on, told.candidates[0]]).toMatchObject([
      "tollgate/slow",
      ["tollgate/echo"],
      { model: "pair", chosen: true },
    ]);
    const answer = await sent(secret);
    expect([answer.status, answer.headers.get("x-tollgate-model")]).toEqual([200, "slow"]);
  });
});
