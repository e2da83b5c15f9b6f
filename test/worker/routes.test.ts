import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { admin, ADMIN, ask, newKey, ROUTES } from "../support/front.ts";

/** The two probes that answer anybody: a client's first look, and the monitor's. */
const OPEN = ["GET /", "GET /healthz"];

describe("threat 5: every route has a guard", () => {
  test("the router's table is not empty, and holds every surface", () => {
    expect(ROUTES.length).toBeGreaterThan(50);
    for (const known of [
      "POST /v1/estimate",
      "POST /v1/chat/completions",
      "POST /messages",
      "GET /v1/key",
      "GET /v1/ws",
      "POST /admin/v1/keys",
      "GET /admin/v1/openapi.json",
    ])
      expect(ROUTES).toContain(known);
  });

  test.each(ROUTES)("%s answers nobody without a credential, with a bad one, or with a forged one", async (route) => {
    const [method = "GET", pattern = "/"] = route.split(" ");
    const path = pattern.replace(/:\w+(\{[^}]*\})?/g, "x").replace("/admin/v1*", "/admin/v1");
    const body = method === "GET" || method === "DELETE" ? {} : { body: "{}" };
    const credentials: Record<string, string>[] = [
      {},
      { authorization: "Bearer x" },
      { authorization: `Bearer ${ADMIN}x` },
      { "x-api-key": "sk-tg-aaaaaaaaaaaa-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
    ];
    for (const headers of credentials) {
      const answer = await ask(method, path, { headers, ...body });
      expect(answer.status).toBe(OPEN.includes(route) ? 200 : 401);
    }
  });

  test("an ordinary key reaches nothing of the admin plane but its own costs and requests", async () => {
    const { secret } = await newKey();
    const mine = /^GET \/admin\/v1\/(costs\/|requests(?!.*\/content))/;
    for (const route of ROUTES.filter((each) => each.includes("/admin/v1"))) {
      const [method = "GET", pattern = "/"] = route.split(" ");
      const path = pattern.replace(/:\w+/g, "x");
      const answer = await ask(method, path, {
        as: secret,
        ...(method === "GET" || method === "DELETE" ? {} : { body: "{}" }),
      });
      if (mine.test(route)) expect([200, 404]).toContain(answer.status);
      else if (!route.includes("openapi.json")) expect([route, answer.status]).toEqual([route, 403]);
    }
  });

  test("a path below the admin plane that does not exist tells a stranger nothing", async () => {
    expect((await ask("GET", "/admin/v1/nothing")).status).toBe(401);
    expect((await ask("GET", "/admin/v1/nothing", { as: ADMIN })).status).toBe(404);
  });
});

describe("the first look", () => {
  test("Claude Code's HEAD of the root, and anybody's GET of it, are answered", async () => {
    expect([(await ask("HEAD", "/")).status, (await ask("GET", "/")).status]).toEqual([200, 200]);
  });

  test("whoever opens the root is told where the base URLs are, and each of them leads on", async () => {
    const told = (await (await ask("GET", "/")).json()) as Record<"health" | "openai" | "anthropic" | "admin", string>;
    const { secret } = await newKey();
    expect((await ask("GET", told.health)).status).toBe(200);
    expect((await ask("GET", `${told.openai}/models`, { as: secret })).status).toBe(200);
    const body = { model: "tollgate/echo", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
    expect((await ask("POST", `${told.anthropic}v1/messages`, { as: secret, body })).status).toBe(200);
    expect((await ask("GET", `${told.admin}/keys`, { as: ADMIN })).status).toBe(200);
  });

  test("routes that are not built yet say which they are", async () => {
    const answer = await ask("POST", "/v1/workflows", { body: {} });
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    expect([answer.status, error.code, error.message]).toEqual([404, "not_found", "There is no route POST /v1/workflows here"]);
  });

  test("what is refused by name is refused to strangers first", async () => {
    const { secret } = await newKey();
    for (const path of ["/v1/batches", "/v1/files/file_1/content", "/v1/messages/batches"]) {
      expect((await ask("GET", path)).status).toBe(401);
      const answer = await ask("GET", path, { as: secret });
      const { error } = (await answer.json()) as { error: { message: string } };
      expect([answer.status, error.message]).toEqual([404, expect.stringContaining(`GET ${path} is not offered here: `)]);
    }
  });
});

test.each(["/v1/key", "/v1/models", "/v1/models/tollgate/echo", "/admin/v1/keys", "/admin/v1/keys/key_none"])(
  "%s: the answer bears the request's id, be it an error or not",
  async (path) => {
    const { secret } = await newKey();
    const { headers } = await ask("GET", path, { as: path.startsWith("/admin") ? ADMIN : secret });
    expect(headers.get("x-request-id")).toMatch(/^req_/);
    expect(headers.get("request-id")).toBe(headers.get("x-request-id"));
  },
);

describe("what a newcomer gets wrong is answered with what to do", () => {
  const NO_V1 = "/chat/completions";
  test.each([
    ["a provider's key", "/v1/chat/completions", { as: "sk-proj-0123456789" }, "keys of its own"],
    ["no key for the admin plane", "/admin/v1/keys", {}, "the admin key on /admin/v1"],
    ["a base URL without /v1", NO_V1, {}, `There is no route POST ${NO_V1} here; the base URL of OpenAI's SDKs ends in /v1`],
    ["a base URL with a slash behind it", "/v1//chat/completions", {}, "it has a slash too many, doubled or at its end"],
    ["a slash behind the route", "/v1/chat/completions/", {}, "it has a slash too many, doubled or at its end"],
    ["OpenAI's route in the base URL", "/v1/chat/completions/chat/completions", {}, "the base URL ends before the route"],
    ["Anthropic's route in the base URL", "/v1/messages/v1/messages", {}, "the base URL ends before the route"],
    ["a base URL and nothing behind it", "/v1", {}, "the base URL of OpenAI's SDKs, to which they add the route"],
    ["the admin plane without its version", "/admin/keys", {}, "the admin plane is below /admin/v1"],
    ["a key where nobody looks", "/v1/chat/completions", { as: "" }, 'as "authorization: Bearer …" or x-api-key'],
    ["a model that nobody has", "/v1/chat/completions", { model: "gtp-5" }, "GET /v1/models lists what this key may call"],
    ["a model of a provider that nobody registered", "/v1/chat/completions", { model: "mistral/large" }, 'no provider is called "mistral"'],
    ["tokens of another vendor's model", "/v1/messages/count_tokens", { model: "gpt-4o-mini" }, "POST /v1/estimate counts the tokens"],
    [
      "what another vendor has not",
      "/v1/completions",
      { model: "claude-sonnet-5-5" },
      "does not offer completions, which no other dialect has",
    ],
    ["Anthropic's SDK without OpenAI's key", "/v1/messages", { model: "gpt-4o-mini" }, "set OPENAI_API_KEY to use it"],
    ["OpenAI's SDK without Anthropic's key", "/v1/chat/completions", { model: "claude-sonnet-5-5" }, "set ANTHROPIC_API_KEY to use it"],
    ["a provider without its key", "/v1/chat/completions", { model: "gpt-4o-mini" }, "set OPENAI_API_KEY to use it"],
    ["a budget that is too small", "/v1/chat/completions", { budgets: [{ window: "day", limit_usd: "0" }] }, "it resets at 20"],
  ])("%s", async (_, path, { as, model = "tollgate/echo", budgets }: { as?: string; model?: string; budgets?: unknown[] }, told) => {
    const { secret } = await newKey(budgets === undefined ? {} : { budgets });
    const answer = await ask("POST", path, {
      ...(path === "/admin/v1/keys" ? {} : { as: as ?? secret }),
      body: { model, max_tokens: 5, messages: [{ role: "user", content: "hi" }] },
    });
    const { error } = (await answer.json()) as { error: { message: string } };
    expect(error.message).toContain(told);
  });
});

describe("what a newcomer gets wrong on the admin plane is answered with what to do", () => {
  const form = { "content-type": "application/x-www-form-urlencoded" };
  test.each([
    ["curl's own content type", "POST /keys", { headers: form, body: '{"name":"k"}' }, null, "content-type must be application/json"],
    ["no body", "POST /keys", {}, null, "body is empty or not valid JSON"],
    ["a day for a time", "POST /keys", { body: { name: "k", expires_at: "2027-01-31" } }, "expires_at", "such as 2027-01-31T00:00:00Z"],
    ["a grouping that is none", "GET /costs/summary?group_by=keys", {}, "group_by", "takes key, team, user"],
    ["a team that is there", "POST /teams", { body: { id: "team_default", name: "t" } }, "id", "GET /admin/v1/teams shows by what"],
  ])("%s", async (_, operation, asked: { body?: unknown; headers?: Record<string, string> }, param, told) => {
    const [method = "", path = ""] = operation.split(" ");
    const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, ...asked });
    const { error } = (await answer.json()) as { error: { message: string } };
    expect([answer.status, error]).toEqual([400, expect.objectContaining({ param, message: expect.stringContaining(told) as string })]);
  });

  test.each([
    ["/models", { provider: "tollgate", model: "echo" }],
    ["/providers", { kind: "openai", base_url: "https://api.example.com/v1", api_key: "sk-x" }],
    ["/routes", { targets: [{ provider: "tollgate", model: "echo" }] }],
    ["/profiles", {}],
  ])("%s: a name that is taken is there to be changed", async (path, fields) => {
    const body = { name: `twice-${path.slice(1)}`, ...fields };
    await admin("POST", path, body);
    const again = await ask("POST", `/admin/v1${path}`, { as: ADMIN, body });
    const { error } = (await again.json()) as { error: { message: string } };
    expect([again.status, error]).toMatchObject([
      400,
      { param: "name", message: `name is taken: GET /admin/v1${path} shows by what, and a PATCH of that one changes it` },
    ]);
  });
});

describe("threat 9: failed authentications", () => {
  test("200 from one address: 429 from the twentieth on, whatever it forwards; others and good keys are let in", async () => {
    const { secret } = await newKey();
    const statuses: number[] = [];
    for (let at = 0; at < 200; at++) {
      const headers = {
        "cf-connecting-ip": "203.0.113.9",
        "x-forwarded-for": `1.2.3.${at}`,
        "x-real-ip": `1.2.3.${at}`,
        "x-api-key": `sk-bad-${at}`,
      };
      statuses.push((await ask("GET", "/v1/key", { headers })).status);
    }
    expect(statuses.slice(0, 19).every((status) => status === 401)).toBe(true);
    expect(statuses.slice(19).every((status) => status === 429)).toBe(true);
    expect((await ask("GET", "/v1/key", { headers: { "x-api-key": "sk-bad" } })).status).toBe(401);
    expect((await ask("GET", "/v1/key", { headers: { "cf-connecting-ip": "203.0.113.9", "x-api-key": secret } })).status).toBe(200);
  });
});

describe("threat 11: the first admin", () => {
  test("without an admin key the plane is closed to everything that could be guessed", async () => {
    const { TOLLGATE_ADMIN_KEY: _, ...rest } = env as unknown as Record<string, unknown>;
    const bindings = { ...rest, TOLLGATE_ADMIN_KEY: "" } as Partial<Env>;
    for (const guess of ["", "admin", "undefined", "null", ADMIN]) {
      expect((await ask("GET", "/admin/v1/keys", { as: guess, bindings })).status).toBe(401);
    }
  });
});

describe("threat 23: CORS", () => {
  test.each(["/v1/chat/completions", "/admin/v1/keys", "/v1/models", "/healthz"])(
    "%s allows no origin, and answers no preflight",
    async (path) => {
      const headers = {
        origin: "https://evil.test",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      };
      for (const method of ["OPTIONS", "GET"]) {
        const answer = await ask(method, path, { headers });
        expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
        if (method === "OPTIONS") expect(answer.status).toBeGreaterThanOrEqual(400);
      }
    },
  );
});

describe("threat 47: what is down", () => {
  const down = <Binding extends object>(binding: Binding): Binding =>
    new Proxy(binding, {
      get: () => () => {
        throw new Error("down");
      },
    });
  const body = JSON.stringify({ model: "tollgate/echo", messages: [{ role: "user", content: "hi" }] });
  const chat = (secret: string, bindings: Partial<Env>) => ask("POST", "/v1/chat/completions", { as: secret, body, bindings });

  test("the ledger: budgets are closed, with 503 that may be retried", async () => {
    const { secret } = await newKey();
    const answer = await chat(secret, { LEDGER: down(env.LEDGER) });
    expect([answer.status, answer.headers.get("x-should-retry"), answer.headers.get("retry-after")]).toEqual([503, "true", "1"]);
    expect((await ask("GET", "/healthz", { bindings: { LEDGER: down(env.LEDGER) } })).status).toBe(503);
  });

  test("the database: who is not known yet is refused with 503, never let in", async () => {
    const { secret } = await newKey();
    expect((await chat(secret, { DB: down(env.DB) })).status).toBe(503);
  });

  test("the queue: requests are served, and their records wait in the ledger", async () => {
    const { secret } = await newKey();
    expect((await chat(secret, { EVENTS: down(env.EVENTS) })).status).toBe(200);
  });
});
