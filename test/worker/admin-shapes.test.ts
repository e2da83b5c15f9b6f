import { describe, expect, test } from "vitest";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, unknown>;

const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
const idOf = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_[a-z0-9]+$`)) as unknown;

async function refusal(method: string, path: string, body: unknown): Promise<unknown[]> {
  const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body });
  const { error } = (await answer.json()) as { error?: { code: string; param: string | null } };
  return [answer.status, error?.code, error?.param];
}

describe("prices", () => {
  const NONE = Object.fromEntries(
    [
      "input",
      "cache_read",
      "cache_write_5m",
      "cache_write_1h",
      "output",
      "reasoning",
      "audio_input",
      "audio_output",
      "image_input",
      "image_output",
      "character",
      "image",
      "web_search",
      "file_search",
      "search_source",
      "extra",
      "second",
      "ranking",
    ].map((each) => [each, null]),
  );

  test("a price is echoed whole, as the contract has it", async () => {
    const given = {
      provider: "acme",
      model: "m-1",
      aliases: ["m-one"],
      state: "priced",
      scope: { kind: "deployment" },
      effective_from: "2026-11-01T00:00:00.000Z",
      effective_to: null,
      rates: { input: "0.15", cache_read: "0.075", output: "0.6", web_search: "0.01" },
      tiers: [{ above_input_tokens: 200_000, rates: { input: "0.3", output: "1.2" } }],
      service_tiers: { flex: { rates: { input: "0.075", output: "0.3" } } },
      source: "contract 2026-10",
    };
    const made = await admin("POST", "/prices", given);
    expect(made).toEqual({
      id: idOf("prc"),
      object: "price",
      ...given,
      rates: { ...NONE, ...given.rates },
      checked_at: moment,
      created_by: "admin",
    });
    expect(await admin("GET", `/prices/${String(made["id"])}`)).toEqual(made);
  });

  test.each([
    [0.15, "0.15"],
    ["0.150", "0.15"],
    [3, "3"],
    ["3.0", "3"],
    [0.000000001, "0.000000001"],
    ["0.000000001", "0.000000001"],
  ])("a rate of %j USD is kept as %j, in the row, its tiers and its service tiers", async (rate, kept) => {
    const rates = { input: rate };
    const fields = { rates, tiers: [{ above_input_tokens: 1, rates }], service_tiers: { flex: { rates } } };
    expect(await admin("POST", "/prices", { provider: "acme", model: "m-2", ...fields })).toMatchObject({
      rates: { input: kept },
      tiers: [{ rates: { input: kept } }],
      service_tiers: { flex: { rates: { input: kept } } },
    });
  });

  test.each([
    [{ rates: { input: "1e-3" } }, "rates.input"],
    [{ rates: { input: 0.0000000001 } }, "rates.input"],
    [{ rates: { output: "9007200" } }, "rates.output"],
    [{ rates: { input: "1", image: -1 } }, "rates.image"],
    [{ rates: { input: "1" }, tiers: [{ above_input_tokens: 5, rates: { output: "x" } }] }, "tiers.0.rates.output"],
    [{ rates: { input: "1" }, service_tiers: { flex: { rates: { input: "" } } } }, "service_tiers.flex.rates.input"],
    [{ rates: { input: "1" }, scope: { kind: "team", id: "team_nobody" } }, "scope.id"],
    [{ rates: { input: "1" }, scope: { kind: "team" } }, "scope.id"],
    [{ rates: { input: "1" }, effective_from: "2026-02-01T00:00:00Z", effective_to: "2026-01-01T00:00:00Z" }, "effective_to"],
    [{ rates: { input: "1" }, state: "unknown" }, "state"],
  ])("threat 38: a wrong price is refused by its path: %j", async (fields, param) => {
    expect(await refusal("POST", "/prices", { provider: "acme", model: "m-3", ...fields })).toEqual([400, "invalid_request", param]);
  });

  test("a price is never edited in place, only ended", async () => {
    const { id } = await admin("POST", "/prices", { provider: "acme", model: "m-4", rates: { input: "1" } });
    const path = `/prices/${String(id)}`;
    expect(await refusal("PATCH", path, { rates: { input: "0" } })).toEqual([400, "invalid_request", "effective_to"]);
    expect(await refusal("PATCH", path, { effective_to: null, rates: { input: "0" } })).toEqual([400, "invalid_request", "rates"]);
    expect(await admin("PATCH", path, { effective_to: "2036-01-01T01:00:00+01:00" })).toMatchObject({
      effective_to: "2036-01-01T00:00:00.000Z",
      rates: { input: "1" },
    });
    expect(await admin("PATCH", path, { effective_to: null })).toMatchObject({ effective_to: null });
  });
});

describe("keys", () => {
  test("a change touches what it names, null clears, and the rest stays", async () => {
    const { id: user } = await admin("POST", "/users", { name: "ada" });
    const { secret: _, ...made } = await newKey({
      user,
      tags: ["a"],
      metadata: { cost: "1" },
      models: { allow: ["openai/*"], deny: ["openai/o1"] },
      expires_at: "2036-01-01T00:00:00Z",
      limits: { rpm: 5, tpm: 1000, concurrency: 2 },
      unknown_price: "refuse",
    });
    const path = `/keys/${made.id}`;
    let expected: Json = { ...made };
    const change = async (body: Json, changed: Json) => {
      expected = { ...expected, ...changed };
      expect(await admin("PATCH", path, body)).toEqual(expected);
    };
    await change({ limits: { tpm: null } }, { limits: { rpm: 5, tpm: null, concurrency: 2 } });
    await change({ models: { deny: [] } }, { models: { allow: ["openai/*"], deny: [] } });
    await change({ user: null, expires_at: null }, { user: null, expires_at: null });
    await change({ name: "renamed", tags: [], metadata: {} }, { name: "renamed", tags: [], metadata: {} });
    await change({}, {});
    expect(await admin("GET", path)).toEqual(expected);
  });

  test("a status is what the key can do now: active, disabled, expired or revoked for ever", async () => {
    const { id, secret } = await newKey();
    const path = `/keys/${id}`;
    const use = async () => (await ask("GET", "/v1/key", { as: secret })).status;
    expect([await admin("POST", `${path}/disable`), await use()]).toMatchObject([{ status: "disabled" }, 401]);
    expect([await admin("POST", `${path}/enable`), await use()]).toMatchObject([{ status: "active" }, 200]);
    expect([await admin("PATCH", path, { expires_at: "2020-01-01T00:00:00Z" }), await use()]).toMatchObject([{ status: "expired" }, 401]);
    expect([await admin("PATCH", path, { expires_at: null }), await use()]).toMatchObject([{ status: "active" }, 200]);
    await admin("DELETE", path);
    expect([await admin("GET", path), await use()]).toMatchObject([{ status: "revoked" }, 401]);
    for (const [method, below] of [
      ["POST", "/enable"],
      ["POST", "/disable"],
      ["POST", "/rotate"],
      ["PATCH", ""],
      ["DELETE", ""],
    ] as const)
      expect(await refusal(method, `${path}${below}`, below === "/rotate" || method === "PATCH" ? {} : undefined)).toEqual([
        404,
        "not_found",
        null,
      ]);
  });

  test.each([
    [{ team: "team_default" }, "team"],
    [{ status: "active" }, "status"],
    [{ id: "key_mine" }, "id"],
    [{ epoch: 0 }, "epoch"],
    [{ budgets: [] }, "budgets"],
    [{ user: "user_nobody" }, "user"],
    [{ role: "king" }, "role"],
    [{ profile: "ci" }, "profile"],
    [{ content_logging: "some" }, "content_logging"],
    [{ cache: "everybody" }, "cache"],
  ])("threat 4: not even an owner changes %j of a key", async (body, param) => {
    const { id } = await newKey();
    expect(await refusal("PATCH", `/keys/${id}`, body)).toEqual([400, "invalid_request", param]);
  });

  test("threat 4: a prototype in a body is a field that nobody knows", async () => {
    const answer = await ask("POST", "/admin/v1/keys", { as: ADMIN, body: '{"name":"x","__proto__":{"role":"owner"}}' });
    expect([answer.status, ((await answer.json()) as { error: Json }).error["param"]]).toEqual([400, "__proto__"]);
  });
});

describe("budgets", () => {
  test("a budget is echoed with its standing, as the contract has it", async () => {
    const { id: team } = await admin("POST", "/teams", { name: "spenders" });
    const given = { scope: { kind: "team", id: team }, window: "month", time_zone: "Europe/Berlin", limit_usd: "100", mode: "tight" };
    const made = await admin("POST", "/budgets", given);
    const standing = { unit: "usd", limit: "100", spent: "0", reserved: "0", over: "0", remaining: "100" };
    expect(made).toEqual({
      id: idOf("bud"),
      object: "budget",
      ...given,
      status: { ...standing, window_start: moment, resets_at: moment, forecast: expect.toBeOneOf(["0", null]) },
      created_at: moment,
    });
    const path = `/budgets/${String(made["id"])}`;
    expect(await admin("PATCH", path, { limit_usd: 0.5, mode: "strict" })).toMatchObject({
      limit_usd: "0.5",
      mode: "strict",
      status: { limit: "0.5", remaining: "0.5" },
    });
    for (const [body, param] of [
      [{ limit_tokens: 5 }, "limit_tokens"],
      [{ window: "day" }, "window"],
      [{ time_zone: "UTC" }, "time_zone"],
      [{ scope: { kind: "team", id: "team_default" } }, "scope"],
    ] as const)
      expect(await refusal("PATCH", path, body)).toEqual([400, "invalid_request", param]);
    expect((await admin("GET", path))["limit_usd"]).toBe("0.5");
  });

  test("its standing is the ledger's within a second of the client's last byte", async () => {
    const { id, secret } = await newKey({ budgets: [{ window: "total", limit_requests: 2 }] });
    const chat = () => ask("POST", "/v1/chat/completions", { as: secret, body: { model: "tollgate/echo", messages: [] } });
    await (await chat()).text();
    const standing = async () => (await admin<{ budgets: { status: Json }[] }>("GET", `/keys/${id}`)).budgets[0]!.status;
    await expect
      .poll(standing, { timeout: 1_000, interval: 50 })
      .toMatchObject({ unit: "requests", spent: "1", reserved: "0", remaining: "1", resets_at: null });
    expect([(await chat()).status, (await chat()).status]).toEqual([200, 402]);
  });
});

test("teams, users and aliases are echoed whole", async () => {
  const team = await admin("POST", "/teams", { id: "core", name: "Core", metadata: { a: "b" } });
  expect(team).toEqual({ id: "core", object: "team", name: "Core", metadata: { a: "b" }, created_at: moment });
  expect(await refusal("POST", "/teams", { id: "core", name: "again" })).toEqual([400, "invalid_request", "id"]);
  const user = await admin("POST", "/users", { team: "core", name: "Ada", email: "ada@example.com" });
  expect(user).toEqual({
    id: idOf("user"),
    object: "user",
    team: "core",
    name: "Ada",
    email: "ada@example.com",
    metadata: {},
    created_at: moment,
  });
  expect((await refusal("DELETE", "/teams/core", undefined))[0]).toBe(400);
  const alias = await admin("POST", "/models", { name: "fast", provider: "tollgate", model: "echo", context_tokens: 8000 });
  expect(alias).toEqual({
    id: idOf("mdl"),
    object: "model",
    name: "fast",
    provider: "tollgate",
    model: "echo",
    context_tokens: 8000,
    max_output_tokens: null,
    created_at: moment,
  });
  expect(await refusal("POST", "/models", { name: "fast", provider: "tollgate", model: "slow" })).toEqual([400, "invalid_request", "name"]);
});

test("threat 6: to a key holder every id of another team looks like one that is not there, on every operation", async () => {
  const { id: team } = await admin("POST", "/teams", { name: "a" });
  const { id: user } = await admin("POST", "/users", { team, name: "u" });
  const theirs = await newKey({ team, user, budgets: [{ window: "day", limit_usd: "1" }] });
  const { data } = await admin<{ data: { id: string }[] }>("GET", `/budgets?scope_kind=key&scope_id=${theirs.id}`);
  const { id: provider } = await admin("POST", "/providers", { name: "theirs", kind: "openai", base_url: "https://a.test/v1" });
  const chat = await ask("POST", "/v1/chat/completions", { as: theirs.secret, body: { model: "tollgate/echo", messages: [] } });
  const request = chat.headers.get("x-request-id")!;
  const record = async () => (await admin<{ data: { id: string }[] }>("GET", `/costs/records?key=${theirs.id}`)).data[0]?.id;
  await expect.poll(record, { timeout: 15_000, interval: 100 }).toBeDefined();
  const ids = [team, user, theirs.id, data[0]!.id, provider, request, await record()].map(String);

  const { secret } = await newKey();
  const { paths } = await admin<{ paths: Record<string, Record<string, { requestBody?: unknown }>> }>("GET", "/openapi.json");
  let compared = 0;
  for (const [path, operations] of Object.entries(paths).filter(([each]) => each.includes("{id}"))) {
    for (const [method, { requestBody }] of Object.entries(operations)) {
      const of = async (id: string) => {
        const answer = await ask(method.toUpperCase(), `/admin/v1${path.replace("{id}", id)}`, {
          as: secret,
          body: requestBody ? {} : undefined,
        });
        return [answer.status, (await answer.text()).replaceAll(id, "")];
      };
      for (const id of ids) {
        const seen = await of(id);
        expect([path, method, id, ...seen]).toEqual([path, method, id, ...(await of(`${id.slice(0, -6)}zzzzzz`))]);
        expect([403, 404]).toContain(seen[0]);
        compared++;
      }
    }
  }
  expect(compared).toBeGreaterThan(100);
});
