import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { connect, tables } from "#db";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

const db = connect(env.DB);
let count = 0;
const name = () => `route-${++count}`;
const ECHO = { provider: "tollgate", model: "echo" };

/** What a refused body is told. */
async function refusal(method: string, path: string, body: unknown): Promise<unknown[]> {
  const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body });
  const { error } = (await answer.json()) as { error: { code: string; param: string; message: string } };
  return [answer.status, error.code, error.param];
}

test("a route echoes every effective field, and lives through list, read, change and removal, each write in the audit", async () => {
  const made = await admin<{ id: string; name: string }>("POST", "/routes", { name: name(), targets: [ECHO] });
  expect(made).toMatchObject({
    object: "route",
    strategy: "priority",
    sticky: true,
    targets: [{ ...ECHO, priority: 0, weight: 1, when: { models: [], tags: [], metadata: {} } }],
    retries: 1,
    backoff_ms: 250,
    timeout_ms: null,
    first_byte_timeout_ms: null,
    fall_back_on: [],
    breaker: { calls_min: 5, failure_percent: 50, window_s: 30, open_s: 15 },
  });
  expect(await admin("GET", `/routes/${made.id}`)).toEqual(made);
  expect((await admin<{ data: unknown[] }>("GET", "/routes?limit=1")).data).toEqual([made]);
  const changed = await admin("PATCH", `/routes/${made.id}`, { strategy: "latency", timeout_ms: 5_000 });
  expect(changed).toEqual({ ...made, strategy: "latency", timeout_ms: 5_000 });
  await admin("DELETE", `/routes/${made.id}`);
  expect((await ask("GET", `/admin/v1/routes/${made.id}`, { as: ADMIN })).status).toBe(404);
  const types = async () => {
    const rows = await db.select().from(tables.auditEntries);
    return rows
      .filter(({ subjectId }) => subjectId === made.id)
      .map(({ type }) => type)
      .toSorted();
  };
  await expect.poll(types, { timeout: 15_000, interval: 100 }).toEqual(["route.create", "route.delete", "route.update"]);
});

test.each([
  ["no target", { targets: [] }, "targets"],
  ["an unknown provider", { targets: [ECHO, { provider: "nobody", model: "m" }] }, "targets.1.provider"],
  ["neither a model nor a route", { targets: [{ provider: "tollgate" }] }, "targets.0"],
  ["both a model and a route", { targets: [{ ...ECHO, route: "r" }] }, "targets.0"],
  ["a route that is not there", { targets: [{ route: "nobody" }] }, "targets.0.route"],
  ["a negative weight", { targets: [{ ...ECHO, weight: -1 }] }, "targets.0.weight"],
  ["no weight at all", { targets: [{ ...ECHO, weight: 0 }] }, "targets"],
  ["a star that stands for nothing", { targets: [{ provider: "tollgate", model: "*" }] }, "targets.0.model"],
  ["an unknown strategy", { targets: [ECHO], strategy: "random" }, "strategy"],
  ["an unknown field", { targets: [ECHO], fallbacks: [] }, "fallbacks"],
  ["an unknown condition", { targets: [{ ...ECHO, when: { tag: "x" } }] }, "targets.0.when.tag"],
  ["a status that is no error", { targets: [ECHO], fall_back_on: [200] }, "fall_back_on.0"],
  ["a breaker that never lets go", { targets: [ECHO], breaker: { open_s: 1e9 } }, "breaker.open_s"],
  ["no name", { name: "a b", targets: [ECHO] }, "name"],
])("%s is refused by its field", async (_, body, param) => {
  expect(await refusal("POST", "/routes", { name: name(), ...body })).toEqual([400, "invalid_request", param]);
});

test("a route that would lead back to itself is refused, at creation and by a change, and one that another leads to stays", async () => {
  const [a, b, c] = [name(), name(), name()];
  expect(await refusal("POST", "/routes", { name: a, targets: [{ route: a }] })).toEqual([400, "invalid_request", "targets.0.route"]);
  const { id } = await admin<{ id: string }>("POST", "/routes", { name: a, targets: [ECHO] });
  await admin("POST", "/routes", { name: b, targets: [{ route: a }] });
  await admin("POST", "/routes", { name: c, targets: [ECHO, { route: b }] });
  expect(await refusal("PATCH", `/routes/${id}`, { targets: [ECHO, { route: c }] })).toEqual([400, "invalid_request", "targets.1.route"]);
  expect(await refusal("DELETE", `/routes/${id}`, undefined)).toEqual([400, "invalid_request", null]);
});

test("a name belongs to one route or one alias", async () => {
  const [taken, alias] = [name(), name()];
  await admin("POST", "/routes", { name: taken, targets: [ECHO] });
  await admin("POST", "/models", { name: alias, ...ECHO });
  for (const each of [taken, alias])
    expect(await refusal("POST", "/routes", { name: each, targets: [ECHO] })).toEqual([400, "invalid_request", "name"]);
});

test("a key sees the routes that it may call among its models, at the price of their first target", async () => {
  const route = name();
  await admin("POST", "/routes", { name: route, targets: [ECHO] });
  const list = async (as: string) =>
    ((await (await ask("GET", "/v1/models", { as })).json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  expect(await list((await newKey()).secret)).toContain(route);
  expect(await list((await newKey({ models: { allow: ["openai/*"], deny: [] } })).secret)).not.toContain(route);
});

test("a route with a * answers for every name that it fits, each with its own model", async () => {
  await admin("POST", "/routes", { name: "any-*", targets: [{ provider: "tollgate", model: "*" }] });
  const { secret } = await newKey();
  const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: { model: "any-echo", messages: [] } });
  expect([answer.status, answer.headers.get("x-tollgate-model")]).toEqual([200, "echo"]);
});

test("threat 25: further credentials are sealed, never answered, used at the origin that they were given for, and go with their provider", async () => {
  const provider = await admin<{ id: string }>("POST", "/providers", { name: "many", kind: "openai", base_url: "https://acme.test/v1" });
  const path = `/providers/${provider.id}/credentials`;
  const made = await admin<{ id: string }>("POST", path, { label: "second", api_key: "sk-second-secret-9876" });
  expect(made).toMatchObject({
    object: "provider_credential",
    provider: provider.id,
    label: "second",
    api_key: { set: true, last4: "9876" },
  });
  expect(await admin("GET", path)).toEqual({ data: [made], next_cursor: null });
  expect(JSON.stringify([made, await db.select().from(tables.providerCredentials)])).not.toContain("sk-second");
  expect(await refusal("POST", path, { label: "third", api_key: "a\nb" })).toEqual([400, "invalid_request", "api_key"]);

  const spares = async () => (await db.select().from(tables.providerCredentials)).filter((row) => row.provider === provider.id).length;
  const other = await admin<{ id: string }>("POST", "/providers", { name: "other", kind: "openai", base_url: "https://acme.test/v1" });
  const foreign = await ask("DELETE", `/admin/v1/providers/${other.id}/credentials/${made.id}`, { as: ADMIN });
  expect([foreign.status, await spares()]).toEqual([404, 1]);
  await admin("DELETE", `/providers/${provider.id}`);
  expect(await spares()).toBe(0);
});
