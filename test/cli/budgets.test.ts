import { describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { rows, tollgate } from "./run.ts";

const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
interface Budget {
  readonly id: string;
  readonly status: { readonly spent: string; readonly remaining: string };
}
const made = async (...options: string[]) => (await rows<Budget>(["budgets", "create", ...options]))[0]!;

describe("tollgate budgets", () => {
  it("create limits a key, a user or a team, by dollars, tokens or requests, in any window", async () => {
    const key = (await admin().key({ name: "cli-budgets" })).id;
    const user = (await admin().call<{ id: string }>("POST", "/users", { name: "cli-budgets" })).id;
    const team = (await admin().call<{ id: string }>("POST", "/teams", { name: "cli-budgets" })).id;
    const day = await made("--limit-usd", "5.000000001", "--window", "day", "--key", key);
    expect(day).toMatchObject({
      scope: { kind: "key", id: key },
      limit_usd: "5.000000001",
      window: "day",
      time_zone: "UTC",
      mode: "strict",
    });
    const month = ["--window", "month", "--time-zone", "Europe/Berlin", "--mode", "tight"];
    expect(await made("--limit-tokens", "2000", "--team", team, ...month)).toMatchObject({
      scope: { kind: "team", id: team },
      limit_tokens: 2000,
      time_zone: "Europe/Berlin",
      mode: "tight",
    });
    expect(await made("--limit-requests", "7", "--window", "total", "--user", user)).toMatchObject({
      scope: { kind: "user", id: user },
      limit_requests: 7,
      window: "total",
    });
  });

  it("show tells what requests have spent, to the last digit, and update changes the limit and not that", async () => {
    const { id: key, secret } = await admin().key({ name: "cli-spent" });
    const { id } = await made("--limit-usd", "1", "--window", "total", "--key", key);
    const answer = await fetch(`${inject("origin")}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: '{"model":"tollgate/echo","messages":[{"role":"user","content":"what does this cost?"}]}',
    });
    const cost = answer.headers.get("x-tollgate-cost")!;
    await answer.text();
    expect(Number(cost)).toBeGreaterThan(0);
    const spent = async () => (await tollgate(["budgets", "show", id, "--field", "status.spent"])).out.trim();
    await expect.poll(spent).toBe(cost);
    const [changed] = await rows<Budget>(["budgets", "update", id, "--limit-usd", "2.5"]);
    expect(changed).toMatchObject({ limit_usd: "2.5", status: { limit: "2.5", spent: cost } });
    const { out } = await tollgate(["budgets", "list", "--key", key]);
    const [head, line, ...rest] = out.trimEnd().split("\n");
    expect(head).toMatch(/^ID +OF +WHOM +WINDOW +MODE +UNIT +LIMIT +SPENT +RESERVED +REMAINING +RESETS$/);
    expect(line).toContain(cost);
    expect(rest).toEqual([]);
  });

  it("list shows exactly the API's objects, of all or of one", async () => {
    const { id: key } = await admin().key({ name: "cli-listed" });
    const { id } = await made("--limit-usd", "5", "--window", "day", "--key", key);
    const { data } = await admin().call<{ data: unknown[] }>("GET", `/budgets?scope_kind=key&scope_id=${key}`);
    expect(data).toHaveLength(1);
    expect(await rows(["budgets", "list", "--key", key])).toEqual(data);
    expect((await rows<Budget>(["budgets", "list", "--team", "team_default"])).map((budget) => budget.id)).toContain(id);
  });

  it("delete wants to be meant, and then the budget is gone", async () => {
    const { id: key } = await admin().key({ name: "cli-delete" });
    const { id } = await made("--limit-usd", "5", "--window", "day", "--key", key);
    expect((await tollgate(["budgets", "delete", id])).code).toBe(2);
    expect(await tollgate(["budgets", "delete", id, "--yes"])).toEqual({ code: 0, out: `${id} is deleted.\n`, err: "" });
    const gone = await tollgate(["budgets", "show", id]);
    expect([gone.code, gone.out]).toEqual([1, ""]);
    expect(gone.err).toMatch(/There is no such budget\.\n +code +not_found \(404\)/);
  });

  it.each([
    [["--limit-usd", "5", "--window", "day"], "--key"],
    [["--limit-usd", "5", "--window", "day", "--key", "k", "--user", "u"], "--user"],
    [["--window", "day", "--key", "k"], "--limit-usd"],
    [["--limit-usd", "5", "--limit-tokens", "5", "--window", "day", "--key", "k"], "--limit-tokens"],
    [["--limit-usd", "5", "--key", "k"], "--window"],
    [["--limit-usd", "5", "--window", "1d", "--key", "k"], "--window"],
  ])("create %j is a wrong command line, and the message names what is missing or too much", async (options, named) => {
    const { code, out, err } = await tollgate(["budgets", "create", ...options, "--json"]);
    expect([code, out]).toEqual([2, ""]);
    expect(JSON.parse(err)).toMatchObject({ error: { code: "usage", param: named, message: expect.stringContaining(named) } });
  });
});
