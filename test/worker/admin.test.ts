import { describe, expect, test } from "vitest";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, unknown>;

interface OpenApi {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<
      string,
      { readonly tags: readonly string[]; readonly requestBody?: { content: { "application/json": { schema: { properties?: Json } } } } }
    >
  >;
}

const document = () => admin<OpenApi>("GET", "/openapi.json");

/** What each role may do, as the contract says it: resources it reads, resources it writes. */
const MAY: Record<string, { read: readonly string[] | "all"; write: readonly string[] | "all" }> = {
  owner: { read: "all", write: "all" },
  operator: {
    read: "all",
    write: [
      "teams",
      "users",
      "keys",
      "budgets",
      "providers",
      "models",
      "auto",
      "prices",
      "webhooks",
      "policies",
      "routes",
      "cache",
      "profiles",
      "tasks",
      "contents",
    ],
  },
  analyst: {
    read: [
      "teams",
      "users",
      "keys",
      "budgets",
      "providers",
      "models",
      "auto",
      "prices",
      "costs",
      "reconcile",
      "requests",
      "alerts",
      "policies",
      "routes",
      "cache",
      "profiles",
      "tasks",
    ],
    write: [],
  },
  auditor: { read: ["audit"], write: [] },
  key_holder: { read: ["costs", "requests"], write: [] },
};
const ROLES = Object.keys(MAY);
/** What is asked with a body and changes nothing all the same. */
const READS = ["post /reconcile"];
const actionOf = (method: string, path: string) => (method === "get" || READS.includes(`${method} ${path}`) ? "read" : "write");
const allowed = (role: string, action: "read" | "write", resource: string) =>
  MAY[role]![action] === "all" || MAY[role]![action].includes(resource);

describe("threat 4: role × route × field, generated from the OpenAPI document", () => {
  test.each(ROLES)("%s reaches what the contract grants and nothing else", async (role) => {
    const { secret } = await newKey({ role });
    const { paths } = await document();
    let asked = 0;
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { tags, requestBody }] of Object.entries(operations)) {
        const action = actionOf(method, path);
        // Owners and operators are asked with what no operation accepts, so that the matrix changes nothing.
        const answer = await ask(method.toUpperCase(), `/admin/v1${path.replace("{id}", "nobody")}`, {
          as: secret,
          ...(requestBody ? { body: { "": 1 } } : {}),
        });
        const { error } = (await answer.json().catch(() => ({}))) as { error?: { code: string } };
        const granted = allowed(role, action, tags[0]!);
        expect([role, method, path, error?.code === "permission_denied"]).toEqual([role, method, path, !granted]);
        asked++;
      }
    }
    expect(asked).toBeGreaterThan(40);
  });

  test.each(["analyst", "auditor", "key_holder"])("%s sets no field of anything, whatever the field", async (role) => {
    const { id, secret } = await newKey({ role });
    const before = await admin("GET", `/keys/${id}`);
    const { paths } = await document();
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { requestBody }] of Object.entries(operations)) {
        if (actionOf(method, path) === "read") continue;
        for (const field of Object.keys(requestBody?.content["application/json"].schema.properties ?? {})) {
          const answer = await ask(method.toUpperCase(), `/admin/v1${path.replace("{id}", id)}`, {
            as: secret,
            body: { name: "mine", [field]: "owner" },
          });
          expect([method, path, field, answer.status]).toEqual([method, path, field, 403]);
        }
      }
    }
    expect(await admin("GET", `/keys/${id}`)).toEqual(before);
  });
});

describe("threat 8: a key never holds more than its maker", () => {
  test("an operator makes no owner, raises nobody to one, and changes none that is", async () => {
    const operator = await newKey({ role: "operator" });
    const owner = await newKey({ role: "owner" });
    const own = await ask("POST", "/admin/v1/keys", { as: operator.secret, body: { name: "x", role: "owner" } });
    const raised = await ask("PATCH", `/admin/v1/keys/${operator.id}`, { as: operator.secret, body: { role: "owner" } });
    const [taken, rotated, deleted] = await Promise.all([
      ask("PATCH", `/admin/v1/keys/${owner.id}`, { as: operator.secret, body: { role: "key_holder" } }),
      ask("POST", `/admin/v1/keys/${owner.id}/rotate`, { as: operator.secret, body: {} }),
      ask("DELETE", `/admin/v1/keys/${owner.id}`, { as: operator.secret }),
    ]);
    for (const answer of [own, raised, taken, rotated, deleted])
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([403, "permission_denied"]);
    expect((await ask("POST", "/admin/v1/keys", { as: operator.secret, body: { name: "x", role: "analyst" } })).status).toBe(201);
  });
});

describe("threat 6: tenants", () => {
  test("what belongs to another key looks exactly like what is not there", async () => {
    const [a, b] = [await newKey(), await newKey()];
    const chat = await ask("POST", "/v1/chat/completions", { as: a.secret, body: { model: "tollgate/echo", messages: [] } });
    const request = chat.headers.get("x-request-id")!;
    await expect
      .poll(async () => (await ask("GET", `/admin/v1/requests/${request}`, { as: a.secret })).status, { timeout: 15_000, interval: 200 })
      .toBe(200);
    for (const kind of [`requests/${request}`, `costs/records/${request.replace("req", "cost")}`]) {
      expect((await ask("GET", `/admin/v1/${kind}`, { as: a.secret })).status).toBe(200);
      const strange = await ask("GET", `/admin/v1/${kind}`, { as: b.secret });
      const missing = await ask("GET", `/admin/v1/${kind.slice(0, -4)}0000`, { as: b.secret });
      expect([strange.status, await strange.text()]).toEqual([missing.status, await missing.text()]);
      expect(strange.status).toBe(404);
    }
    for (const path of ["requests", "costs/records", "costs/summary"]) {
      const rows = (await (await ask("GET", `/admin/v1/${path}?key=${a.id}`, { as: b.secret })).json()) as { data: unknown[] };
      expect(rows.data).toEqual([]);
    }
  });
});

describe("shapes", () => {
  test("a key is echoed with every effective field, its budgets with their standing, and its secret once", async () => {
    const made = await admin("POST", "/keys", { name: "ci", tags: ["ci"], budgets: [{ window: "day", limit_usd: 5 }] });
    expect(made).toMatchObject({
      object: "key",
      name: "ci",
      team: "team_default",
      user: null,
      role: "key_holder",
      tags: ["ci"],
      metadata: {},
      models: { allow: ["*"], deny: [] },
      expires_at: null,
      limits: { rpm: 600, tpm: null, concurrency: 20 },
      unknown_price: "charge_dearest",
      content_logging: "off",
      cache: "off",
      responses: "kept",
      policies: [],
      profile: null,
      status: "active",
      budgets: [
        {
          object: "budget",
          window: "day",
          time_zone: "UTC",
          mode: "strict",
          limit_usd: "5",
          status: { unit: "usd", limit: "5", spent: "0", reserved: "0", over: "0", remaining: "5" },
        },
      ],
    });
    expect(made["secret"]).toMatch(/^sk-tg-[a-z0-9]{12}-[A-Za-z0-9]{43}$/);
    const later = await admin("GET", `/keys/${String(made["id"])}`);
    expect(later).not.toHaveProperty("secret");
    expect(later["last4"]).toBe(String(made["secret"]).slice(-4));
  });

  test.each([
    ["POST", "/keys", { name: "x", wat: 1 }, "wat"],
    ["POST", "/keys", { name: "x", budgets: [{ window: "year", limit_usd: "1" }] }, "budgets.0.window"],
    ["POST", "/keys", { name: "x", budgets: [{ window: "day" }] }, "budgets.0.limit_usd"],
    ["POST", "/keys", { name: "x", budgets: [{ window: "day", limit_usd: "1.0000000001" }] }, "budgets.0.limit_usd"],
    ["POST", "/keys", { name: "x", limits: { rpm: 0 } }, "limits.rpm"],
    ["POST", "/keys", {}, "name"],
    ["POST", "/keys", { name: "x", team: "team_nobody" }, "team"],
    ["POST", "/keys", { name: "x", policies: ["p"] }, "policies.0"],
    ["POST", "/budgets", { scope: { kind: "key", id: "key_nobody" }, window: "day", limit_usd: "1" }, "scope.id"],
    ["POST", "/budgets", { scope: { kind: "tag" }, window: "day", limit_usd: "1" }, "scope.id"],
    ["POST", "/budgets", { scope: { kind: "deployment", id: "x" }, window: "day", limit_usd: "1" }, "scope.id"],
    ["POST", "/budgets", { scope: { kind: "planet", id: "x" }, window: "day", limit_usd: "1" }, "scope.kind"],
    [
      "POST",
      "/budgets",
      { scope: { kind: "team", id: "team_default" }, window: "day", time_zone: "Mars/Base", limit_usd: "1" },
      "time_zone",
    ],
    ["POST", "/budgets", { scope: { kind: "team", id: "team_default" }, window: "day", limit_usd: "1", limit_tokens: 5 }, "limit_tokens"],
    ["POST", "/budgets", { scope: { kind: "team", id: "team_default" }, window: "day", limit_usd: "9007200" }, "limit_usd"],
    ["POST", "/providers", { name: "Acme!", kind: "openai", base_url: "https://x.test/v1" }, "name"],
    ["POST", "/providers", { name: "acme", kind: "grpc", base_url: "https://x.test/v1" }, "kind"],
    ["POST", "/prices", { provider: "p", model: "m", rates: { input: "-1" } }, "rates.input"],
    ["POST", "/prices", { provider: "p", model: "m", rates: { gold: "1" } }, "rates.gold"],
    ["POST", "/prices", { provider: "p", model: "m" }, "rates"],
    ["GET", "/costs/summary?group_by=colour", undefined, "group_by"],
    ["GET", "/costs/records?limit=0", undefined, "limit"],
    ["GET", "/costs/records?from=yesterday", undefined, "from"],
    ["GET", "/keys?cursor=forged", undefined, "cursor"],
  ])("%s %s refuses a wrong field by its path: %j", async (method, path, body, param) => {
    const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body });
    expect([answer.status, ((await answer.json()) as { error: Json }).error]).toMatchObject([400, { code: "invalid_request", param }]);
  });

  test("a body that is no JSON is told so", async () => {
    const answer = await ask("POST", "/admin/v1/keys", { as: ADMIN, body: "{" });
    expect([answer.status, ((await answer.json()) as { error: Json }).error["code"]]).toEqual([400, "invalid_request"]);
  });

  test("each resource is made, read, listed, changed and deleted, and says so in the audit", async () => {
    const team = await admin("POST", "/teams", { name: "core" });
    const made: Record<string, { create: Json; patch: Json }> = {
      teams: { create: { name: "t" }, patch: { name: "t2" } },
      users: { create: { name: "u", team: team["id"], email: "u@example.com" }, patch: { name: "u2" } },
      keys: { create: { name: "k" }, patch: { tags: ["x"] } },
      budgets: { create: { scope: { kind: "team", id: team["id"] }, window: "month", limit_usd: "10" }, patch: { limit_usd: "20" } },
      providers: {
        create: { name: "acme", kind: "openai", base_url: "https://acme.test/v1", api_key: "sk-acme-0123456789" },
        patch: { status: "disabled" },
      },
      models: { create: { name: "fast", provider: "tollgate", model: "echo" }, patch: { model: "slow" } },
      prices: { create: { provider: "acme", model: "m", rates: { input: "1" } }, patch: { effective_to: "2036-01-01T00:00:00Z" } },
    };
    for (const [resource, { create, patch }] of Object.entries(made)) {
      const created = await ask("POST", `/admin/v1/${resource}`, { as: ADMIN, body: create });
      expect([resource, created.status]).toEqual([resource, 201]);
      const { id } = (await created.json()) as { id: string };
      expect(await admin("GET", `/${resource}/${id}`)).toMatchObject({ id });
      const { data } = await admin<{ data: { id: string }[] }>("GET", `/${resource}?limit=1000`);
      expect(data.map((each) => each.id)).toContain(id);
      await admin("PATCH", `/${resource}/${id}`, patch);
      expect((await ask("DELETE", `/admin/v1/${resource}/${id}`, { as: ADMIN })).status).toBe(204);
      expect((await ask("DELETE", `/admin/v1/${resource}/nobody`, { as: ADMIN })).status).toBe(404);
      const types = [`${resource.slice(0, -1)}.create`, `${resource.slice(0, -1)}.update`, `${resource.slice(0, -1)}.delete`];
      const entries = async () => (await admin<{ data: { type: string; actor: Json }[] }>("GET", `/audit?subject=${id}`)).data;
      await expect
        .poll(async () => (await entries()).map(({ type }) => type).toSorted(), { timeout: 15_000, interval: 200 })
        .toEqual(types.toSorted());
      expect((await entries())[0]?.actor).toEqual({ kind: "admin_token", id: "bootstrap" });
    }
  });
});

describe("threat 13: upstreams that may be registered", () => {
  test.each([
    "http://127.0.0.1:9/v1",
    "https://localhost/v1",
    "https://10.0.0.1",
    "https://169.254.169.254/latest",
    "https://[::1]/",
    "https://[fd00::1]/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://user@evil.test/",
    "https://127.0.0.1./",
    "ftp://x.test",
    "file:///etc/passwd",
  ])("%s is refused in production", async (base_url) => {
    const bindings = { TOLLGATE_ALLOW_PRIVATE_UPSTREAMS: "false" } as unknown as Partial<Env>;
    const answer = await ask("POST", "/admin/v1/providers", { as: ADMIN, bindings, body: { name: "evil", kind: "openai", base_url } });
    expect([base_url, answer.status, ((await answer.json()) as { error: Json }).error["param"]]).toEqual([base_url, 400, "base_url"]);
  });
});

describe("threat 39: repeated writes", () => {
  const post = (key: string, body: Json, as = ADMIN) => ask("POST", "/admin/v1/keys", { as, body, headers: { "idempotency-key": key } });

  test("the same key and body get the same answer without its secret; another body is refused; another actor is another story", async () => {
    const first = (await (await post("i-1", { name: "once" })).json()) as Json;
    const again = await post("i-1", { name: "once" });
    expect([again.status, await again.json()]).toEqual([201, { ...first, secret: null }]);
    const other = await post("i-1", { name: "other" });
    expect([other.status, ((await other.json()) as { error: Json }).error["code"]]).toEqual([400, "idempotency_mismatch"]);
    const operator = await newKey({ role: "operator" });
    const theirs = (await (await post("i-1", { name: "once" }, operator.secret)).json()) as Json;
    expect(theirs["id"]).not.toBe(first["id"]);
  });

  test("ten at once make one key", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("i-2", { name: "burst" })));
    const { data } = await admin<{ data: { name: string }[] }>("GET", "/keys?limit=1000");
    expect(data.filter(({ name }) => name === "burst")).toHaveLength(1);
    for (const { status } of answers) expect([201, 503]).toContain(status);
  });

  test("one that failed may be tried again", async () => {
    expect((await post("i-3", { name: "x", team: "team_nobody" })).status).toBe(400);
    expect((await post("i-3", { name: "x", team: "team_nobody" })).status).toBe(400);
  });
});

describe("lists", () => {
  test("pages hold every row once, newest first", async () => {
    const made: string[] = [];
    for (let at = 0; at < 7; at++) made.push(String((await admin("POST", "/teams", { name: `page ${at}` }))["id"]));
    const seen: string[] = [];
    for (let cursor = ""; ;) {
      const page: { data: { id: string }[]; next_cursor: string | null } = await admin("GET", `/teams?limit=3${cursor}`);
      seen.push(...page.data.map(({ id }) => id));
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => made.includes(id))).toEqual(made.toReversed());
  });

  test("JSON, CSV and NDJSON of one query agree, and no cell is a formula", async () => {
    const { id, secret } = await newKey();
    for (let at = 0; at < 3; at++) {
      const headers = { "x-tollgate-tags": "=cmd|x,b", "x-tollgate-user": '+1 "quoted", person' };
      await ask("POST", "/v1/chat/completions", {
        as: secret,
        headers,
        body: { model: "tollgate/echo", messages: [{ role: "user", content: "x".repeat(at) }] },
      });
    }
    await expect
      .poll(async () => (await admin<{ data: Json[] }>("GET", `/costs/records?key=${id}`)).data.length, { timeout: 15_000, interval: 200 })
      .toBe(3);
    const json = (await admin<{ data: Json[] }>("GET", `/costs/records?key=${id}`)).data;
    const ndjson = await (await ask("GET", `/admin/v1/costs/records?key=${id}&format=ndjson`, { as: ADMIN })).text();
    expect(
      ndjson
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Json),
    ).toEqual(json);
    const csv = await (await ask("GET", `/admin/v1/costs/records?key=${id}`, { as: ADMIN, headers: { accept: "text/csv" } })).text();
    const [head, ...lines] = csv.trim().split("\r\n");
    expect(lines).toHaveLength(3);
    const cost = head!.split(",").indexOf("id");
    expect(lines.map((line) => line.split(",")[cost])).toEqual(json.map((row) => row["id"]));
    expect(csv).toContain(`"'+1 ""quoted"", person"`);
    const summary = await admin<{ total: { usd: string; requests: number } }>("GET", `/costs/summary?key=${id}&group_by=model,day`);
    expect(summary.total.requests).toBe(3);
  });

  test("a receipt's lines add up to the record, to the last digit", async () => {
    const { id, secret } = await newKey({ budgets: [{ window: "day", limit_usd: "1" }] });
    await ask("POST", "/v1/messages", {
      as: secret,
      body: { model: "tollgate/echo", max_tokens: 9, messages: [{ role: "user", content: "hello" }] },
    });
    const rows = async () => (await admin<{ data: { id: string }[] }>("GET", `/costs/records?key=${id}`)).data;
    await expect.poll(async () => (await rows()).length, { timeout: 15_000, interval: 200 }).toBe(1);
    const record = await admin<{
      actual_usd: string;
      receipt: {
        total_usd: string;
        lines: { usd: string; quantity: number; rate: string; per: number }[];
        budgets: { charged_nano_usd: number }[];
      };
      nano_usd: number;
    }>("GET", `/costs/records/${(await rows())[0]!.id}`);
    const femto = (usd: string) => BigInt(Math.round(Number(usd) * 1e15));
    expect(record.receipt.lines.reduce((sum, line) => sum + femto(line.usd), 0n)).toBe(femto(record.actual_usd));
    expect(record.receipt.total_usd).toBe(record.actual_usd);
    expect(record.receipt.budgets).toMatchObject([{ charged_nano_usd: record.nano_usd }]);
  });
});
