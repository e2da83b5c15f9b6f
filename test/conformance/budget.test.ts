import { Agent, request } from "node:http";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("budget");

interface Answer {
  readonly status: number;
  readonly body: { readonly error?: Readonly<Record<string, unknown>> };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });

function chat(secret: string, more: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Answer> {
  const { hostname, port } = new URL(set.origin);
  const body = JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, max_tokens: 10, messages: [{ role: "user", content: "hi" }], ...more });
  return new Promise((resolve, reject) => {
    const call = request(
      {
        hostname,
        port,
        agent,
        path: "/v1/chat/completions",
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (text += part));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer["body"] }));
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

interface Status {
  readonly limit: string;
  readonly spent: string;
  readonly reserved: string;
}

async function status(secret: string): Promise<Status> {
  const answer = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
  return ((await answer.json()) as { budgets: { status: Status }[] }).budgets[0]!.status;
}

/** Nano-USD of a decimal text. */
const nano = (usd: string) => Math.round(Number(usd) * 1e9);

describe("a budget", () => {
  it("1,000 at once against room for 400: exactly 400 pass, and the limit is never passed at any sample", async () => {
    // Priced at 1 and 2 USD per million, a request of 19 + 10 tokens costs 39 micro-USD. Its hold is larger while it runs, so room for
    // exactly 400 is counted in requests; USD is watched beside it.
    const { id, secret } = await set.admin.key({ budgets: [{ window: "day", limit_requests: 400 }] });
    await set.admin.call("POST", "/budgets", { scope: { kind: "key", id }, window: "total", limit_usd: "1" });
    let over = 0;
    const sampling = { on: true };
    const sampler = (async () => {
      while (sampling.on) {
        const { spent, reserved, limit } = await status(secret);
        if (Number(spent) + Number(reserved) > Number(limit)) over++;
      }
    })();
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => chat(secret)));
    sampling.on = false;
    await sampler;
    const passed = answers.filter((answer) => answer.status === 200);
    const refused = answers.filter((answer) => answer.status === 402);
    expect([passed.length, refused.length, over]).toEqual([400, 600, 0]);
    for (const { body } of refused) {
      expect(body.error).toMatchObject({
        code: "budget_exceeded",
        details: { scope: { kind: "key", id }, unit: "requests", limit: "400", window: "day" },
      });
      expect(Date.parse(String((body.error!["details"] as { resets_at: string }).resets_at))).toBeGreaterThan(Date.now());
    }
    await expect.poll(async () => (await status(secret)).reserved, { timeout: 2_000 }).toBe("0");
    expect((await status(secret)).spent).toBe("400");
  }, 60_000);

  it("in USD never passes its limit, however many ask at once, and what is left is too little for one more", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd: "0.01" }] });
    let passed = 0;
    for (let round = 0; round < 40; round++) {
      const answers = await Promise.all(Array.from({ length: 40 }, () => chat(secret)));
      const now = answers.filter((answer) => answer.status === 200).length;
      passed += now;
      const { spent, reserved, limit } = await status(secret);
      expect(nano(spent) + nano(reserved)).toBeLessThanOrEqual(nano(limit));
      if (now === 0) break;
    }
    await expect.poll(async () => (await status(secret)).reserved, { timeout: 2_000 }).toBe("0");
    const { spent } = await status(secret);
    expect(nano(spent)).toBe(passed * 39_000);
    expect(nano(spent)).toBeGreaterThan(9_700_000);
    expect((await chat(secret)).status).toBe(402);
  }, 60_000);

  it("binds by team, user and key alike, and names the one that refuses", async () => {
    const team = await set.admin.call<{ id: string }>("POST", "/teams", { name: "bound" });
    const user = await set.admin.call<{ id: string }>("POST", "/users", { name: "someone", team: team.id });
    // A limit of pace keeps the key from floats, out of which it would go on for two seconds under a budget that is new.
    const { id, secret } = await set.admin.key({ team: team.id, user: user.id, limits: { rpm: 600 } });
    for (const [kind, scope] of [
      ["team", team.id],
      ["user", user.id],
      ["key", id],
    ] as const) {
      const budget = await set.admin.call<{ id: string }>("POST", "/budgets", {
        scope: { kind, id: scope },
        window: "hour",
        limit_tokens: 5,
      });
      // A key that had no budget may have been admitted from memory, which it is for two seconds more.
      const refused = async () => {
        const { status: code, body } = await chat(secret);
        return [code, body.error?.["details"]];
      };
      await expect.poll(refused, { timeout: 3_000 }).toMatchObject([402, { scope: { kind, id: scope }, unit: "tokens" }]);
      await set.admin.call("DELETE", `/budgets/${budget.id}`);
      expect((await chat(secret)).status).toBe(200);
    }
  });

  it("that is tight is extended while a stream runs, and ends it in band where it cannot be", async () => {
    const stream = async (limit_usd: string) => {
      const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd, mode: "tight" }] });
      const answer = await fetch(`${set.origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "x-scenario": "slow-1-x2500" },
        body: JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, stream: true, messages: [] }),
      });
      const text = await answer.text();
      return { text, sent: set.upstream.last, secret };
    };
    const enough = await stream("1");
    expect(enough.text).toMatch(/data: \[DONE\]\n\n$/);
    expect(JSON.parse(enough.sent.body.toString())).not.toHaveProperty("max_completion_tokens");
    const short = await stream("0.0015");
    expect(short.text).toMatch(/data: \{"error":\{"message":"The total budget of key [^}]*"code":"budget_exceeded"/);
    expect(short.text).not.toContain("[DONE]");
    expect(short.sent.produced).toBeLessThan(2_500);
    await expect.poll(async () => (await status(short.secret)).reserved, { timeout: 3_000 }).toBe("0");
  }, 40_000);

  it("threat 37: n and huge caps are priced whole before anything is sent, and clamped", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd: "0.05" }] });
    const before = set.upstream.seen.length;
    expect((await chat(secret, { n: 10_000, max_tokens: 1_000 })).status).toBe(402);
    expect(set.upstream.seen.length).toBe(before);
    expect((await chat(secret, { max_tokens: 1_000_000_000 })).status).toBe(200);
    const sent = JSON.parse(set.upstream.last.body.toString()) as { max_tokens: number };
    expect(sent.max_tokens * 2_000).toBeLessThanOrEqual(50_000_000);
  });

  it("threat 38: a model without a price is never free: it is charged at the dearest rate, or refused where the key says so", async () => {
    const { secret } = await set.admin.key();
    const answer = await fetch(`${set.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ model: `${set.openai}/gpt-4o-mini-FINE`, messages: [] }),
    });
    expect([answer.headers.get("x-tollgate-cost-status"), Number(answer.headers.get("x-tollgate-cost")) > 0]).toEqual(["unknown", true]);
    const careful = await set.admin.key({ unknown_price: "refuse" });
    expect((await chat(careful.secret, { model: `${set.openai}/GPT-4O-MINI` })).body.error).toMatchObject({ code: "permission_denied" });
  });

  it("threat 40: every inference route is charged", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_requests: 0 }] });
    const bodies: Record<string, unknown> = {
      "/v1/chat/completions": { model: "tollgate/echo", messages: [] },
      "/v1/responses": { model: "tollgate/echo", input: "x" },
      "/v1/completions": { model: "tollgate/echo", prompt: "x" },
      "/v1/embeddings": { model: "tollgate/echo", input: "x" },
      "/v1/messages": { model: "tollgate/echo", max_tokens: 5, messages: [] },
      "/messages": { model: "tollgate/echo", max_tokens: 5, messages: [] },
      "/v1/messages/count_tokens": { model: "tollgate/echo", messages: [] },
      "/openai/v1/chat/completions": { model: "tollgate/echo", messages: [] },
      "/anthropic/v1/messages": { model: "tollgate/echo", max_tokens: 5, messages: [] },
      "/v1/v1/embeddings": { model: "tollgate/echo", input: "x" },
    };
    for (const [path, body] of Object.entries(bodies)) {
      const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
      const answer = await fetch(`${set.origin}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      expect([path, answer.status]).toEqual([path, 402]);
    }
  });

  it("threat 42: a provider that lies about usage is bounded by our own count", async () => {
    const { secret } = await set.admin.key();
    const answer = await fetch(`${set.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "x-scenario": "lies" },
      body: JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, max_tokens: 50, messages: [] }),
    });
    expect(answer.headers.get("x-tollgate-cost-status")).toBe("estimated");
    expect(Number(answer.headers.get("x-tollgate-cost"))).toBeLessThanOrEqual((50 * 2 + 200) / 1e6);
  });

  it("x-tollgate-max-cost caps one request, and refuses one that cannot fit", async () => {
    const { secret } = await set.admin.key();
    expect((await chat(secret, { max_tokens: 100_000 }, { "x-tollgate-max-cost": "0.002" })).status).toBe(200);
    expect((JSON.parse(set.upstream.last.body.toString()) as { max_tokens: number }).max_tokens).toBeLessThanOrEqual(1_000);
    expect((await chat(secret, {}, { "x-tollgate-max-cost": "0.00001" })).body.error).toMatchObject({
      code: "invalid_request",
      param: "x-tollgate-max-cost",
    });
  });

  it("limits of pace: requests a minute, tokens a minute, and in flight, each told with when to come back", async () => {
    const rpm = await set.admin.key({ limits: { rpm: 3 } });
    const answers = [];
    for (let at = 0; at < 4; at++) answers.push(await chat(rpm.secret));
    expect(answers.map(({ status: code }) => code)).toEqual([200, 200, 200, 429]);
    expect(answers[3]?.body.error).toMatchObject({ code: "rate_limited", details: { limit: "rpm", max: 3, used: 3 } });
    const tpm = await set.admin.key({ limits: { tpm: 10 } });
    expect((await chat(tpm.secret)).body.error).toMatchObject({ details: { limit: "tpm", max: 10 } });
    const flight = await set.admin.key({ limits: { concurrency: 2 } });
    const three = await Promise.all([1, 2, 3].map(() => chat(flight.secret, {}, { "x-scenario": "slow-400" })));
    expect(three.map(({ status: code }) => code).toSorted()).toEqual([200, 200, 429]);
  });
});
