import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("explain");
const chat = { max_tokens: 20, messages: [{ role: "user", content: "A word that is nobody's business: saffron" }] };

async function asked(model: string, secret = set.key, headers: Record<string, string> = {}) {
  const answer = await fetch(`${set.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model, ...chat }),
  });
  await answer.text();
  return { status: answer.status, id: answer.headers.get("x-request-id")! };
}

async function explain(id: string, secret = set.key) {
  const answer = await fetch(`${set.origin}/v1/requests/${id}/explain`, { headers: { authorization: `Bearer ${secret}` } });
  return { status: answer.status, text: await answer.text() };
}

/** What is told once the record has arrived. */
async function explained(
  id: string,
  secret = set.key,
): Promise<Record<string, unknown> & { not_recorded: { what: string; why: string }[] }> {
  await expect.poll(async () => (await explain(id, secret)).status, { timeout: 10_000, interval: 100 }).toBe(200);
  return JSON.parse((await explain(id, secret)).text) as never;
}

describe("GET /v1/requests/{id}/explain", () => {
  it("tells who asked, what it was charged to and by which lines, the attempt and the timings", async () => {
    const { id: key, secret } = await set.admin.key({ name: "explain", budgets: [{ window: "day", limit_usd: "5" }] });
    const model = `${set.openai}/gpt-4o-mini`;
    const { id } = await asked(model, secret, { "x-tollgate-tags": "night", "x-tollgate-session-id": "s-1" });
    const record = await set.admin.record(id);
    const told = await explained(id, secret);
    expect(told).toMatchObject({
      object: "request_explanation",
      id,
      outcome: { status: 200, outcome: "ok", code: null, refusal: null },
      authentication: { key, team: "team_default", user: null },
      request: { operation: "chat.completions", model, stream: false, session: "s-1", tags: ["night"] },
      limits: { refused_by: null, budgets: [{ charged_nano_usd: record["nano_usd"] }] },
      policies: [],
      cache: "bypass",
      routing: { chosen_by: "caller", auto: null, provider: set.openai, model: "gpt-4o-mini" },
      attempts: [{ provider: set.openai, model: "gpt-4o-mini", status: 200 }],
      cost: { status: "actual", actual_usd: record.actual_usd, repriced: false, receipt: { total_usd: record.actual_usd } },
      timings: { latency_ms: expect.any(Number), first_byte_ms: expect.any(Number), overhead_ms: expect.any(Number) },
    });
    const missing = told.not_recorded.map(({ what }) => what);
    expect(missing).toEqual(["authentication.credential", "limits.pace", "routing.candidates", "request.content"]);
    expect(JSON.stringify(told)).not.toContain("saffron");
  });

  it("tells the budget that refused a request, and that nothing was paid", async () => {
    const { secret } = await set.admin.key({ name: "explain-poor", budgets: [{ window: "day", limit_usd: "0" }] });
    const { status, id } = await asked("tollgate/echo", secret);
    expect(status).toBe(402);
    const told = await explained(id, secret);
    expect(told).toMatchObject({
      outcome: {
        status: 402,
        outcome: "denied",
        code: "budget_exceeded",
        refusal: { message: expect.stringContaining("has too little left") },
      },
      limits: { refused_by: { window: "day", limit: "0", spent: "0" }, budgets: [], reserved_usd: null },
      routing: { provider: null, model: null },
      attempts: [],
      cost: null,
    });
    expect(told.not_recorded.map(({ what }) => what)).toContain("cost");
  });

  it("tells what a policy in force said, and nothing of a shadow", async () => {
    const { id: key, secret } = await set.admin.key({ name: "explain-policed" });
    for (const [name, mode] of [
      ["explain-open", "shadow"],
      ["explain-denies", "enforce"],
    ] as const) {
      const source = `export default { name: "${name}", version: "1.0.0", needs: [], evaluate() { return { allowed: false, reason: "not at night" }; } };`;
      const { id } = await set.admin.call<{ id: string }>("POST", "/policies", { name, version: "1.0.0", source, signature: null });
      await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: key }, mode });
    }
    await expect.poll(async () => (await asked("tollgate/echo", secret)).status, { timeout: 5_000, interval: 100 }).toBe(403);
    const { id } = await asked("tollgate/echo", secret);
    const told = await explained(id, secret);
    expect(told["outcome"]).toMatchObject({ status: 403, code: "policy_denied", refusal: { details: { policy: "explain-denies" } } });
    expect(told["policies"]).toEqual([
      { policy: "explain-denies", version: "1.0.0", mode: "enforce", stage: "evaluate", outcome: "denied", failure: null, reason: "not at night", obligations: [] }, // prettier-ignore
    ]);
  });

  it("A2: tells why the auto-router chose", async () => {
    const { secret } = await set.admin.key({ name: "explain-auto", models: { allow: [`${set.anthropic}/*`], deny: [] } });
    const { id } = await asked("auto", secret);
    const told = await explained(id, secret);
    expect(told["request"]).toMatchObject({ model: "auto" });
    expect(told["routing"]).toMatchObject({
      chosen_by: "auto",
      provider: set.anthropic,
      model: "claude-sonnet-5",
      auto: { rule: "short", tier: "small", model: `${set.anthropic}/claude-sonnet-5` },
    });
  });

  it("threat 6: another key's request looks like one that never was", async () => {
    const { id } = await asked("tollgate/echo");
    await explained(id);
    const other = await set.admin.key({ name: "explain-other" });
    const [theirs, none] = [await explain(id, other.secret), await explain("req_0000000000000000000000000", other.secret)];
    expect([theirs.status, theirs.text]).toEqual([404, none.text]);
  });
});
