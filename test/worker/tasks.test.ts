import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { tables } from "#db";
import { platformOf } from "../../src/compose.ts";
import { ADMIN, admin, ask, newKey } from "../support/front.ts";

const TRUE = { engine: "command", argv: ["true"] };
const errorOf = async (answer: Response) =>
  ((await answer.json()) as { error: { code: string; param: string | null; message: string } }).error;

test("where there is no runner a task is refused, and takes no place", async () => {
  const { secret, id } = await newKey({ profile: "default" });
  const answer = await ask("POST", "/v1/task", { as: secret, body: TRUE });
  expect([answer.status, (await errorOf(answer)).message]).toEqual([503, expect.stringContaining("RUNNER_URL")]);
  expect(await platformOf(env as Env).db.$count(tables.tasks)).toBe(0);
  expect((await admin<{ profile: string }>("GET", `/keys/${id}`)).profile).toBe("default");
});

test("A27: told that each task has a container of its own, it says so, and starts none for who only asks how it does", async () => {
  const bindings = { RUNNER_CONTAINER: "true" } as Partial<Env>;
  const health = (await (await ask("GET", "/healthz", { bindings })).json()) as { status: string; runner: string };
  expect([health.status, health.runner]).toEqual(["ok", "container"]);
  expect(() =>
    platformOf({ ...env, RUNNER_CONTAINER: "true", RUNNER_URL: "https://a.example", RUNNER_SECRET: "s".repeat(32) } as Env),
  ).toThrow("RUNNER_CONTAINER: not beside RUNNER_URL");
});

test("an id that was never a task's, or is none at all, looks missing, and nothing is stored for it", async () => {
  const { secret } = await newKey({ profile: "default" });
  for (const id of ["task_000000000000000000000000", "x", "task_", "%2e%2e"]) {
    expect((await ask("GET", `/v1/task/${id}`, { as: secret })).status).toBe(404);
  }
});

test("a place that was taken for a task which never began is given back by housekeeping; a young one stays", async () => {
  const platform = platformOf(env as Env);
  const row = (id: string, createdAt: number) => ({ id, key: "key_swept", team: "team_default", profile: "default", createdAt });
  await platform.db.insert(tables.tasks).values([row("task_old", platform.now() - 120_000), row("task_young", platform.now())]);
  await platform.tasks.sweep();
  expect((await platform.db.select().from(tables.tasks)).map(({ id }) => id)).toEqual(["task_young"]);
});

test("A51: a profile is made with what it was not told, changed, listed, and its name is taken once", async () => {
  const made = await admin<{ id: string }>("POST", "/profiles", { name: "small", timeout_s: 5 });
  expect(made).toMatchObject({ object: "profile", engines: ["command"], timeout_s: 5, max_cost_usd: "0.5", network: { hosts: [] } });
  for (const name of ["small", "default"]) {
    const again = await ask("POST", "/admin/v1/profiles", { as: ADMIN, body: { name } });
    expect([again.status, (await errorOf(again)).param]).toEqual([400, "name"]);
  }
  const changed = await admin("PATCH", `/profiles/${made.id}`, { memory_mb: 64, max_cost_usd: "1.25" });
  expect(changed).toMatchObject({ name: "small", timeout_s: 5, memory_mb: 64, max_cost_usd: "1.25" });
  expect((await admin<{ data: unknown[] }>("GET", "/profiles")).data).toEqual([changed]);
  const hosts = ["example.com", "*.example.com:8443"];
  expect(await admin("PATCH", `/profiles/${made.id}`, { network: { hosts } })).toMatchObject({ memory_mb: 64, network: { hosts } });
});

test.each(["*", "*.com", "https://example.com", "10.0.0.1", "169.254.169.254:80", "localhost", "[::1]", "db.internal"])(
  "A47: a profile cannot name %s for a host, and is told where it does",
  async (host) => {
    const bindings = { TOLLGATE_ENV: "production" } as Partial<Env>;
    const body = { name: "reaching", network: { hosts: ["example.com", host] } };
    const answer = await ask("POST", "/admin/v1/profiles", { as: ADMIN, body, bindings });
    expect([answer.status, (await errorOf(answer)).param]).toEqual([400, "network.hosts.1"]);
  },
);

test("A47: where tasks run in containers of their own none is promised a host", async () => {
  const bindings = { RUNNER_CONTAINER: "true" } as Partial<Env>;
  await admin("POST", "/profiles", { name: "contained", network: { hosts: ["example.com"] } });
  const { secret } = await newKey({ profile: "contained" });
  const asked = { ...TRUE, network: { hosts: ["example.com"] } };
  const begun = await ask("POST", "/v1/task", { as: secret, body: asked, bindings });
  expect([begun.status, await errorOf(begun)]).toEqual([
    400,
    expect.objectContaining({ param: "network.hosts", message: expect.stringContaining("RUNNER_EGRESS") as string }),
  ]);
  const validated = (await (await ask("POST", "/v1/task/validate", { as: secret, body: asked, bindings })).json()) as {
    violations: object[];
  };
  expect(validated.violations).toMatchObject([{ kind: "host", name: "example.com", field: "network.hosts" }]);
});
