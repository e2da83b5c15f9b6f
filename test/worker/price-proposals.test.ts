import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect, tables } from "#db";
import { platformOf } from "../../src/compose.ts";
import { housekeeping } from "../../src/housekeeping.ts";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

const URL_OF_SOURCE = "https://prices.example.com/table.json";
const bindings = { TOLLGATE_PRICES_URL: URL_OF_SOURCE, TOLLGATE_ALLOW_PRIVATE_UPSTREAMS: "false" } as Partial<Env>;
const db = connect(env.DB);
/** What the source answers: the only thing here that is not ours. */
let answer: () => Response = () => Response.json({ rows: [] });
const asked: string[] = [];

interface Proposal {
  readonly id: string;
  readonly status: string;
  readonly model: string;
  readonly provider: string;
  readonly price: string | null;
  readonly changes: { readonly field: string; readonly from: string | null; readonly to: string | null }[];
}

const row = (model: string, rates: object) => ({ p: "tollgate", m: model, r: rates });
const says = (...rows: object[]) => (answer = () => Response.json({ source: "s", rows }));
const proposals = async (status = "pending") => (await admin<{ data: Proposal[] }>("GET", `/prices/proposals?status=${status}`)).data;

async function check(
  more: Partial<Env> = {},
): Promise<{ status: number; body: Record<string, unknown> & { error?: { code: string; message: string } } }> {
  const response = await ask("POST", "/admin/v1/prices/proposals", { as: ADMIN, bindings: { ...bindings, ...more } });
  return { status: response.status, body: await response.json() };
}

async function refusal(method: string, path: string, body: unknown, as = ADMIN): Promise<unknown[]> {
  const response = await ask(method, `/admin/v1${path}`, { as, body });
  const { error } = (await response.json()) as { error?: { code: string; param: string | null } };
  return [response.status, error?.code, error?.param];
}

/** What a request of the built-in model costs now. */
async function costNow(): Promise<string | null> {
  const { secret } = await newKey();
  const body = { model: "tollgate/echo", messages: [{ role: "user", content: "one two three" }] };
  return (await ask("POST", "/v1/chat/completions", { as: secret, body })).headers.get("x-tollgate-cost");
}

beforeEach(async () => {
  asked.length = 0;
  vi.stubGlobal("fetch", async (input: string) => {
    asked.push(input);
    return answer();
  });
  await db.delete(tables.priceProposals);
  await db.delete(tables.prices);
});
afterEach(() => vi.unstubAllGlobals());

describe("a proposed change of a price", () => {
  test("does nothing until it is approved, and then is the price", async () => {
    says(row("echo", { input: "150", cache_read: "75", output: "600" }));
    const before = await costNow();
    expect((await check()).body).toEqual({ object: "price_check", proposed: 1, standing: 0, rejected: 0, withdrawn: 0 });
    const [proposal] = await proposals();
    expect(proposal).toMatchObject({
      object: "price_proposal",
      status: "pending",
      provider: "tollgate",
      model: "echo",
      source: URL_OF_SOURCE,
      changes: [
        { field: "rates.input", from: "0.15", to: "150" },
        { field: "rates.cache_read", from: "0.075", to: "75" },
        { field: "rates.output", from: "0.6", to: "600" },
      ],
      price: null,
      decided_at: null,
    });
    expect(await costNow()).toBe(before);
    expect((await admin<{ data: unknown[] }>("GET", "/prices")).data).toEqual([]);

    const approved = await admin<Proposal>("POST", `/prices/proposals/${proposal!.id}/approve`, {});
    expect(approved).toMatchObject({ status: "approved", decided_by: "admin", price: expect.stringMatching(/^prc_/) as unknown });
    expect(await admin("GET", `/prices/${approved.price}`)).toMatchObject({
      provider: "tollgate",
      model: "echo",
      scope: { kind: "deployment" },
      rates: { input: "150", output: "600" },
      source: URL_OF_SOURCE,
      created_by: "admin",
    });
    expect(Number(await costNow())).toBeCloseTo(Number(before) * 1_000, 12);
    expect((await check()).body).toMatchObject({ proposed: 0, standing: 0 });
  });

  test("is approved from a date on, where one is named", async () => {
    says(row("echo", { input: "150", output: "600" }));
    await check();
    const before = await costNow();
    const [proposal] = await proposals();
    const effective_from = "2036-01-01T00:00:00.000Z";
    const { price } = await admin<Proposal>("POST", `/prices/proposals/${proposal!.id}/approve`, { effective_from });
    expect(await admin("GET", `/prices/${price}`)).toMatchObject({ effective_from, effective_to: null });
    expect(await costNow()).toBe(before);
  });

  test("that is rejected changes nothing, and is not proposed again until the source says something else", async () => {
    says(row("echo", { input: "9", output: "9" }));
    await check();
    const [proposal] = await proposals();
    expect(await admin("POST", `/prices/proposals/${proposal!.id}/reject`)).toMatchObject({
      status: "rejected",
      decided_by: "admin",
      price: null,
    });
    expect((await check()).body).toMatchObject({ proposed: 0, rejected: 1 });
    expect(await proposals()).toEqual([]);
    says(row("echo", { input: "8", output: "9" }));
    expect((await check()).body).toMatchObject({ proposed: 1, rejected: 0 });
    expect((await admin<{ data: unknown[] }>("GET", "/prices")).data).toEqual([]);
  });

  test("that the source takes back is withdrawn, and one that it changes its mind on is replaced: one is pending at a time", async () => {
    says(row("echo", { input: "9", output: "9" }), row("slow", { input: "7", output: "7" }));
    expect((await check()).body).toMatchObject({ proposed: 2 });
    expect((await check()).body).toMatchObject({ proposed: 0, standing: 2 });
    says(row("echo", { input: "10", output: "9" }));
    expect((await check()).body).toMatchObject({ proposed: 1, standing: 0, withdrawn: 2 });
    expect((await proposals()).map(({ model, changes }) => [model, changes[0]?.to])).toEqual([["echo", "10"]]);
    expect((await proposals("withdrawn")).map(({ model }) => model).toSorted()).toEqual(["echo", "slow"]);
  });

  test("is decided once: of two approvals at once one makes a price, and a decided one is not decided again", async () => {
    says(row("echo", { input: "9", output: "9" }));
    await check();
    const [proposal] = await proposals();
    const path = `/prices/proposals/${proposal!.id}`;
    const both = await Promise.all([refusal("POST", `${path}/approve`, {}), refusal("POST", `${path}/approve`, {})]);
    expect(both.toSorted()).toEqual([
      [200, undefined, undefined],
      [400, "invalid_request", "id"],
    ]);
    expect((await admin<{ data: unknown[] }>("GET", "/prices")).data).toHaveLength(1);
    expect(await refusal("POST", `${path}/reject`, undefined)).toEqual([400, "invalid_request", "id"]);
    expect(await refusal("POST", "/prices/proposals/prp_none/approve", {})).toEqual([404, "not_found", null]);
  });

  test("threat 8: is approved by whoever may set prices, read by whoever may read them, and each decision stands in the audit", async () => {
    says(row("echo", { input: "9", output: "9" }));
    await check();
    const [proposal] = await proposals();
    const path = `/prices/proposals/${proposal!.id}`;
    const analyst = await newKey({ role: "analyst" });
    const holder = await newKey();
    expect((await ask("GET", `/admin/v1${path}`, { as: analyst.secret })).status).toBe(200);
    for (const what of ["approve", "reject"]) expect((await refusal("POST", `${path}/${what}`, {}, analyst.secret))[0]).toBe(403);
    expect((await refusal("GET", path, undefined, holder.secret))[0]).toBe(403);
    const operator = await newKey({ role: "operator" });
    expect((await ask("POST", `/admin/v1${path}/approve`, { as: operator.secret, body: {} })).status).toBe(200);
    const entries = async () =>
      (await admin<{ data: Record<string, unknown>[] }>("GET", `/audit?type=price_proposal.approve&subject=${proposal!.id}`)).data;
    await expect
      .poll(entries, { timeout: 15_000, interval: 200 })
      .toMatchObject([{ actor: { kind: "key", id: operator.id }, after: { model: "echo" } }]);
  });
});

describe("threat 13: a hostile source", () => {
  test.each<[string, () => Response, RegExp]>([
    ["garbage", () => new Response("<html>"), /none/],
    ["a negative price", () => Response.json({ rows: [row("echo", { input: "-1" })] }), /none/],
    [
      "a redirect into the network",
      () => new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } }),
      /redirects are not followed/,
    ],
    ["a document of five megabytes", () => new Response("x".repeat(5_000_000)), /larger than 4000000 bytes/],
    ["an error", () => new Response("no", { status: 500 }), /500/],
  ])("proposes nothing and is named: %s", async (_, hostile, message) => {
    answer = hostile;
    const { status, body } = await check();
    expect([status, body.error?.code]).toEqual([502, "upstream_error"]);
    expect(body.error?.message).toMatch(message);
    expect(asked).toEqual([URL_OF_SOURCE]);
    expect(await db.select().from(tables.priceProposals)).toEqual([]);
  });

  test.each([
    "http://prices.example.com/t.json",
    "https://127.0.0.1/t.json",
    "https://10.1.2.3/t.json",
    "https://metadata.internal/t",
    "https://localhost/t",
  ])("at an address that no provider may stand at is not asked: %s", async (url) => {
    const { status, body } = await check({ TOLLGATE_PRICES_URL: url } as Partial<Env>);
    expect([status, body.error?.code, asked]).toEqual([400, "invalid_request", []]);
    expect(body.error?.message).toContain("TOLLGATE_PRICES_URL");
  });

  test("none at all is said to be none", async () => {
    expect((await check({ TOLLGATE_PRICES_URL: "" } as Partial<Env>)).status).toBe(400);
    expect(asked).toEqual([]);
  });
});

describe("the clock", () => {
  const at = (hour: number, minute: number) => ({
    ...platformOf({ ...env, ...bindings } as Env),
    now: () => Date.UTC(2026, 10, 21, hour, minute),
  });
  const audited = async (type: string) =>
    (await admin<{ data: { details: unknown; actor: unknown }[] }>("GET", `/audit?type=${type}`)).data;

  test("looks for news once a day", async () => {
    says(row("echo", { input: "9", output: "9" }));
    for (const [hour, minute] of [
      [3, 50],
      [4, 10],
      [16, 0],
    ] as const)
      await housekeeping(at(hour, minute));
    expect(asked).toEqual([]);
    await housekeeping(at(4, 0));
    expect(asked).toEqual([URL_OF_SOURCE]);
    expect(await proposals()).toHaveLength(1);
    const entry = { actor: { kind: "system", id: "housekeeping" }, details: { proposed: 1, standing: 0, rejected: 0, withdrawn: 0 } };
    await expect
      .poll(() => audited("price_proposal.create"), { timeout: 15_000, interval: 200 })
      .toContainEqual(expect.objectContaining(entry));
  });

  test("goes on where the source fails, and the failure stands in the audit", async () => {
    answer = () => new Response("no", { status: 503 });
    await housekeeping(at(4, 5));
    await expect
      .poll(() => audited("price_proposal.failed"), { timeout: 15_000, interval: 200 })
      .toMatchObject([{ details: { code: "upstream_error" } }]);
  });

  test("asks nobody where no source is named", async () => {
    await housekeeping({ ...platformOf({ ...env } as Env), now: () => Date.UTC(2026, 10, 21, 4, 5) });
    expect(asked).toEqual([]);
  });
});
