import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { eq } from "drizzle-orm";
import { fire, sendDue } from "#alerts";
import { tables } from "#db";
import { platformOf } from "../../src/compose.ts";
import { db } from "../support/events.ts";
import { admin, ADMIN, ask } from "../support/front.ts";

interface Received {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  readonly init: RequestInit;
}
interface Delivery {
  readonly id: string;
  readonly alert: string | null;
  readonly status: string;
  readonly attempts: number;
  readonly http_status: number | null;
  readonly error: string | null;
  readonly next_attempt_at: string | null;
}

const START = Date.UTC(2026, 10, 21, 12);
let now = START;
const out = (timeoutMs = 5_000, bindings: Partial<Env> = {}) => {
  const { config } = platformOf({ ...env, ...bindings } as Env);
  return { db, config, now: () => now, timeoutMs };
};

/** The receivers: the only thing here that is not ours. */
const received: Received[] = [];
let receive: (url: string, init: RequestInit) => Promise<Response> | Response = () => new Response(null, { status: 204 });

const SECRETS: string[] = [];
let logged = "";

beforeEach(async () => {
  now += 86_400_000;
  received.length = 0;
  receive = () => new Response(null, { status: 204 });
  for (const name of ["log", "error", "warn"] as const)
    vi.spyOn(console, name).mockImplementation((...parts: unknown[]) => void (logged += parts.join(" ")));
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    received.push({ url, headers: new Headers(init.headers), body: init.body as string, init });
    return receive(url, init);
  });
  await db.delete(tables.webhooks);
  await db.delete(tables.webhookDeliveries);
  await db.delete(tables.alerts);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function made(url: string, events: string[] = []): Promise<{ id: string; secret: string; url: string }> {
  const webhook = await admin<{ id: string; secret: string; url: string }>("POST", "/webhooks", { url, events });
  SECRETS.push(webhook.secret);
  return webhook;
}

let serial = 0;
/** Something that somebody should know of. */
async function alarm(type: "price.unknown" | "spend.anomaly" = "price.unknown"): Promise<string> {
  const subjectId = `acme/m-${++serial}`;
  const rest = {
    severity: "warning",
    subjectKind: "model",
    threshold: 0,
    windowStart: 0,
    team: null,
    key: null,
    data: { n: serial },
  } as const;
  expect(await fire(db, [{ type, subjectId, ...rest }], now)).toBe(1);
  const [row] = await db.select().from(tables.alerts).where(eq(tables.alerts.subjectId, subjectId));
  return row!.id;
}

const deliveries = async (id: string) => (await admin<{ data: Delivery[] }>("GET", `/webhooks/${id}/deliveries`)).data;

/** As a receiver would, by the platform's own means: constant-time, and by the guide's words. */
async function verifies(secret: string, { headers, body }: Received): Promise<boolean> {
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers.get("x-tollgate-signature") ?? "") ?? [];
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const signed = Uint8Array.from((v1 ?? "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return Number(t) === Math.floor(now / 1000) && crypto.subtle.verify("HMAC", key, signed, encoder.encode(`${t}.${body}`));
}

describe("D11: a delivery", () => {
  test("is the alert as the list shows it, signed with its time, under the alert's id", async () => {
    const { id, secret } = await made("https://hooks.example.com/a");
    const alert = await alarm();
    await sendDue(out());
    expect(received).toHaveLength(1);
    const [got] = received;
    expect(await verifies(secret, got!)).toBe(true);
    expect(await verifies(secret, { ...got!, body: got!.body.replace("acme", "evil") })).toBe(false);
    expect(await verifies(`${secret}x`, got!)).toBe(false);
    expect([got!.url, got!.headers.get("x-tollgate-event-id"), got!.init.redirect]).toEqual([
      "https://hooks.example.com/a",
      alert,
      "manual",
    ]);
    expect((await admin<{ data: unknown[] }>("GET", "/alerts")).data).toEqual([JSON.parse(got!.body)]);
    expect(await deliveries(id)).toMatchObject([{ alert, status: "delivered", attempts: 1, http_status: 204, error: null }]);
    await sendDue(out());
    expect(received).toHaveLength(1);
  });

  test("survives a receiver that fails three times: the same body and id, a new signature, later and later", async () => {
    const { id, secret } = await made("https://hooks.example.com/b");
    const alert = await alarm();
    const fates = [
      () => new Response("no", { status: 500 }),
      () => Promise.reject(new Error("refused")),
      () => new Response(null, { status: 302 }),
    ];
    receive = () => fates.shift()?.() ?? new Response("ok");
    for (const [waited, error] of [
      [0, "answered with 500"],
      [30_000, "could not be reached"],
      [120_000, "answered with 302"],
    ] as const) {
      now += waited - 1;
      await sendDue(out());
      now += 1;
      await sendDue(out());
      expect(await deliveries(id)).toMatchObject([{ status: "pending", error, next_attempt_at: expect.any(String) as unknown }]);
      expect(await verifies(secret, received.at(-1)!)).toBe(waited > 0 || received.length === 1);
    }
    now += 480_000;
    await sendDue(out());
    expect(await deliveries(id)).toMatchObject([
      { status: "delivered", attempts: 4, http_status: 200, error: null, next_attempt_at: null },
    ]);
    expect(received.map(({ headers }) => headers.get("x-tollgate-event-id"))).toEqual([alert, alert, alert, alert]);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    expect(new Set(received.map(({ headers }) => headers.get("x-tollgate-signature"))).size).toBe(4);
  });

  test("is given up after the fifth attempt, and stays listed", async () => {
    const { id } = await made("https://hooks.example.com/c");
    await alarm();
    receive = () => new Response(null, { status: 503 });
    for (let at = 0; at < 8; at++) {
      await sendDue(out());
      now += 1_800_000;
    }
    expect(received).toHaveLength(5);
    expect(await deliveries(id)).toMatchObject([{ status: "failed", attempts: 5, http_status: 503, error: "answered with 503" }]);
  });

  test("is made once where many isolates send at once, and again where one died with it", async () => {
    const { id } = await made("https://hooks.example.com/d");
    for (let at = 0; at < 5; at++) await alarm();
    await Promise.all(Array.from({ length: 8 }, () => sendDue(out())));
    const ids = received.map(({ headers }) => headers.get("x-tollgate-event-id"));
    expect([ids.length, new Set(ids).size]).toEqual([5, 5]);
    await alarm();
    const [last] = await deliveries(id);
    await db
      .update(tables.webhookDeliveries)
      .set({ attempts: 1, nextAt: now + 60_000 })
      .where(eq(tables.webhookDeliveries.id, last!.id));
    await sendDue(out());
    expect(received).toHaveLength(5);
    now += 60_000;
    await sendDue(out());
    expect(received).toHaveLength(6);
  });

  test("to a receiver that hangs holds up no other, and ends in time", async () => {
    const slow = await made("https://slow.example.com/");
    const quick = await made("https://quick.example.com/");
    for (let at = 0; at < 3; at++) await alarm();
    const order: string[] = [];
    receive = (url, { signal }) => {
      if (url.includes("quick")) return new Response(null, { status: 200 });
      return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason as Error)));
    };
    const all = sendDue(out(1_500)).then(() => order.push("slow ended"));
    await expect
      .poll(async () => (await deliveries(quick.id)).every(({ status }) => status === "delivered"), { timeout: 1_400 })
      .toBe(true);
    order.push("quick ended");
    await all;
    expect(order).toEqual(["quick ended", "slow ended"]);
    expect(received.filter(({ url }) => url.includes("slow"))).toHaveLength(1);
    expect((await deliveries(slow.id)).filter(({ error }) => error === "took too long")).toHaveLength(1);
  });

  test("goes to those only that want the type of alert, and are active", async () => {
    const every = await made("https://every.example.com/");
    const some = await made("https://some.example.com/", ["spend.anomaly", "budget.exceeded"]);
    const off = await made("https://off.example.com/");
    await admin("PATCH", `/webhooks/${off.id}`, { status: "disabled" });
    await alarm("price.unknown");
    await alarm("spend.anomaly");
    await sendDue(out());
    const counts = await Promise.all([every, some, off].map(async ({ id }) => (await deliveries(id)).length));
    expect(counts).toEqual([2, 1, 0]);
    expect(received.map(({ url }) => new URL(url).hostname.split(".")[0]).toSorted()).toEqual(["every", "every", "some"]);
  });

  test("that waits when its webhook is disabled waits on, and goes with the webhook when that is removed", async () => {
    const { id } = await made("https://hooks.example.com/e");
    await alarm();
    await admin("PATCH", `/webhooks/${id}`, { status: "disabled" });
    await sendDue(out());
    expect(received).toEqual([]);
    await admin("DELETE", `/webhooks/${id}`);
    expect(await db.$count(tables.webhookDeliveries)).toBe(0);
    expect((await ask("GET", `/admin/v1/webhooks/${id}/deliveries`, { as: ADMIN })).status).toBe(404);
  });
});

test("a test is sent at once, signed, and says what came of it", async () => {
  const { id, secret } = await made("https://hooks.example.com/t");
  const answer = await admin<Delivery>("POST", `/webhooks/${id}/test`);
  expect(answer).toMatchObject({ object: "delivery", webhook: id, alert: null, status: "delivered", attempts: 1, http_status: 204 });
  const [got] = received;
  now = Date.now();
  expect(got!.headers.get("x-tollgate-event-id")).toBe(answer.id);
  expect(JSON.parse(got!.body)).toMatchObject({ id: answer.id, type: "webhook.test", subject: { kind: "webhook", id } });
  now = Number(/t=(\d+)/.exec(got!.headers.get("x-tollgate-signature")!)![1]) * 1000;
  expect(await verifies(secret, got!)).toBe(true);
  receive = () => new Response(null, { status: 404 });
  expect(await admin("POST", `/webhooks/${id}/test`)).toMatchObject({ status: "pending", http_status: 404, error: "answered with 404" });
  expect((await ask("POST", "/admin/v1/webhooks/whk_nobody/test", { as: ADMIN })).status).toBe(404);
});

describe("a signing secret", () => {
  test("is shown by the answer that made it and by nothing else, and is sealed at rest", async () => {
    const { id, secret, url } = await made("https://hooks.example.com/path-known-to-friends");
    expect(secret).toMatch(/^whsec_[0-9a-f]{64}$/);
    const own = "a-secret-of-the-receivers-own-choice";
    SECRETS.push(own);
    const answers = [
      await admin("GET", `/webhooks/${id}`),
      await admin("GET", "/webhooks"),
      await admin("PATCH", `/webhooks/${id}`, { secret: own, events: ["price.unknown"] }),
      await admin("POST", `/webhooks/${id}/test`),
      await admin("GET", `/webhooks/${id}/deliveries`),
      await (await ask("PATCH", `/admin/v1/webhooks/${id}`, { as: ADMIN, body: { secret: `${own} ` } })).json(),
      await (await ask("POST", "/admin/v1/webhooks", { as: ADMIN, body: { url, secret: own } })).json(),
    ];
    await expect
      .poll(async () => (await admin<{ data: unknown[] }>("GET", `/audit?subject=${id}`)).data.length, { timeout: 10_000, interval: 100 })
      .toBe(3);
    const audit = JSON.stringify(await admin("GET", `/audit?subject=${id}`));
    const rows = JSON.stringify([await db.select().from(tables.webhooks), await db.select().from(tables.webhookDeliveries)]);
    const kept = JSON.stringify(await db.select().from(tables.idempotency));
    for (const text of [JSON.stringify(answers), audit, rows, kept, logged]) for (const each of SECRETS) expect(text).not.toContain(each);
    // Whoever knows the path of many a receiver may write to it.
    expect(audit).not.toContain("path-known-to-friends");
    const again = async () => {
      const answer = await ask("POST", "/admin/v1/webhooks", { as: ADMIN, body: { url }, headers: { "idempotency-key": "once" } });
      return (await answer.json()) as { id: string; secret: string | null };
    };
    const [first, second] = [await again(), await again()];
    expect([second.id, second.secret]).toEqual([first.id, null]);
  });

  test("that was given anew signs from then on", async () => {
    const { id, secret } = await made("https://hooks.example.com/f");
    const own = "a-new-secret-of-the-receivers-own";
    await admin("PATCH", `/webhooks/${id}`, { secret: own });
    await alarm();
    await sendDue(out());
    expect([await verifies(own, received[0]!), await verifies(secret, received[0]!)]).toEqual([true, false]);
  });

  test("moved to another webhook's row signs nothing, and neither does one whose master key is gone", async () => {
    const [own, thief] = [await made("https://own.example.com/"), await made("https://thief.example.com/")];
    const [row] = await db.select().from(tables.webhooks).where(eq(tables.webhooks.id, own.id));
    await db.update(tables.webhooks).set({ secret: row!.secret }).where(eq(tables.webhooks.id, thief.id));
    await alarm();
    await sendDue(out());
    expect(received.map(({ url }) => url)).toEqual(["https://own.example.com/"]);
    expect(await deliveries(thief.id)).toMatchObject([{ error: "the signing secret cannot be opened", http_status: null }]);
  });

  test("under the previous master key signs on, and is wrapped anew", async () => {
    const { id, secret } = await made("https://hooks.example.com/g");
    await alarm();
    const { TOLLGATE_ENCRYPTION_KEY: previous } = env as unknown as Record<string, string>;
    const key = "another-master-key-0123456789abcdefgh";
    const rotated = { TOLLGATE_ENCRYPTION_KEY: key, TOLLGATE_ENCRYPTION_KEY_PREVIOUS: previous } as unknown as Partial<Env>;
    await sendDue(out(5_000, rotated));
    expect(await verifies(secret, received[0]!)).toBe(true);
    await alarm();
    await sendDue(out(5_000, { TOLLGATE_ENCRYPTION_KEY: key } as unknown as Partial<Env>));
    expect([received.length, (await deliveries(id)).map(({ status }) => status)]).toEqual([2, ["delivered", "delivered"]]);
  });
});

describe("threat 13: a webhook into the operator's own network", () => {
  const closed = { TOLLGATE_ALLOW_PRIVATE_UPSTREAMS: "false" } as Partial<Env>;
  const HOSTILE = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "hooks.example.com",
    "https://user:pass@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fd00::1]/",
    "https://[fe80::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://localhost/",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://hooks.example.com./",
    "https://intranet/",
    "https://１２７.0.0.1/",
  ];

  test.each(HOSTILE)("is not registered, not changed to and, however it got there, not called: %s", async (url) => {
    const { id } = await made("https://hooks.example.com/h");
    for (const [method, path] of [
      ["POST", "/admin/v1/webhooks"],
      ["PATCH", `/admin/v1/webhooks/${id}`],
    ] as const) {
      const answer = await ask(method, path, { as: ADMIN, body: { url }, bindings: closed });
      const { error } = (await answer.json()) as { error: { code: string; param: string } };
      expect([answer.status, error.code, error.param]).toEqual([400, "invalid_request", "url"]);
    }
    await db.update(tables.webhooks).set({ url }).where(eq(tables.webhooks.id, id));
    await alarm();
    await sendDue(out(5_000, closed));
    expect(received).toEqual([]);
    const [delivery] = await deliveries(id);
    expect([delivery!.status, delivery!.attempts, delivery!.error?.startsWith("url ")]).toEqual(["pending", 1, true]);
  });
});

test.each([
  [{}, "url"],
  [{ url: "https://hooks.example.com/?a=1" }, "url"],
  [{ url: "https://hooks.example.com/", events: ["budget.everything"] }, "events.0"],
  [{ url: "https://hooks.example.com/", secret: "whsec_mine" }, "secret"],
  [{ url: `https://hooks.example.com/${"x".repeat(2048)}` }, "url"],
])("threat 38: a wrong webhook is refused by its path: %j", async (body, param) => {
  const answer = await ask("POST", "/admin/v1/webhooks", { as: ADMIN, body });
  const { error } = (await answer.json()) as { error: { code: string; param: string } };
  expect([answer.status, error.code, error.param]).toEqual([400, "invalid_request", param]);
});
