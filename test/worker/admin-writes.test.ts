import { env } from "cloudflare:workers";
import { and, eq, like } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { connect, tables } from "#db";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, unknown>;
const db = connect(env.DB);
const DAY_MS = 86_400_000;

async function refusal(answer: Response): Promise<unknown[]> {
  const { error } = (await answer.json()) as { error: { code: string; param: string | null } };
  return [answer.status, error.code, error.param];
}

/** Waits for the queue to bring an entry into the audit. */
async function audited(query: string): Promise<Json[]> {
  const read = async () => (await admin<{ data: Json[] }>("GET", `/audit?${query}`)).data;
  await expect.poll(async () => (await read()).length, { timeout: 15_000, interval: 100 }).toBeGreaterThan(0);
  return read();
}

describe("methods", () => {
  test.each([
    ["PUT", "/keys", "GET, POST"],
    ["DELETE", "/keys", "GET, POST"],
    ["GET", "/keys/key_x/rotate", "POST"],
    ["PUT", "/budgets/bud_x", "GET, PATCH, DELETE"],
    ["POST", "/costs/summary", "GET"],
    ["PATCH", "/audit", "GET"],
    ["POST", "/openapi.json", "GET"],
  ])("%s %s is refused with what the path takes", async (method, path, takes) => {
    const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body: method === "GET" ? undefined : {} });
    const { error } = (await answer.json()) as { error: Json };
    expect([answer.status, error["code"]]).toEqual([405, "method_not_allowed"]);
    for (const each of takes.split(", ")) expect(error["message"]).toContain(each);
    expect((await ask(method, `/admin/v1${path}`, { body: method === "GET" ? undefined : {} })).status).toBe(401);
  });

  test("threat 23: a preflight is refused as a method, without any header of CORS, and does not count as a guess", async () => {
    const headers = { "cf-connecting-ip": "203.0.113.77", origin: "https://evil.test", "access-control-request-method": "DELETE" };
    for (let at = 0; at < 40; at++) {
      const answer = await ask("OPTIONS", "/admin/v1/keys", { headers });
      expect([answer.status, [...answer.headers.keys()].filter((name) => name.startsWith("access-control"))]).toEqual([405, []]);
    }
    expect((await ask("GET", "/admin/v1/keys", { headers })).status).toBe(401);
  });
});

describe("the OpenAPI document", () => {
  test.each([
    ["owner", 200],
    ["operator", 200],
    ["analyst", 200],
    ["auditor", 200],
    ["key_holder", 403],
  ])("threat 4: answers a key of role %s with %i", async (role, status) => {
    const { secret } = await newKey({ role });
    expect((await ask("GET", "/admin/v1/openapi.json", { as: secret })).status).toBe(status);
  });

  /** What another resource stands for than the first word of its path: whoever sets prices prices history anew, and words are for few. */
  const APART: Readonly<Record<string, string>> = {
    "/costs/reprice": "prices",
    "/{id}/content": "contents",
    "/policies/{id}/source": "policy_sources",
  };

  test("threat 5: every operation in it names the resource and the action that its guard asks for", async () => {
    const { openapi, paths } = await admin<{ openapi: string; paths: Record<string, Record<string, Json>> }>("GET", "/openapi.json");
    const operations = Object.entries(paths).flatMap(([path, its]) =>
      Object.entries(its).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(openapi).toBe("3.1.0");
    expect(operations.length).toBeGreaterThan(40);
    for (const { path, method, operation } of operations) {
      const resource = APART[path.replace(/^\/(requests|keys)(?=\/\{id\}\/content)/, "")] ?? path.split("/")[1];
      // What is asked with a body, and changes nothing all the same.
      const reads = method === "get" || path === "/reconcile";
      expect([path, method, operation["x-tollgate-guard"]]).toEqual([path, method, { resource, action: reads ? "read" : "write" }]);
    }
  });
});

test("a query that an operation does not know is refused, and the operation does not happen", async () => {
  const { id } = await newKey();
  for (const [method, path] of [
    ["GET", `/keys/${id}`],
    ["DELETE", `/keys/${id}`],
    ["POST", `/keys/${id}/disable`],
  ] as const)
    expect(await refusal(await ask(method, `/admin/v1${path}?dry_run=true`, { as: ADMIN }))).toEqual([400, "invalid_request", "dry_run"]);
  expect(await admin("GET", `/keys/${id}`)).toMatchObject({ status: "active" });
});

describe("a new key and its budgets", () => {
  const named = async (name: string) =>
    (await admin<{ data: Json[] }>("GET", "/keys?limit=1000")).data.filter((key) => key["name"] === name);

  test.each([
    [{ window: "day", time_zone: "Mars/Base", limit_usd: "1" }, "budgets.1.time_zone"],
    [{ window: "day", limit_usd: "-1" }, "budgets.1.limit_usd"],
    [{ window: "day", limit_usd: "1", limit_requests: 1 }, "budgets.1.limit_requests"],
    [{ window: "day", limit_tokens: 1.5 }, "budgets.1.limit_tokens"],
    [{ window: "day", limit_usd: "1", mode: "loose" }, "budgets.1.mode"],
    [{ window: "day", limit_usd: "1", scope: { kind: "team", id: "team_default" } }, "budgets.1.scope"],
  ])("a wrong budget is refused by its path and leaves no key behind: %j", async (wrong, param) => {
    const body = { name: `half ${param}`, budgets: [{ window: "day", limit_usd: "1" }, wrong] };
    expect(await refusal(await ask("POST", "/admin/v1/keys", { as: ADMIN, body }))).toEqual([400, "invalid_request", param]);
    expect(await named(`half ${param}`)).toEqual([]);
  });

  test("a list shows every key with its own budgets and their standing, newest first", async () => {
    const limits = [{ limit_usd: "1" }, { limit_tokens: 1000 }, { limit_requests: 7 }];
    for (const limit of limits)
      await newKey({
        name: "listed",
        budgets: [
          { window: "total", ...limit },
          { window: "hour", limit_usd: "9" },
        ],
      });
    const keys = await named("listed");
    expect(keys.map((key) => (key["budgets"] as Json[]).length)).toEqual([2, 2, 2]);
    for (const [at, limit] of limits.toReversed().entries()) {
      const budgets = keys[at]!["budgets"] as Json[];
      expect(budgets.find(({ window }) => window === "total")).toMatchObject({
        ...limit,
        scope: { kind: "key", id: keys[at]!["id"] },
        status: { limit: String(Object.values(limit)[0]), spent: "0", resets_at: null },
      });
      expect(await admin("GET", `/keys/${String(keys[at]!["id"])}`)).toEqual(keys[at]);
    }
  });

  test("the audit of a new key holds its budgets and not its secret", async () => {
    const { id, secret } = await newKey({ budgets: [{ window: "day", limit_usd: "2.5" }] });
    const [entry] = await audited(`subject=${id}&type=key.create`);
    expect(entry).toMatchObject({
      actor: { kind: "admin_token", id: "bootstrap" },
      key: id,
      before: null,
      after: { id, status: "active", budgets: [{ window: "day", limit_usd: "2.5", mode: "strict" }] },
    });
    expect(JSON.stringify(entry)).not.toContain(secret.split("-")[3]!);
  });
});

test("a team or a user that goes takes its budgets along; an id that comes again starts without them", async () => {
  await admin("POST", "/teams", { id: "phoenix", name: "first" });
  const user = await admin("POST", "/users", { team: "phoenix", name: "u" });
  const scopes = [
    { kind: "team", id: "phoenix" },
    { kind: "user", id: user["id"] },
  ];
  for (const scope of scopes) await admin("POST", "/budgets", { scope, window: "total", limit_requests: 0 });
  const left = async () => (await admin<{ data: Json[] }>("GET", "/budgets?team=phoenix")).data.map(({ scope }) => scope);
  expect(await left()).toEqual(scopes.toReversed());
  await admin("DELETE", `/users/${String(user["id"])}`);
  expect(await left()).toEqual([scopes[0]]);
  await admin("DELETE", "/teams/phoenix");
  expect(await left()).toEqual([]);
  const [entry] = await audited("subject=phoenix&type=team.delete");
  expect((entry!["details"] as { budgets: string[] }).budgets).toHaveLength(1);
  await admin("POST", "/teams", { id: "phoenix", name: "second" });
  const { secret } = await newKey({ team: "phoenix" });
  const chat = await ask("POST", "/v1/chat/completions", { as: secret, body: { model: "tollgate/echo", messages: [] } });
  expect(chat.status).toBe(200);
});

describe("threat 39: repeats", () => {
  const { idempotency } = tables;
  const post = (key: string, body: Json, as = ADMIN, path = "/teams") =>
    ask("POST", `/admin/v1${path}`, { as, body, headers: { "idempotency-key": key } });
  const idOf = async (answer: Response) => ((await answer.json()) as Json)["id"];
  const age = (key: string, ms: number, fields: Json = {}) =>
    db
      .update(idempotency)
      .set({ createdAt: Date.now() - ms, ...fields })
      .where(eq(idempotency.key, key));

  test("a key is known for a day and forgotten after it, even with another body", async () => {
    const first = await idOf(await post("r-1", { name: "a" }));
    await age("r-1", DAY_MS - 60_000);
    expect(await idOf(await post("r-1", { name: "a" }))).toBe(first);
    await age("r-1", DAY_MS + 60_000);
    const later = await post("r-1", { name: "b" });
    expect(later.status).toBe(201);
    expect(await idOf(later)).not.toBe(first);
  });

  test("the same key on another route is another story", async () => {
    expect((await post("r-2", { name: "same" })).status).toBe(201);
    expect((await post("r-2", { name: "same" }, ADMIN, "/users")).status).toBe(201);
  });

  test("while the first is at work a repeat is told to wait; once it is abandoned, one of many repeats takes over", async () => {
    expect((await post("r-3", { name: "hung" })).status).toBe(201);
    await age("r-3", 30_000, { status: null });
    const waiting = await post("r-3", { name: "hung" });
    expect([waiting.status, waiting.headers.get("retry-after"), waiting.headers.get("x-should-retry")]).toEqual([503, "1", "true"]);
    await age("r-3", 61_000, { status: null });
    const answers = await Promise.all(Array.from({ length: 12 }, () => post("r-3", { name: "hung" })));
    const ids = new Set(await Promise.all(answers.filter(({ status }) => status === 201).map(idOf)));
    expect(ids.size).toBe(1);
    for (const { status } of answers) expect([201, 503]).toContain(status);
    const made = await db.select().from(tables.teams).where(eq(tables.teams.name, "hung"));
    expect(made).toHaveLength(2);
  });

  test("a rotation repeated gives no second secret, and a deletion repeated stays 204", async () => {
    const { id } = await newKey();
    const first = (await (await post("r-4", { grace_s: 0 }, ADMIN, `/keys/${id}/rotate`)).json()) as Json;
    const again = (await (await post("r-4", { grace_s: 0 }, ADMIN, `/keys/${id}/rotate`)).json()) as Json;
    expect(first["secret"]).toMatch(/^sk-tg-/);
    expect(again).toEqual({ ...first, secret: null });
    expect((await ask("GET", "/v1/key", { as: String(first["secret"]) })).status).toBe(200);
    for (let at = 0; at < 2; at++) {
      const gone = await ask("DELETE", `/admin/v1/keys/${id}`, { as: ADMIN, headers: { "idempotency-key": "r-5" } });
      expect(gone.status).toBe(204);
    }
    expect((await ask("DELETE", `/admin/v1/keys/${id}`, { as: ADMIN })).status).toBe(404);
  });

  test.each(["", "x".repeat(256)])("a key of no or too many characters is refused", async (key) => {
    expect(await refusal(await post(key, { name: "x" }))).toEqual([400, "invalid_request", "idempotency-key"]);
  });

  test("threat 29: no secret stays with the answers that are kept for repeats", async () => {
    const { secret } = (await (await post("r-6", { name: "kept" }, ADMIN, "/keys")).json()) as { secret: string };
    const kept = await db
      .select()
      .from(idempotency)
      .where(and(eq(idempotency.key, "r-6"), like(idempotency.route, "%/keys")));
    expect(kept).toHaveLength(1);
    expect(JSON.stringify(kept)).not.toContain(secret.split("-")[3]!);
  });
});

describe("failed authentications", () => {
  test("leave an entry that tells why and holds nothing of the credential", async () => {
    const guess = "sk-tg-aaaaaaaaaaaa-0123456789012345678901234567890123456789abc";
    expect((await ask("GET", "/admin/v1/keys", { as: guess })).status).toBe(401);
    const entries = await audited("type=auth.failed");
    expect(entries[0]).toMatchObject({
      severity: "warning",
      outcome: "denied",
      actor: { kind: "system", id: "gateway" },
      before: null,
      after: null,
    });
    expect(entries[0]!["details"]).toEqual({ reason: expect.any(String) as unknown });
    expect(JSON.stringify(entries)).not.toContain("0123456789");
  });

  test("threat 9: stop leaving entries where they are refused for their number", async () => {
    const count = async () => (await db.select().from(tables.auditEntries).where(eq(tables.auditEntries.type, "auth.failed"))).length;
    const before = await count();
    const headers = { "cf-connecting-ip": "203.0.113.88" };
    for (let at = 0; at < 60; at++) await ask("GET", "/admin/v1/keys", { as: "wrong", headers });
    const { id } = await newKey({ name: "after the flood" });
    await audited(`subject=${id}`);
    const left = (await count()) - before;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(30);
  });

  test("threat 47: are told the same where the queue is down", async () => {
    const EVENTS = { ...env.EVENTS, send: () => Promise.reject(new Error("down")) } as unknown as Queue;
    const answer = await ask("GET", "/admin/v1/keys", { as: "wrong", bindings: { EVENTS } });
    expect([answer.status, ((await answer.json()) as { error: Json }).error["code"]]).toEqual([401, "invalid_api_key"]);
  });
});

test("threat 10: a revoked administrator's key opens nothing any more, and neither does one whose role was taken", async () => {
  const revoked = await newKey({ role: "operator" });
  const lowered = await newKey({ role: "operator" });
  for (const { secret } of [revoked, lowered]) expect((await ask("GET", "/admin/v1/teams", { as: secret })).status).toBe(200);
  await admin("DELETE", `/keys/${revoked.id}`);
  await admin("PATCH", `/keys/${lowered.id}`, { role: "key_holder" });
  expect((await ask("GET", "/admin/v1/teams", { as: revoked.secret })).status).toBe(401);
  expect((await ask("GET", "/admin/v1/teams", { as: lowered.secret })).status).toBe(403);
});

test("threat 29: after its creation no answer about a key holds a secret but the rotation's new one", async () => {
  const { id, secret } = await newKey();
  const { secret: next } = await admin<{ secret: string }>("POST", `/keys/${id}/rotate`, {});
  const answers = [
    await admin("GET", `/keys/${id}`),
    await admin("GET", "/keys?limit=1000"),
    await admin("PATCH", `/keys/${id}`, { tags: ["x"] }),
    await admin("POST", `/keys/${id}/disable`),
    await admin("POST", `/keys/${id}/enable`),
    await audited(`subject=${id}&type=key.rotate`),
    await admin("GET", `/audit?subject=${id}`),
  ];
  for (const text of answers.map((answer) => JSON.stringify(answer)))
    for (const each of [secret, next]) expect(text).not.toContain(each.split("-")[3]!);
  expect(answers[0]).toMatchObject({ last4: next.slice(-4) });
});
