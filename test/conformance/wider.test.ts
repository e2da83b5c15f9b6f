import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("wider");

interface Budget {
  readonly id: string;
  readonly scope: { readonly kind: string; readonly id?: string };
  readonly status: { readonly limit: string; readonly spent: string; readonly reserved: string };
}

interface Refused {
  readonly error: { readonly code: string; readonly message: string; readonly details: Readonly<Record<string, unknown>> };
}

async function team(name: string): Promise<string> {
  return (await set.admin.call<{ id: string }>("POST", "/teams", { name })).id;
}

async function keyOf(of: string, fields: Record<string, unknown> = {}): Promise<string> {
  return (await set.admin.key({ team: of, ...fields })).secret;
}

function chat(secret: string, more: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${set.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, max_tokens: 10, messages: [{ role: "user", content: "hi" }], ...more }),
  });
}

async function budget(scope: Budget["scope"], limits: Record<string, unknown>): Promise<Budget> {
  return set.admin.call("POST", "/budgets", { scope, window: "day", ...limits });
}

const standing = async ({ id }: Budget) => (await set.admin.call<Budget>("GET", `/budgets/${id}`)).status;

describe("a budget across teams", () => {
  it("on a tag: what 40 requests at once of two teams may spend is exactly what it has room for", async () => {
    const limited = await budget({ kind: "tag", id: "wide-1" }, { limit_requests: 15 });
    const [one, two] = [await keyOf(await team("a"), { tags: ["wide-1"] }), await keyOf(await team("b"), { tags: ["wide-1"] })];
    const free = await keyOf(await team("c"));
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => chat(at % 2 === 0 ? one : two)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(15);
    const refused = answers.filter(({ status }) => status === 402);
    expect(refused).toHaveLength(25);
    const { error } = (await refused[0]!.json()) as Refused;
    expect(error).toMatchObject({
      code: "budget_exceeded",
      details: { scope: { kind: "tag", id: "wide-1" }, unit: "requests", limit: "15" },
    });
    expect((await chat(free)).status).toBe(200);
    await expect.poll(() => standing(limited), { timeout: 5_000 }).toMatchObject({ spent: "15", reserved: "0" });
    const seen = (await (await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${one}` } })).json()) as {
      budgets: Budget[];
    };
    expect(seen.budgets.map(({ scope }) => scope)).toEqual([{ kind: "tag", id: "wide-1" }]);
  });

  it("on a tag of one request binds it too, and stands in its receipt", async () => {
    const limited = await budget({ kind: "tag", id: "wide-2" }, { limit_usd: "1" });
    const secret = await keyOf(await team("d"));
    const answer = await chat(secret, {}, { "x-tollgate-tags": "wide-2" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-tollgate-budget-scope")).toBe("tag:wide-2");
    const cost = Number(answer.headers.get("x-tollgate-cost"));
    await expect.poll(async () => Number((await standing(limited)).spent), { timeout: 5_000 }).toBe(cost);
    const request = answer.headers.get("x-request-id")!;
    const record = `/costs/records/${request.replace("req_", "cost_")}`;
    await expect
      .poll(async () => set.admin.call<{ receipt: { budgets: object[] } }>("GET", record).catch(() => null), { timeout: 10_000 })
      .toMatchObject({ receipt: { budgets: [{ id: limited.id, charged_nano_usd: Math.round(cost * 1e9) }] } });
  });

  it("on an end user: follows the person across teams, by the body's field and by the header", async () => {
    const limited = await budget({ kind: "end_user", id: "wide-user-1" }, { limit_requests: 2 });
    const [one, two] = [await keyOf(await team("e")), await keyOf(await team("f"))];
    expect((await chat(one, { user: "wide-user-1" })).status).toBe(200);
    expect((await chat(two, {}, { "x-tollgate-user": "wide-user-1" })).status).toBe(200);
    expect((await chat(two, { user: "wide-user-1" })).status).toBe(402);
    expect((await chat(two, { user: "wide-user-2" })).status).toBe(200);
    await expect.poll(() => standing(limited), { timeout: 5_000 }).toMatchObject({ spent: "2", reserved: "0" });
  });

  it("counts a stream that its client cuts, and binds nobody once it is gone", async () => {
    const limited = await budget({ kind: "tag", id: "wide-4" }, { limit_usd: "1000" });
    const secret = await keyOf(await team("g"), { tags: ["wide-4"] });
    const spentBefore = Number((await standing(limited)).spent);
    const cut = new AbortController();
    const answer = await fetch(`${set.origin}/v1/chat/completions`, {
      method: "POST",
      signal: cut.signal,
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "x-scenario": "slow-50" },
      body: JSON.stringify({
        model: `${set.openai}/gpt-4o-mini`,
        max_tokens: 100,
        stream: true,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    await answer.body!.getReader().read();
    cut.abort();
    await expect.poll(async () => Number((await standing(limited)).spent), { timeout: 8_000 }).toBeGreaterThan(spentBefore);
    await set.admin.call("DELETE", `/budgets/${limited.id}`);
    expect((await chat(secret)).status).toBe(200);
  });

  it("is told by an estimate before the request is sent", async () => {
    await budget({ kind: "tag", id: "wide-3" }, { limit_requests: 0 });
    const secret = await keyOf(await team("h"), { tags: ["wide-3"] });
    const answer = await fetch(`${set.origin}/v1/estimate`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({
        operation: "chat.completions",
        request: { model: `${set.openai}/gpt-4o-mini`, messages: [{ role: "user", content: "hi" }] },
      }),
    });
    expect(await answer.json()).toMatchObject({ allowed: false, blocked_by: { details: { scope: { kind: "tag", id: "wide-3" } } } });
  });

  it("D11: tells once of each threshold that it comes to", async () => {
    const limited = await budget({ kind: "tag", id: "wide-5" }, { limit_requests: 2 });
    const secret = await keyOf(await team("i"), { tags: ["wide-5"] });
    for (const at of [1, 2]) expect([at, (await chat(secret)).status]).toEqual([at, 200]);
    const told = async () => {
      const { data } = await set.admin.call<{ data: { type: string; data: { threshold?: number } }[] }>(
        "GET",
        `/alerts?subject=${limited.id}`,
      );
      return data.flatMap(({ type, data: { threshold } }) => (type === "budget.threshold" ? [threshold] : [])).toSorted();
    };
    await expect.poll(told, { timeout: 10_000 }).toEqual([100, 50, 80]);
  });
});
