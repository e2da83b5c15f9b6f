import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Admin, type Running } from "../support/gateway.ts";
import { startIsolates } from "../support/isolates.ts";
import { FakeUpstream } from "../support/upstream/server.ts";

/** How long a fact of the control plane may be unknown elsewhere. */
const KNOWN_WITHIN_MS = 2_000;
/** A machine that runs other tests beside. */
const SLACK_MS = 1_500;

const state = mkdtempSync(join(tmpdir(), "tollgate-isolates-"));
let one: Running;
let other: Running;
let admin: Admin;
let upstream: FakeUpstream;
let stop: () => Promise<void>;

beforeAll(async () => {
  const started = await startIsolates(state);
  [one, other] = started.isolates as [Running, Running];
  ({ stop } = started);
  admin = new Admin(one);
  upstream = await FakeUpstream.start();
  await admin.upstream("acme", "openai", upstream.origin, ["gpt-4o-mini"]);
}, 60_000);

afterAll(async () => {
  await stop();
  await upstream.stop();
  rmSync(state, { recursive: true, force: true });
});

const chat = (where: Running, secret: string, model = "acme/gpt-4o-mini") =>
  fetch(`${where.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 16, messages: [{ role: "user", content: "hello" }] }),
  });

async function costOf(where: Running, secret: string): Promise<string | null> {
  const answer = await chat(where, secret);
  await answer.text();
  expect(answer.status).toBe(200);
  return answer.headers.get("x-tollgate-cost");
}

/** An upstream that takes its time, and knows how many requests it had at once. */
async function startSlow(): Promise<{ readonly origin: string; most(): number; stop(): void }> {
  let live = 0;
  let most = 0;
  const message = { role: "assistant", content: "hello" };
  const usage = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 };
  const body = JSON.stringify({ id: "c", object: "chat.completion", model: "gpt-4o-mini", choices: [{ index: 0, message }], usage });
  const server = createServer((request, response) => {
    most = Math.max(most, ++live);
    request.resume();
    setTimeout(() => {
      live--;
      response.setHeader("content-type", "application/json").end(body);
    }, 40);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, most: () => most, stop: () => void server.close() };
}

/** An amount of USD as a whole number of its smallest part. */
function femto(usd: string | null): bigint {
  const [whole = "0", part = ""] = (usd ?? "").split(".");
  return BigInt(whole + part.padEnd(15, "0"));
}

describe("two isolates of one deployment", () => {
  it("an override that was made through one prices the other's requests within sixty seconds, in truth within seconds", async () => {
    const { secret } = await admin.key();
    const before = await costOf(other, secret);
    expect(await costOf(one, secret)).toBe(before);
    await admin.call("POST", "/prices", {
      provider: "acme",
      model: "gpt-4o-mini",
      rates: { input: "10", output: "20", web_search: "0.01" },
      effective_from: new Date().toISOString(),
      source: "a price list of today",
    });
    const made = performance.now();
    const after = 10n * femto(before);
    expect(femto(await costOf(one, secret))).toBe(after);
    await expect.poll(async () => femto(await costOf(other, secret)), { timeout: 60_000, interval: 250 }).toBe(after);
    expect(performance.now() - made).toBeLessThan(KNOWN_WITHIN_MS + SLACK_MS);
  });

  it("threat 10: a key that was disabled through one is refused by the other within two seconds, though it admits from memory", async () => {
    const { id, secret } = await admin.key({ limits: { rpm: 10_000, tpm: null, concurrency: 50 } });
    await costOf(other, secret);
    await costOf(other, secret);
    await admin.call("POST", `/keys/${id}/disable`, {});
    const disabled = performance.now();
    await expect.poll(async () => (await chat(other, secret)).status, { timeout: 10_000, interval: 50 }).toBe(401);
    expect(performance.now() - disabled).toBeLessThan(KNOWN_WITHIN_MS + SLACK_MS);
  });

  it("admit together exactly as many requests a minute as a key may make, from floats and without", async () => {
    const rpm = 120;
    const { secret } = await admin.key({ limits: { rpm, tpm: null, concurrency: null } });
    const statuses: number[] = [];
    const lane = async (where: Running) => {
      for (let at = 0; at < 20; at++) statuses.push((await chat(where, secret, "tollgate/echo")).status);
    };
    await Promise.all(Array.from({ length: 4 }, () => [lane(one), lane(other)]).flat());
    expect(statuses.filter((status) => status === 200)).toHaveLength(rpm);
    expect(statuses.filter((status) => status === 429)).toHaveLength(160 - rpm);
  });

  it("A6: make one call for the same stream asked of both at once, and each gives what the other had made", async () => {
    const { secret } = await admin.key({ cache: "key", limits: { rpm: null, tpm: null, concurrency: null } });
    const ask = async (where: Running) => {
      const answer = await fetch(`${where.origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "x-scenario": "slow-50-x20" },
        body: JSON.stringify({ model: "acme/gpt-4o-mini", stream: true, messages: [{ role: "user", content: "one call" }] }),
      });
      return { text: await answer.text(), outcome: answer.headers.get("x-tollgate-cache") };
    };
    const before = upstream.seen.length;
    const answers = await Promise.all(Array.from({ length: 10 }, () => [ask(one), ask(other)]).flat());
    expect([upstream.seen.length - before, new Set(answers.map(({ text }) => text)).size]).toEqual([1, 1]);
    expect(answers.filter(({ outcome }) => outcome === "miss")).toHaveLength(1);
    for (const where of [one, other]) expect(await ask(where)).toEqual({ text: answers[0]!.text, outcome: "hit" });
    expect(upstream.seen.length - before).toBe(1);
  });

  it("never let a key have more requests in flight than its limit, and let it have nearly all of them", async () => {
    const concurrency = 10;
    const { secret } = await admin.key({ limits: { rpm: null, tpm: null, concurrency } });
    const slow = await startSlow();
    await admin.upstream("slow", "openai", slow.origin, ["gpt-4o-mini"]);
    const lane = async (where: Running) => {
      for (let at = 0; at < 15; at++) await (await chat(where, secret, "slow/gpt-4o-mini")).text();
    };
    await Promise.all(Array.from({ length: 8 }, () => [lane(one), lane(other)]).flat());
    slow.stop();
    expect(slow.most()).toBeLessThanOrEqual(concurrency);
    expect(slow.most()).toBeGreaterThanOrEqual(concurrency - 2);
  });
});
