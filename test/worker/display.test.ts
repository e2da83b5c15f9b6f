import { beforeAll, describe, expect, test, vi } from "vitest";
import { inCurrency } from "#core";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, unknown>;
const EURO = { TOLLGATE_DISPLAY_CURRENCY: "EUR", TOLLGATE_DISPLAY_RATE: "0.9213", TOLLGATE_DISPLAY_RATE_DATE: "2026-11-20" };
const CURRENCY = { code: "EUR", rate: "0.9213", date: "2026-11-20" };
const bindings = EURO as unknown as Partial<Env>;
const AT = { currency: "EUR", rate: "0.9213", rate_date: "2026-11-20" };
let key = { id: "", secret: "" };

const euro = (usd: unknown) => inCurrency(String(usd), CURRENCY);
const read = async <Answer>(path: string, as: string) => (await ask("GET", path, { as, bindings })).json<Answer>();

beforeAll(async () => {
  const budgets = [
    { window: "total", limit_usd: "5", mode: "tight" },
    { window: "day", limit_requests: 100 },
  ];
  key = await newKey({ budgets });
  for (let at = 0; at < 3; at++) {
    const body = { model: "tollgate/echo", messages: [{ role: "user", content: "x".repeat(10 * at) }] };
    const answer = await ask("POST", "/v1/chat/completions", { as: key.secret, body, bindings });
    expect(answer.status).toBe(200);
    await answer.text();
  }
  const records = async () => (await admin<{ data: Json[] }>("GET", `/costs/records?key=${key.id}`)).data.length;
  await vi.waitFor(async () => expect(await records()).toBe(3), { timeout: 20_000, interval: 200 });
}, 30_000);

describe("D17: a deployment with a display currency", () => {
  test("shows the sum and every group of a summary in it, with the rate and its day, beside USD", async () => {
    const path = `/admin/v1/costs/summary?key=${key.id}&group_by=model`;
    const { data, total, display } = await read<{ data: Json[]; total: Json; display: Json }>(path, ADMIN);
    expect(Number(total["usd"])).toBeGreaterThan(0);
    expect(display).toEqual({ ...AT, total: euro(total["usd"]) });
    expect(data.map((group) => group["display"])).toEqual(data.map(({ usd }) => euro(usd)));
    const csv = await (await ask("GET", `${path}&format=csv`, { as: ADMIN, bindings })).text();
    expect(csv.split("\r\n")[0]).toMatch(/,display$/);
  });

  test("shows a key what it spent and may spend in it, and leaves requests alone", async () => {
    const status = await read<Json & { budgets: Json[] }>("/v1/key", key.secret);
    expect(status["display"]).toEqual({ ...AT, spent: euro(status["spent_usd"]), reserved: euro(status["reserved_usd"]) });
    const shown = status.budgets.map((budget) => [(budget["status"] as Json)["unit"], budget["display"]]);
    const { limit, spent, reserved, remaining } = status.budgets.find(({ window }) => window === "total")!["status"] as Record<
      string,
      string
    >;
    const inEuro = { ...AT, limit: euro(limit), spent: euro(spent), reserved: euro(reserved), remaining: euro(remaining) };
    expect(Object.fromEntries(shown as [string, unknown][])).toEqual({ usd: inEuro, requests: null });
  });

  test("keeps nothing of it: records are the same as without it", async () => {
    const path = `/admin/v1/costs/records?key=${key.id}`;
    const { data } = await read<{ data: Json[] }>(path, ADMIN);
    expect(data).toHaveLength(3);
    expect(await admin("GET", `/costs/records?key=${key.id}`)).toMatchObject({ data });
    for (const { id } of data)
      expect(JSON.stringify(await read(`/admin/v1/costs/records/${String(id)}`, ADMIN))).not.toMatch(/EUR|0\.9213/);
  });

  test("without one nothing is shown in any", async () => {
    expect(await admin("GET", `/costs/summary?key=${key.id}`)).toMatchObject({ display: null });
    expect(await (await ask("GET", "/v1/key", { as: key.secret })).json()).toMatchObject({ display: null });
  });
});
