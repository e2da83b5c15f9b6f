import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { deliver, paid } from "../support/events.ts";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, unknown>;
interface Page {
  readonly data: Json[];
  readonly next_cursor: string | null;
}
interface Repricing extends Page {
  readonly examined: number;
  readonly repriced: number;
  readonly unchanged: number;
  readonly skipped: Json;
  readonly before_usd: string;
  readonly after_usd: string;
}

const HOUR_MS = 3_600_000;
const NOON = Date.UTC(2026, 5, 10, 12);
const iso = (at: number) => new Date(at).toISOString();
const RANGE = { from: iso(NOON), to: iso(NOON + HOUR_MS) };

let serial = 0;
/** A paid call of a model: 1,000 tokens in and 200 out, at one dollar a million. */
function called(team: string, model: string, fields: Partial<NonNullable<ReturnType<typeof paid>["cost"]>> = {}) {
  const event = paid(team, "0.0012", { model, at: NOON + ++serial });
  const usage = { ...event.cost!.usage, input: 1_000, output: 200 };
  const line = (name: string, quantity: number, usd: string) => ({ class: name, quantity, rate: "1", per: 1_000_000, usd });
  const lines = [line("input", 1_000, "0.001"), line("output", 200, "0.0002")];
  return { ...event, cost: { ...event.cost!, usage, receipt: { ...event.cost!.receipt, lines }, ...fields } };
}

/** The deployment's own price of a model since before anything here. */
function price(model: string, rates: Json, fields: Json = {}) {
  return admin("POST", "/prices", { provider: "acme", model, rates, effective_from: iso(NOON - HOUR_MS), ...fields });
}

const reprice = (fields: Json = {}) => admin<Repricing>("POST", "/costs/reprice", { ...RANGE, ...fields });
const stored = async (where: string) =>
  JSON.stringify((await env.DB.prepare(`select * from cost_records where ${where} order by id`).all()).results);

async function refused(as: string, body: unknown) {
  const answer = await ask("POST", "/admin/v1/costs/reprice", { as, body });
  const { error } = (await answer.json()) as { error: Json };
  return [answer.status, error["code"], error["param"]];
}

describe("repricing", () => {
  test("appends a linked record at the new price, leaves the old one bit-identical, and again changes nothing", async () => {
    const event = called("one", "m-one");
    await deliver([event]);
    const before = await stored(`team = 'one'`);
    await price("m-one", { input: "3", output: "7.5" });
    const dry = await reprice({ model: "m-one", dry_run: true });
    expect(dry).toMatchObject({ dry_run: true, examined: 1, repriced: 1, before_usd: "0.0012", after_usd: "0.0045" });
    expect(dry.data).toMatchObject([{ id: null, reprices: event.cost.id, before_usd: "0.0012", after_usd: "0.0045" }]);
    expect(await stored(`team = 'one'`)).toBe(before);

    const done = await reprice({ model: "m-one" });
    expect(done).toMatchObject({ dry_run: false, examined: 1, repriced: 1, unchanged: 0, before_usd: "0.0012", after_usd: "0.0045" });
    expect(await stored(`team = 'one' and reprices is null`)).toBe(before);
    const record = await admin<Json & { receipt: Json }>("GET", `/costs/records/${String(done.data[0]!["id"])}`);
    expect(record).toMatchObject({
      request: event.invocation.request,
      at: iso(event.invocation.at),
      reprices: event.cost.id,
      status: "actual",
      price_state: "priced",
      actual_usd: "0.0045",
      nano_usd: 4_500_000,
      usage: { input: 1_000, output: 200 },
      receipt: {
        total_usd: "0.0045",
        lines: [
          { class: "input", quantity: 1_000, rate: "3", usd: "0.003" },
          { class: "output", quantity: 200, rate: "7.5", usd: "0.0015" },
        ],
        budgets: [],
      },
    });
    expect(await reprice({ model: "m-one" })).toMatchObject({ examined: 1, repriced: 0, unchanged: 1, data: [] });
    expect((await admin<Page>("GET", "/costs/records?team=one")).data).toHaveLength(2);
    const { total } = await admin<{ total: Json }>("GET", "/costs/summary?team=one");
    expect(total).toMatchObject({ usd: "0.0045", requests: 1 });
  });

  test("a chain goes on: the newest counts, and only that", async () => {
    await deliver([called("chain", "m-chain")]);
    const first = await price("m-chain", { input: "2", output: "2" });
    expect(await reprice({ team: "chain" })).toMatchObject({ repriced: 1, after_usd: "0.0024" });
    await admin("DELETE", `/prices/${String(first["id"])}`);
    await price("m-chain", { input: "0.000000001", output: "5" });
    expect(await reprice({ team: "chain" })).toMatchObject({ examined: 1, repriced: 1, before_usd: "0.0024", after_usd: "0.001000000001" });
    const { total } = await admin<{ total: Json }>("GET", "/costs/summary?team=chain&group_by=day");
    expect(total).toMatchObject({ usd: "0.001000000001", requests: 1, tokens: { input: 1_000, output: 200 } });
  });

  test("two at once reprice a record once", async () => {
    await deliver(Array.from({ length: 30 }, () => called("race", "m-race")));
    await price("m-race", { input: "4", output: "4" });
    const both = await Promise.all([reprice({ team: "race" }), reprice({ team: "race" })]);
    expect(both[0].repriced + both[1].repriced).toBe(30);
    expect((await admin<{ total: Json }>("GET", "/costs/summary?team=race")).total).toMatchObject({ usd: "0.144", requests: 30 });
  });

  test("what was free, unknown or estimated: each gets the price of its own time, and keeps saying who counted", async () => {
    const unknown = { status: "unknown", priceState: "unknown" } as const;
    const counted = called("kinds", "m-kinds", unknown);
    const said = called("kinds", "m-kinds", { ...unknown, receipt: { ...counted.cost.receipt, basis: "actual" } });
    const cut = called("kinds", "m-kinds", { status: "estimated" });
    await deliver([counted, said, cut]);
    await price("m-kinds", { input: "1", output: "1" }, { effective_to: iso(NOON - 1) });
    expect(await reprice({ team: "kinds" })).toMatchObject({ examined: 3, repriced: 0, skipped: { no_price: 3 } });
    await price("m-kinds", { input: "1", output: "1" });
    const { data } = await reprice({ team: "kinds" });
    const states = await Promise.all(data.map(({ id }) => admin("GET", `/costs/records/${String(id)}`)));
    expect(new Map(states.map((row) => [row["reprices"], `${String(row["status"])} ${String(row["price_state"])}`]))).toEqual(
      new Map([
        [counted.cost.id, "estimated priced"],
        [said.cost.id, "actual priced"],
      ]),
    );
    await price("m-kinds", {}, { state: "free", effective_from: iso(NOON - 5) });
    expect(await reprice({ team: "kinds" })).toMatchObject({ repriced: 3, after_usd: "0" });
  });

  test("a reservation that was lost, and an answer out of a cache, stay what they were", async () => {
    const lost = called("stay", "m-stay");
    const empty = { ...lost.cost.receipt, lines: [] };
    await deliver([
      { ...lost, cost: { ...lost.cost, actualUsd: "0.9", receipt: empty } },
      called("stay", "m-stay", { cache: "hit", actualUsd: "0", receipt: empty }),
    ]);
    await price("m-stay", { input: "9", output: "9" });
    expect(await reprice({ team: "stay" })).toMatchObject({ examined: 2, repriced: 0, skipped: { no_price: 0, not_by_usage: 2 } });
  });

  test("one call does no more than its limit; its cursor goes on until all is done", async () => {
    await deliver(Array.from({ length: 23 }, () => called("pages", "m-pages")));
    await price("m-pages", { input: "2", output: "2" });
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: Repricing = await reprice({ team: "pages", limit: 5, cursor });
      expect(page.examined).toBeLessThanOrEqual(5);
      seen.push(...page.data.map(({ reprices }) => reprices));
      cursor = page.next_cursor;
    } while (cursor);
    expect([seen.length, new Set(seen).size]).toEqual([23, 23]);
    expect((await admin<{ total: Json }>("GET", "/costs/summary?team=pages")).total).toMatchObject({ usd: "0.0552", requests: 23 });
  });

  test("only what the filter and the range choose", async () => {
    const chosen = called("chosen", "m-chosen");
    await deliver([
      chosen,
      called("chosen", "m-other"),
      { ...called("chosen", "m-chosen"), invocation: { ...chosen.invocation, request: "req_late", at: NOON + HOUR_MS } },
    ]);
    for (const model of ["m-chosen", "m-other"]) await price(model, { input: "2", output: "2" });
    const { data } = await reprice({ team: "chosen", model: "m-chosen" });
    expect(data.map(({ reprices }) => reprices)).toEqual([chosen.cost.id]);
    expect(await reprice({ team: "chosen", "metadata.nobody": "x" })).toMatchObject({ examined: 0 });
  });
});

describe("repricing and the rest", () => {
  let key = { id: "", secret: "" };
  let record: Json = {};

  beforeAll(async () => {
    key = await newKey({ budgets: [{ window: "total", limit_usd: "5" }] });
    const body = { model: "tollgate/echo", max_tokens: 8, messages: [{ role: "user", content: "hello" }] };
    expect((await ask("POST", "/v1/chat/completions", { as: key.secret, body })).status).toBe(200);
    await vi.waitFor(
      async () => {
        const { data } = await admin<Page>("GET", `/costs/records?key=${key.id}`);
        expect(data).toHaveLength(1);
        record = data[0]!;
      },
      { timeout: 20_000, interval: 100 },
    );
  });

  test("a budget is charged at the price that was known when it was spent, and stays so", async () => {
    const spent = async () => ((await admin<{ budgets: Json[] }>("GET", `/keys/${key.id}`)).budgets[0]!["status"] as Json)["spent"];
    const before = await spent();
    expect(before).not.toBe("0");
    await admin("POST", "/prices", {
      provider: "tollgate",
      model: "echo",
      rates: { input: "1000", output: "1000" },
      effective_from: iso(0),
    });
    const at = Date.parse(String(record["at"]));
    const range = { from: iso(at), to: iso(at + 1), key: key.id };
    const { data } = await reprice(range);
    expect(data).toHaveLength(1);
    const usage = record["usage"] as Record<string, number>;
    expect(data[0]!["after_usd"]).toBe(String(((usage["input"]! + usage["output"]!) * 1000) / 1_000_000));
    expect(await spent()).toBe(before);
    // What the gateway itself priced is unchanged at its own price.
    expect(await reprice(range)).toMatchObject({ examined: 1, unchanged: 1 });
  });

  test("leaves an entry that says who repriced what, from what to what, tried or done", async () => {
    await vi.waitFor(
      async () => {
        const { data } = await admin<Page>("GET", "/audit?type=cost.reprice&limit=1000");
        const entries = data.map(({ details }) => details as Json).filter((details) => details["model"] === "m-one");
        expect(entries).toMatchObject([
          { dry_run: false, repriced: 0, unchanged: 1 },
          { dry_run: false, repriced: 1, before_usd: "0.0012", after_usd: "0.0045", from: RANGE.from, to: RANGE.to },
          { dry_run: true, repriced: 1 },
        ]);
        expect(data[0]).toMatchObject({ actor: { kind: "admin_token", id: "bootstrap" } });
      },
      { timeout: 20_000, interval: 100 },
    );
  });

  test("under an Idempotency-Key a repeat gets the first answer", async () => {
    await deliver([called("twice", "m-twice")]);
    await price("m-twice", { input: "2", output: "2" });
    const once = async () => {
      const headers = { "idempotency-key": "reprice-twice" };
      return (await ask("POST", "/admin/v1/costs/reprice", { as: ADMIN, headers, body: { ...RANGE, team: "twice" } })).json();
    };
    const first = await once();
    expect(first).toMatchObject({ repriced: 1 });
    expect(await once()).toEqual(first);
  });

  test("is for whoever may set prices", async () => {
    for (const role of ["key_holder", "analyst", "auditor"]) {
      const { secret } = await newKey({ role });
      expect(await refused(secret, RANGE)).toEqual([403, "permission_denied", null]);
    }
    const { secret } = await newKey({ role: "operator" });
    const answer = await ask("POST", "/admin/v1/costs/reprice", { as: secret, body: { ...RANGE, team: "nobody" } });
    expect([answer.status, await answer.json()]).toMatchObject([200, { examined: 0 }]);
  });

  test.each([
    [{}, "from"],
    [{ from: RANGE.from }, "to"],
    [{ from: RANGE.to, to: RANGE.from }, "to"],
    [{ ...RANGE, limit: 501 }, "limit"],
    [{ ...RANGE, limit: 0 }, "limit"],
    [{ ...RANGE, cursor: "x" }, "cursor"],
    [{ ...RANGE, dryrun: true }, "dryrun"],
    [{ ...RANGE, dry_run: "yes" }, "dry_run"],
    [{ ...RANGE, "metadata.a": 1 }, "metadata.a"],
    [{ ...RANGE, "metadata.": "x" }, "metadata."],
  ])("%j is refused by its field", async (body, param) => {
    expect(await refused(ADMIN, body)).toEqual([400, "invalid_request", param]);
  });
});

test("a repriced record can no more be changed or deleted than the one it reprices", async () => {
  const { data } = await admin<Page>("GET", "/costs/records?team=one");
  for (const { id } of data) {
    await expect(env.DB.prepare("update cost_records set actual_usd = '0' where id = ?").bind(id).run()).rejects.toThrow("append-only");
    await expect(env.DB.prepare("delete from cost_records where id = ?").bind(id).run()).rejects.toThrow("append-only");
  }
});
