import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Seen } from "../support/upstream/exchange.ts";
import { FakeUpstream } from "../support/upstream/server.ts";
import { stage } from "./stage.ts";

const set = stage("routes");
const messages = [{ role: "user" as const, content: "hi" }];
const SAID = "Hello there, how may I assist you today?";
const [ONE, TWO, CLAUDE] = ["routes-one", "routes-two", "routes-claude"];
const MODELS = [
  "first",
  "stream",
  "load",
  "limits",
  "wait",
  "sticky",
  "claude",
  "live",
  "overloaded",
  "lost",
  "silent",
  "hurry",
  "cap",
  "deadline",
  "cheap",
];
let two: FakeUpstream;

const client = (apiKey = set.key) => new OpenAI({ apiKey, baseURL: `${set.origin}/v1`, maxRetries: 0 });
const chat = (model: string, headers: Record<string, string> = {}, apiKey = set.key) =>
  client(apiKey).chat.completions.create({ model, messages, max_tokens: 50 }, { headers }).withResponse();
const through = (response: Response) => [response.headers.get("x-tollgate-provider"), response.headers.get("x-tollgate-attempts")];

/** Has each upstream do as it is told about a model; all is well with the others. */
function behave(upstream: FakeUpstream, does: (model: string, seen: Seen) => string): void {
  upstream.behave = (seen) => does(String((JSON.parse(seen.body.toString()) as { model: string }).model), seen);
}

beforeAll(async () => {
  two = await FakeUpstream.start();
  await set.admin.upstream(ONE, "openai", set.upstream.origin, MODELS);
  await set.admin.upstream(TWO, "openai", two.origin, MODELS);
  await set.admin.upstream(CLAUDE, "anthropic", two.origin, MODELS);
}, 60_000);
afterAll(() => two.stop());

describe("a route", () => {
  it("goes to the next target where one fails, and says which answered, after how many attempts", async () => {
    behave(set.upstream, () => "error-500");
    behave(two, () => "");
    await set.admin.route("routes-first", [`${ONE}/first`, `${TWO}/first`]);
    const { data, response } = await chat("routes-first");
    expect(data.choices[0]?.message.content).toBe(SAID);
    expect(through(response)).toEqual([TWO, "2"]);
    const record = await set.admin.record(response.headers.get("x-request-id")!);
    expect(record).toMatchObject({ attempts: 2, outcome: "ok", resource: { provider: TWO, model: "first", requested: "routes-first" } });
    const request = await set.admin.call("GET", `/requests/${response.headers.get("x-request-id")}`);
    expect(request["attempts"]).toMatchObject([
      { provider: ONE, model: "first", status: 500 },
      { provider: TWO, model: "first", status: 200 },
    ]);
  });

  it("falls back on a target of another dialect, for each caller in its own", async () => {
    behave(set.upstream, () => "error-500");
    behave(two, () => "");
    await set.admin.route("routes-claude", [`${ONE}/claude`, `${CLAUDE}/claude`]);
    const { data, response } = await chat("routes-claude");
    expect([data.choices[0]?.message.content, ...through(response)]).toEqual(["Hello! How can I help you today?", CLAUDE, "2"]);
    const anthropic = new Anthropic({ apiKey: set.key, baseURL: set.origin, maxRetries: 0 });
    const stream = anthropic.messages.stream({ model: "routes-claude", max_tokens: 50, messages });
    expect(await stream.finalText()).toBe("Hello! How can I help you today?");
  });

  it("streams every byte from the target that says the first word, the held-back preamble before it", async () => {
    behave(set.upstream, () => "error-first");
    behave(two, () => "");
    await set.admin.route("routes-stream", [`${ONE}/stream`, `${TWO}/stream`]);
    const answer = await fetch(`${set.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "routes-stream", messages, stream: true, stream_options: { include_usage: true } }),
    });
    expect(await answer.text()).toBe(two.last.sent.toString());
  });

  it("an `overloaded_error` behind `message_start` is no content: the next target answers, and what was counted is on record", async () => {
    behave(set.upstream, () => "");
    behave(two, () => "error-first");
    await set.admin.route("routes-overloaded", [`${CLAUDE}/overloaded`, `${ONE}/overloaded`]);
    const anthropic = new Anthropic({ apiKey: set.key, baseURL: set.origin, maxRetries: 0 });
    const stream = anthropic.messages.stream({ model: "routes-overloaded", max_tokens: 50, messages });
    expect(await stream.finalText()).toBe(SAID);
    const request = stream.response!.headers.get("x-request-id")!;
    expect(through(stream.response!)).toEqual([ONE, "2"]);
    expect(await set.admin.record(`${request}_try1`)).toMatchObject({
      resource: { provider: CLAUDE },
      status: "estimated",
      usage: { output: 1 },
    });
  });

  it("holds nothing back of a stream that has begun, and leaves with its client", async () => {
    behave(set.upstream, () => "slow-300");
    await set.admin.route("routes-live", [`${ONE}/live`, `${TWO}/live`]);
    const open = () =>
      fetch(`${set.origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "routes-live", messages, stream: true }),
      });
    const reader = (await open()).body!.getReader();
    const { last } = set.upstream;
    let text = "";
    while (!text.includes("Hello")) text += new TextDecoder().decode((await reader.read()).value);
    expect(last.produced).toBeLessThan(3);
    const leftAt = performance.now();
    await reader.cancel();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 10 }).not.toBeNull();
    expect(last.abortedAt! - leftAt).toBeLessThan(500);
  });

  it("falls back from a stream that says nothing within the route's first byte timeout, and has its provider stop", async () => {
    behave(set.upstream, () => "slow-3000");
    behave(two, () => "");
    await set.admin.route("routes-silent", [`${ONE}/silent`, `${TWO}/silent`], { first_byte_timeout_ms: 400 });
    const begun = performance.now();
    const stream = client().chat.completions.stream({ model: "routes-silent", messages });
    expect(await stream.finalContent()).toBe(SAID);
    expect(performance.now() - begun).toBeLessThan(2_000);
    const { last } = set.upstream;
    await expect.poll(() => last.abortedAt, { timeout: 2_000, interval: 10 }).not.toBeNull();
    expect(last.produced).toBe(0);
  });

  it("a caller's own time limit opens no breaker for the others", async () => {
    behave(set.upstream, () => "stall");
    await set.admin.route("routes-hurry", [`${ONE}/hurry`, `${TWO}/hurry`], { breaker: { calls_min: 1 } });
    const hurried = await chat("routes-hurry", { "x-tollgate-timeout-ms": "100" }).catch((error: unknown) => error);
    expect(hurried).toMatchObject({ status: 504, code: "upstream_timeout" });
    behave(set.upstream, () => "slow-3000");
    const options = { headers: { "x-tollgate-timeout-ms": "200" } };
    const stream = client().chat.completions.stream({ model: "routes-hurry", messages }, options);
    await expect(stream.done()).rejects.toMatchObject({ code: "upstream_timeout" });
    behave(set.upstream, () => "");
    expect(through((await chat("routes-hurry")).response)).toEqual([ONE, "1"]);
  });

  it("waits as long as `retry-after` says before it tries the only target again, and not past its deadline", async () => {
    let failed = 0;
    behave(set.upstream, (model) => (model === "wait" && ++failed === 1 ? "error-429" : ""));
    await set.admin.route("routes-wait", [`${ONE}/wait`], { backoff_ms: 1 });
    const before = performance.now();
    const { response } = await chat("routes-wait");
    expect(through(response)).toEqual([ONE, "2"]);
    expect(performance.now() - before).toBeGreaterThan(1_000);

    behave(set.upstream, (model) => (model === "deadline" ? "error-429" : ""));
    await set.admin.route("routes-deadline", [`${ONE}/deadline`], { retries: 5, backoff_ms: 1, timeout_ms: 500 });
    const begun = performance.now();
    const refused = await chat("routes-deadline").catch((error: unknown) => error as InstanceType<typeof OpenAI.APIError>);
    expect(refused).toMatchObject({ status: 429 });
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  it("keeps a session with one target, and moves it only while that one fails", async () => {
    behave(set.upstream, () => "");
    behave(two, () => "");
    const breaker = { calls_min: 1, open_s: 0.2 };
    await set.admin.route("routes-sticky", [`${ONE}/sticky`, `${TWO}/sticky`], { strategy: "weighted", breaker });
    const where = async (session: string) => through((await chat("routes-sticky", { "x-tollgate-session-id": session })).response)[0]!;
    const sessions = Array.from({ length: 12 }, (_, at) => `s-${at}`);
    const homes = await Promise.all(sessions.map(where));
    expect(new Set(homes)).toEqual(new Set([ONE, TWO]));
    expect(await Promise.all(sessions.map(where))).toEqual(homes);
    behave(set.upstream, () => "error-500");
    expect(new Set(await Promise.all(sessions.map(where)))).toEqual(new Set([TWO]));
    behave(set.upstream, () => "");
    await expect.poll(() => Promise.all(sessions.map(where)), { timeout: 5_000, interval: 250 }).toEqual(homes);
  });
});

/** A route whose first target never begins to answer, and whose second is a hundred times as dear; and a key with a budget. */
async function dearer(name: string, firstByteMs: number): Promise<{ id: string; secret: string }> {
  const dear = { provider: TWO, model: name, rates: { input: "100", output: "200" }, source: "test" };
  await set.admin.call("POST", "/prices", dear);
  await set.admin.route(name, [`${ONE}/cheap`, `${TWO}/${name}`], { first_byte_timeout_ms: firstByteMs, breaker: { calls_min: 1_000 } });
  behave(set.upstream, () => "stall");
  behave(two, () => "");
  return set.admin.key({ budgets: [{ window: "total", limit_usd: "5" }] });
}

describe("threat 40: what a route may not get around", () => {
  it("a target that the key may not call is not in the list", async () => {
    behave(set.upstream, () => "error-500");
    behave(two, () => "");
    await set.admin.route("routes-limits", [`${ONE}/limits`, `${TWO}/limits`]);
    const only = await set.admin.key({ models: { allow: [`${ONE}/*`], deny: [] } });
    const asked = two.seen.length;
    const refused = await chat("routes-limits", {}, only.secret).catch((error: unknown) => error);
    expect([refused, two.seen.length - asked]).toMatchObject([{ status: 500 }, 0]);
    const none = await set.admin.key({ models: { allow: ["tollgate/*"], deny: [] } });
    expect(await chat("routes-limits", {}, none.secret).catch((error: unknown) => error)).toMatchObject({
      status: 403,
      code: "permission_denied",
    });
  });

  it("the hold covers the dearest target, and a budget that does not refuses before anything is sent", async () => {
    await set.admin.call("POST", "/prices", { provider: TWO, model: "cap", rates: { input: "1000", output: "1000" }, source: "dear" });
    await set.admin.route("routes-cap", [`${ONE}/cap`, `${TWO}/cap`]);
    behave(set.upstream, () => "");
    const poor = await set.admin.key({ budgets: [{ window: "total", limit_usd: "0.01" }] });
    const { response } = await chat(`${ONE}/cap`, {}, poor.secret);
    expect(response.status).toBe(200);
    const asked = set.upstream.seen.length;
    const refused = await chat("routes-cap", {}, poor.secret).catch((error: unknown) => error);
    expect([refused, set.upstream.seen.length - asked]).toMatchObject([{ status: 402 }, 0]);
  });

  it("an attempt that may have been billed is held and charged beside the one that answers, or there is no other", async () => {
    behave(set.upstream, () => "stall");
    behave(two, () => "");
    await set.admin.route("routes-lost", [`${ONE}/lost`, `${TWO}/lost`], { first_byte_timeout_ms: 300, breaker: { calls_min: 1000 } });
    const spentOf = async (secret: string) => {
      const key = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
      const { budgets } = (await key.json()) as { budgets: { status: { spent: string; reserved: string } }[] };
      return budgets[0]!.status;
    };
    const rich = await set.admin.key({ budgets: [{ window: "total", limit_usd: "1" }] });
    const { response } = await chat("routes-lost", {}, rich.secret);
    expect(through(response)).toEqual([TWO, "2"]);
    const request = response.headers.get("x-request-id")!;
    const answered = await set.admin.record(request);
    const lost = await set.admin.record(`${request}_try1`);
    expect(lost).toMatchObject({ status: "estimated", resource: { provider: ONE } });
    const sum = Math.round((Number(answered.actual_usd) + Number(lost.actual_usd)) * 1e9) / 1e9;
    await expect.poll(async () => Number((await spentOf(rich.secret)).spent), { timeout: 10_000 }).toBe(sum);
    const charged = [answered, lost].flatMap(({ receipt }) => (receipt as { budgets: { charged_nano_usd: number }[] }).budgets);
    expect(charged.map(({ charged_nano_usd }) => charged_nano_usd / 1e9)).toEqual([Number(answered.actual_usd), Number(lost.actual_usd)]);

    // Room for one reservation, and not for two.
    const poor = await set.admin.key({ budgets: [{ window: "total", limit_usd: String(Number(lost.actual_usd) * 1.5) }] });
    const asked = two.seen.length;
    const refused = await chat("routes-lost", {}, poor.secret).catch((error: unknown) => error);
    expect([refused, two.seen.length - asked]).toMatchObject([{ status: 504, code: "upstream_timeout" }, 0]);
    await expect.poll(async () => (await spentOf(poor.secret)).reserved, { timeout: 10_000 }).toBe("0");
  });

  it("an attempt that is lost is charged what it may have come to, not what was held for a dearer target", async () => {
    const { secret } = await dearer("routes-dear", 300);
    const { response } = await chat("routes-dear", {}, secret);
    expect(through(response)).toEqual([TWO, "2"]);
    const lost = await set.admin.record(`${response.headers.get("x-request-id")!}_try1`);
    // Fifty tokens of output at two dollars for a million, and a prompt of some bytes.
    expect([Number(lost.actual_usd) >= 0.0001, Number(lost.actual_usd) < 0.0005]).toEqual([true, true]);
  });

  it("what was lost stays held beside a request that policies have grow at the next target", async () => {
    const { id, secret } = await dearer("routes-grows", 1_000);
    const source = `export default { name: "grows", version: "1.0.0", needs: ["messages"],
      evaluate: () => ({ allowed: true, obligations: [{ type: "redact", text: "z", with: "${"long ".repeat(25)}" }] }) };`;
    const policy = await set.admin.call<{ id: string }>("POST", "/policies", { name: "grows", version: "1.0.0", source, signature: null });
    await set.admin.call("PUT", `/policies/${policy.id}/activation`, { scope: { kind: "key", id }, mode: "enforce" });
    const policies = async () => (await chat(`${TWO}/stream`, {}, secret)).response.headers.get("x-tollgate-policies");
    await expect.poll(policies, { timeout: 10_000, interval: 200 }).toContain("grows");
    const reserved = async () => {
      const answer = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
      return Number(((await answer.json()) as { reserved_usd: string }).reserved_usd);
    };
    await expect.poll(reserved).toBe(0);
    behave(two, () => "slow-800");
    const messages = [{ role: "user" as const, content: "z".repeat(20) }];
    const running = client(secret).chat.completions.create({ model: "routes-grows", max_tokens: 50, messages }).withResponse();
    await expect.poll(() => two.last.body.toString().includes("long long"), { timeout: 5_000, interval: 20 }).toBe(true);
    const held = await reserved();
    const request = (await running).response.headers.get("x-request-id")!;
    const [answered, lost] = [await set.admin.record(request), await set.admin.record(`${request}_try1`)];
    expect(held).toBeCloseTo(Number(lost.actual_usd) + Number(answered["estimated_usd"]), 9);
    await expect.poll(reserved).toBe(0);
  });

  it("several credentials of a provider: one that is refused or limited gives way to another, and none is ever shown", async () => {
    const provider = await set.admin.call<{ id: string }>("POST", "/providers", {
      name: "routes-keys",
      kind: "openai",
      base_url: `${two.origin}/v1`,
      api_key: "key-that-was-revoked-0001",
    });
    const path = `/providers/${provider.id}/credentials`;
    for (const key of ["key-that-is-limited-0002", "key-that-is-good-0003"])
      await set.admin.call("POST", path, { label: key.slice(-4), api_key: key });
    const listed = JSON.stringify(await set.admin.call("GET", path));
    expect(listed).toContain("0003");
    expect(listed).not.toContain("key-that");
    behave(two, (_, { headers }) =>
      String(headers.authorization).includes("revoked")
        ? "error-401"
        : String(headers.authorization).includes("limited")
          ? "error-429"
          : "",
    );
    for (let at = 0; at < 12; at++) {
      const key = await set.admin.key();
      const { response } = await chat("routes-keys/gpt-4o-mini", {}, key.secret);
      expect(response.status).toBe(200);
      expect(Number(response.headers.get("x-tollgate-attempts"))).toBeLessThanOrEqual(3);
    }
    const used = new Set(two.seen.map(({ headers }) => String(headers.authorization)).filter((each) => each.includes("key-that")));
    expect(used.size).toBe(3);
    await set.admin.call("DELETE", `/providers/${provider.id}`);
  });
});

describe("two upstreams, one of which fails half its calls", () => {
  const BREAKER = { calls_min: 10, failure_percent: 40, window_s: 5, open_s: 0.3 };

  it(
    "threat 40: 1,000 requests see no failure, the breaker opens and closes, and the budget comes to what both report",
    { timeout: 120_000 },
    async () => {
      let calls = 0;
      let well = false;
      behave(set.upstream, (model) => (model === "load" && !well && ++calls % 2 === 1 ? "error-500" : ""));
      behave(two, () => "");
      await set.admin.route("routes-load", [`${ONE}/load`, `${TWO}/load`], { breaker: BREAKER });
      const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd: "50" }] });
      const loads = ({ seen }: FakeUpstream) => seen.filter(({ body }) => body.includes('"load"'));
      const statuses: number[] = [];
      const worker = async (share: number) => {
        for (let at = 0; at < share; at++) statuses.push((await chat("routes-load", {}, secret)).response.status);
      };
      await Promise.all(Array.from({ length: 10 }, () => worker(100)));
      expect(statuses).toEqual(Array.from({ length: 1_000 }, () => 200));

      // Without a breaker every request would have gone to the first target first.
      const times = loads(set.upstream).map(({ at }) => at);
      expect(times.length).toBeLessThan(900);
      const rests = times
        .slice(1)
        .map((at, index) => at - times[index]!)
        .filter((gap) => gap >= BREAKER.open_s * 900);
      expect(rests.length).toBeGreaterThan(0);

      const reported = [set.upstream, two].flatMap(loads).flatMap(({ sent }) => {
        const { usage } = JSON.parse(sent.toString()) as { usage?: { prompt_tokens: number; completion_tokens: number } };
        return usage ? [usage] : [];
      });
      expect(reported).toHaveLength(1_000);
      // USD 1 and 2 for a million tokens: so many thousands of nano-USD for each.
      const nano = reported.reduce(
        (sum, { prompt_tokens, completion_tokens }) => sum + prompt_tokens * 1_000 + completion_tokens * 2_000,
        0,
      );
      const spent = async () => {
        const key = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
        const { budgets } = (await key.json()) as { budgets: { status: { spent: string; reserved: string } }[] };
        return budgets[0]!.status;
      };
      await expect.poll(async () => Number((await spent()).spent), { timeout: 10_000 }).toBe(nano / 1e9);
      expect((await spent()).reserved).toBe("0");

      well = true;
      const closed = async () => through((await chat("routes-load", {}, secret)).response)[0];
      await expect.poll(closed, { timeout: 5_000 }).toBe(ONE);
    },
  );
});
