import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { FakeUpstream } from "../support/upstream/server.ts";
import { stage } from "./stage.ts";

const set = stage("cache");

interface Surface {
  readonly path: string;
  readonly body: Record<string, unknown>;
}
const surfaces = {
  chat: (): Surface => ({
    path: "/v1/chat/completions",
    body: { model: `${set.openai}/gpt-4o-mini`, max_tokens: 20, messages: [{ role: "user", content: "hi" }] },
  }),
  responses: (): Surface => ({ path: "/v1/responses", body: { model: `${set.openai}/gpt-4o-mini`, max_output_tokens: 20, input: "hi" } }),
  messages: (): Surface => ({
    path: "/v1/messages",
    body: { model: `${set.anthropic}/claude-sonnet-5`, max_tokens: 20, messages: [{ role: "user", content: "hi" }] },
  }),
  "messages of another vendor's model": (): Surface => ({
    path: "/v1/messages",
    body: { model: `${set.openai}/gpt-4o-mini`, max_tokens: 20, messages: [{ role: "user", content: "hi" }] },
  }),
  "responses of another vendor's model": (): Surface => ({
    path: "/v1/responses",
    body: { model: `${set.anthropic}/claude-sonnet-5`, max_output_tokens: 20, input: "hi" },
  }),
};
const NAMES = Object.keys(surfaces) as (keyof typeof surfaces)[];

/** A key with a cache. */
const cached = (fields: Record<string, unknown> = {}) => set.admin.key({ cache: "key", ...fields });

function post(secret: string, { path, body }: Surface, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${set.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

const streamed = ({ path, body }: Surface, more: Record<string, unknown> = {}): Surface => ({
  path,
  body: { ...body, stream: true, ...more },
});
/** What the gateway makes of another vendor's answer has an id of its own each time, by which it can be named again; nothing else differs. */
const unnamed = (text: string) => text.replaceAll(/\b([a-z]+_)[0-9a-f]{32}/g, "$1id");
const outcome = (answer: Response) => answer.headers.get("x-tollgate-cache");
const requestId = (answer: Response) => answer.headers.get("x-request-id") ?? "";
const asked = () => set.upstream.seen.length;

async function spent(secret: string): Promise<{ spent_usd: string; reserved_usd: string; requests: number }> {
  return (await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } })).json() as never;
}

describe("A6: identical requests at once", () => {
  it("of 100 streams one is asked of the provider and charged, and all are the same", async () => {
    const { secret } = await cached({ budgets: [{ window: "day", limit_usd: "100" }] });
    const before = asked();
    const question = streamed(surfaces.chat());
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const answer = await post(secret, question, { "x-scenario": "slow-50-x20" });
        return { answer, text: await answer.text() };
      }),
    );
    expect(asked() - before).toBe(1);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]!.text).toContain("[DONE]");
    const outcomes = answers.map(({ answer }) => outcome(answer));
    expect(outcomes.filter((each) => each === "miss")).toHaveLength(1);
    expect(outcomes.filter((each) => each === "coalesced").length).toBeGreaterThan(90);
    const records = await Promise.all(answers.map(({ answer }) => set.admin.record(requestId(answer))));
    const charged = records.filter(({ actual_usd }) => actual_usd !== "0");
    expect(charged).toHaveLength(1);
    await expect.poll(() => spent(secret)).toMatchObject({ spent_usd: charged[0]!.actual_usd, reserved_usd: "0", requests: 100 });
  });
});

describe.each(NAMES)("an answer that is given again: %s", (name) => {
  it.each([false, true])("is what it was, byte for byte; costs nothing, and is on record as a hit (stream: %s)", async (stream) => {
    const { secret } = await cached({ budgets: [{ window: "day", limit_usd: "100" }] });
    const question = stream ? streamed(surfaces[name]()) : surfaces[name]();
    const first = await post(secret, question);
    const text = unnamed(await first.text());
    const paid = await set.admin.record(requestId(first));
    const before = asked();
    const again = await post(secret, question);
    expect([unnamed(await again.text()), outcome(first), outcome(again), asked() - before]).toEqual([text, "miss", "hit", 0]);
    expect(again.headers.get("content-type")).toBe(first.headers.get("content-type"));
    expect(again.headers.get("x-tollgate-cost-saved")).toBe(paid.actual_usd);
    const record = await set.admin.record(requestId(again));
    expect(record).toMatchObject({ cache: "hit", actual_usd: "0", estimated_usd: "0", status: "actual", outcome: "ok", attempts: 0 });
    expect(record["receipt"]).toMatchObject({ lines: [], total_usd: "0", saved_usd: paid.actual_usd });
    expect(await set.admin.call("GET", `/requests/${requestId(again)}`)).toMatchObject({ http_status: 200, outcome: "ok" });
    expect(await spent(secret)).toMatchObject({ spent_usd: paid.actual_usd, reserved_usd: "0", requests: 2 });
    const summary = await set.admin.call("GET", `/costs/summary?key=${String(paid["key"])}&group_by=model`);
    const sums = { usd: paid.actual_usd, saved_usd: paid.actual_usd, requests: 2 };
    expect(summary).toMatchObject({ data: [sums], total: sums });
  });
});

describe("what is told of a cost", () => {
  it.each([false, true])("in the usage of an answer that is given again is what it costs now (stream: %s)", async (stream) => {
    const { secret } = await cached();
    const question = stream ? streamed(surfaces.messages()) : surfaces.messages();
    const texts: string[] = [];
    for (let at = 0; at < 2; at++) texts.push(await (await post(secret, question, { "x-tollgate-usage": "include" })).text());
    const plain = (text: string) => text.replaceAll(/,"cost":"[^"]*","cost_details":\{[^}]*\}/g, "");
    expect([texts[0]!.includes('"cost":"0.'), texts[1]!.includes('"cost":"0","cost_details":{}')]).toEqual([true, true]);
    expect(plain(texts[1]!)).toBe(plain(texts[0]!));
    expect(await (await post(secret, question)).text()).toBe(plain(texts[0]!));
  });
});

describe("what an answer may be asked for", () => {
  const ask = async (secret: string, wish: string | null, headers: Record<string, string> = {}) => {
    const answer = await post(secret, surfaces.chat(), { ...(wish === null ? {} : { "x-tollgate-cache": wish }), ...headers });
    await answer.text();
    return outcome(answer);
  };

  it("no-store: it is neither kept nor given", async () => {
    const { secret } = await cached();
    const outcomes = [await ask(secret, "no-store"), await ask(secret, null), await ask(secret, "no-store"), await ask(secret, null)];
    expect(outcomes).toEqual(["bypass", "miss", "bypass", "hit"]);
  });

  it("refresh: it is made anew and takes the place of what was kept", async () => {
    const { secret } = await cached();
    const first = await post(secret, streamed(surfaces.chat()), { "x-scenario": "slow-1-x3" });
    await first.text();
    const before = asked();
    const fresh = await post(secret, streamed(surfaces.chat()), { "x-scenario": "slow-1-x3", "x-tollgate-cache": "refresh" });
    await fresh.text();
    const again = await post(secret, streamed(surfaces.chat()), { "x-scenario": "slow-1-x3" });
    await again.text();
    expect([outcome(fresh), outcome(again), asked() - before]).toEqual(["miss", "hit", 1]);
    expect(Number(again.headers.get("age"))).toBeLessThan(5);
  });

  it("ttl: it is kept for so long, and no older one will do", async () => {
    const { secret } = await cached();
    expect([await ask(secret, "ttl=1"), await ask(secret, null)]).toEqual(["miss", "hit"]);
    await expect.poll(() => ask(secret, null), { timeout: 5_000, interval: 300 }).toBe("miss");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect([await ask(secret, "ttl=60"), await ask(secret, "ttl=1")]).toEqual(["hit", "miss"]);
  });

  it.each(["ttl=0", "ttl=86401", "ttl=1.5", "ttl=", "refresh,ttl=5", "yes"])("%s is refused by the header's name", async (wish) => {
    const { secret } = await cached();
    for (const surface of [surfaces.chat(), surfaces.messages()]) {
      const answer = await post(secret, surface, { "x-tollgate-cache": wish });
      const { error } = (await answer.json()) as { error: { message: string; param?: string } };
      expect([answer.status, error.message]).toEqual([400, "The header x-tollgate-cache must be no-store, refresh or ttl= with 1 to 86400 seconds"]); // prettier-ignore
    }
  });
});

describe("what is never given again", () => {
  it.each(["error-500", "error-429", "error-400"])("an error: %s", async (scenario) => {
    const { secret } = await cached();
    for (let at = 0; at < 2; at++) {
      const answer = await post(secret, surfaces.chat(), { "x-scenario": scenario });
      await answer.text();
      expect([answer.status, outcome(answer)]).toEqual([Number(scenario.slice(6)), "miss"]);
    }
  });

  it.each(["cut-after-3", "error-mid"])("a stream that did not come to its end: %s", async (scenario) => {
    const { secret } = await cached();
    const texts: string[] = [];
    for (let at = 0; at < 2; at++) {
      const answer = await post(secret, streamed(surfaces.chat()), { "x-scenario": scenario });
      texts.push(await answer.text());
      expect(outcome(answer)).toBe("miss");
    }
    expect(texts.every((text) => text.includes('"error"') && !text.includes("[DONE]"))).toBe(true);
  });

  it("an answer that costs a request no budget has left: an exhausted budget refuses before the cache is asked", async () => {
    const { secret } = await cached({ budgets: [{ window: "day", limit_requests: 2 }] });
    const outcomes: unknown[] = [];
    for (let at = 0; at < 3; at++) {
      const answer = await post(secret, surfaces.chat());
      await answer.text();
      outcomes.push(answer.status === 200 ? outcome(answer) : answer.status);
    }
    expect(outcomes).toEqual(["miss", "hit", 402]);
  });

  it("one that was dropped: by key and by team, and by nobody else's purge", async () => {
    const team = (await set.admin.call<{ id: string }>("POST", "/teams", { name: "cache" })).id;
    const own = await cached({ team });
    const [one, two] = [await cached({ team, cache: "team" }), await cached({ team, cache: "team" })];
    const ask = async ({ secret }: { secret: string }) => {
      const answer = await post(secret, surfaces.chat());
      await answer.text();
      return outcome(answer);
    };
    expect([await ask(own), await ask(one), await ask(two)]).toEqual(["miss", "miss", "hit"]);
    expect(await set.admin.call("DELETE", `/cache?key=${own.id}`)).toMatchObject({ scope: { kind: "key", id: own.id }, answers: 1 });
    expect([await ask(own), await ask(one)]).toEqual(["miss", "hit"]);
    expect(await set.admin.call("DELETE", `/cache?team=${team}`)).toMatchObject({ scope: { kind: "team", id: team }, answers: 1 });
    expect([await ask(own), await ask(two)]).toEqual(["hit", "miss"]);
    await expect
      .poll(() => set.admin.call<{ data: unknown[] }>("GET", `/audit?type=cache.delete&subject=${team}`), { timeout: 10_000 })
      .toMatchObject({ data: [{ subject: { kind: "team", id: team }, outcome: "ok", before: { answers: 1 } }] });
  });
});

describe("an answer by a route", () => {
  it("is its target's, whichever name led there; one that a fallback gave is not kept", async () => {
    const two = await FakeUpstream.start();
    await set.admin.upstream("cache-two", "openai", two.origin, ["gpt-4o-mini"]);
    await set.admin.route("cache-route", [`${set.openai}/gpt-4o-mini`, "cache-two/gpt-4o-mini"]);
    const { secret } = await cached();
    const ask = async (model: string, content: string) => {
      const answer = await post(secret, { path: "/v1/chat/completions", body: { model, messages: [{ role: "user", content }] } });
      await answer.text();
      return [answer.headers.get("x-tollgate-provider"), outcome(answer), answer.headers.get("x-tollgate-attempts")];
    };
    expect(await ask("cache-route", "by route")).toEqual([set.openai, "miss", "1"]);
    expect(await ask(`${set.openai}/gpt-4o-mini`, "by route")).toEqual([set.openai, "hit", "0"]);
    set.upstream.behave = () => "error-500";
    try {
      for (let at = 0; at < 2; at++) expect(await ask("cache-route", "by fallback")).toEqual(["cache-two", "miss", "2"]);
      expect(await ask("cache-route", "by route")).toEqual([set.openai, "hit", "0"]);
    } finally {
      set.upstream.behave = null;
      await two.stop();
    }
  });

  it("is not kept where an attempt before it left less money for the same target: that was another question", async () => {
    await set.admin.route("cache-retried", [`${set.anthropic}/claude-sonnet-5`], { retries: 1, backoff_ms: 1 });
    const { secret } = await cached();
    const from = asked();
    set.upstream.behave = () => (asked() === from + 1 ? "error-first" : "");
    try {
      const messages = [{ role: "user", content: "x".repeat(6_000) }];
      const question = { path: "/v1/messages", body: { model: "cache-retried", max_tokens: 50_000, stream: true, messages } };
      const outcomes: unknown[] = [];
      for (let at = 0; at < 3; at++) {
        const answer = await post(secret, question, { "x-tollgate-max-cost": "0.02" });
        await answer.text();
        outcomes.push([outcome(answer), answer.headers.get("x-tollgate-attempts")]);
      }
      expect(outcomes).toEqual([["miss", "2"], ["miss", "1"], ["hit", "0"]]); // prettier-ignore
      const caps = set.upstream.seen.slice(from).map(({ body }) => Number(/"max_tokens":(\d+)/.exec(body.toString())![1]));
      expect([caps[1]! < caps[0]!, caps[2]]).toEqual([true, caps[0]]);
    } finally {
      set.upstream.behave = null;
    }
  });
});

describe("a response that its provider keeps", () => {
  it("is named to the credential that it was made with, however often it was given again, and to whichever key", async () => {
    await set.admin.upstream("cache-accounts", "openai", set.upstream.origin, ["gpt-4o-mini"]);
    const { data } = await set.admin.call<{ data: { id: string; name: string }[] }>("GET", "/providers?limit=100");
    const { id: provider } = data.find(({ name }) => name === "cache-accounts")!;
    await set.admin.call("POST", `/providers/${provider}/credentials`, { label: "second", api_key: "sk-the-second-credential" });
    const { id: team } = await set.admin.call<{ id: string }>("POST", "/teams", { name: "cache-accounts" });
    const [one, two] = [await cached({ team, cache: "team" }), await cached({ team, cache: "team" })];
    const isSecond = (headers: Record<string, unknown>) => headers["authorization"] === "Bearer sk-the-second-credential";
    set.upstream.behave = ({ headers }) => (isSecond(headers) ? "" : "error-429");
    try {
      const question = { path: "/v1/responses", body: { model: "cache-accounts/gpt-4o-mini", input: "accounts" } };
      for (const [{ secret }, how] of [
        [one, "miss"],
        [one, "hit"],
        [two, "hit"],
      ] as const) {
        // prettier-ignore
        const answer = await post(secret, question);
        const { id } = (await answer.json()) as { id: string };
        const named = await fetch(`${set.origin}/v1/responses/${id}`, { headers: { authorization: `Bearer ${secret}` } });
        expect([outcome(answer), named.status, ((await named.json()) as { id: string }).id]).toEqual([how, 200, id]);
      }
    } finally {
      set.upstream.behave = null;
    }
  });
});

describe("those who wait for another's answer", () => {
  const SLOW = { "x-scenario": "slow-100-x20" };

  it("hear it while it is being made", async () => {
    const { secret } = await cached();
    const leader = post(secret, streamed(surfaces.chat()), SLOW).then((answer) => answer.text());
    await expect.poll(() => set.upstream.last.produced).toBeGreaterThan(2);
    const follower = await post(secret, streamed(surfaces.chat()), SLOW);
    const reader = follower.body!.getReader();
    await reader.read();
    expect([outcome(follower), set.upstream.last.produced < 15]).toEqual(["coalesced", true]);
    await reader.cancel();
    expect(await leader).toContain("[DONE]");
  });

  it("are given all of it though the client that it was made for leaves: one call, paid once, kept", async () => {
    const { secret } = await cached();
    const before = asked();
    const left = new AbortController();
    const leader = await post(secret, streamed(surfaces.chat()), SLOW, left.signal);
    await leader.body!.getReader().read();
    const follower = await post(secret, streamed(surfaces.chat()), SLOW);
    left.abort();
    const text = await follower.text();
    expect([text.match(/"content":"word "/g)?.length, text.includes("[DONE]"), outcome(follower)]).toEqual([20, true, "coalesced"]);
    const again = await post(secret, streamed(surfaces.chat()), SLOW);
    expect([await again.text(), outcome(again), asked() - before]).toEqual([text, "hit", 1]);
    const paid = await set.admin.record(requestId(leader));
    expect(paid).toMatchObject({ outcome: "cancelled", status: "actual", cache: "miss" });
    expect(Number(paid.actual_usd)).toBeGreaterThan(0);
    const record = await set.admin.record(requestId(follower));
    expect(record).toMatchObject({ outcome: "ok", cache: "coalesced", actual_usd: "0", receipt: { saved_usd: paid.actual_usd } });
  });

  it("are nobody: then the call ends with its client, and nothing is kept", async () => {
    const { secret } = await cached();
    const left = new AbortController();
    const leader = await post(secret, streamed(surfaces.chat()), SLOW, left.signal);
    await leader.body!.getReader().read();
    const { last } = set.upstream;
    left.abort();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 20 }).not.toBeNull();
    const again = await post(secret, streamed(surfaces.chat()), SLOW);
    expect(outcome(again)).toBe("miss");
    await again.body!.cancel();
  });

  it("make their own where it comes to nothing before its first byte, and are told the truth where it breaks off after", async () => {
    const { secret } = await cached();
    for (const [scenario, status] of [
      ["hang-up", 502],
      ["error-500", 500],
      ["cut-after-3", 200],
    ] as const) {
      const answers = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const answer = await post(secret, streamed(surfaces.chat()), { "x-scenario": scenario });
          return { status: answer.status, text: await answer.text() };
        }),
      );
      expect(answers.map((each) => each.status)).toEqual(Array.from({ length: 6 }, () => status));
      expect(answers.every(({ text }) => text.includes('"error"') && !text.includes("[DONE]"))).toBe(true);
    }
    await expect.poll(() => spent(secret)).toMatchObject({ reserved_usd: "0" });
  });

  it("wait no longer than they may: 504, on record, at no cost", async () => {
    const { secret } = await cached();
    const stalled = { ...SLOW, "x-scenario": "slow-3000" };
    const leader = post(secret, surfaces.chat(), stalled).then((answer) => answer.text());
    await new Promise((resolve) => setTimeout(resolve, 300));
    const follower = await post(secret, surfaces.chat(), { ...stalled, "x-tollgate-timeout-ms": "700" });
    expect(follower.status).toBe(504);
    expect(await set.admin.record(requestId(follower))).toMatchObject({
      outcome: "error",
      cache: "coalesced",
      actual_usd: "0",
      attempts: 0,
    });
    await leader;
  });

  it("are given a JSON answer whole: of 20 at once one is asked of the provider", async () => {
    const { secret } = await cached();
    const before = asked();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const answer = await post(secret, surfaces.messages(), { "x-scenario": "slow-300" });
        return { text: await answer.text(), cost: answer.headers.get("x-tollgate-cost") };
      }),
    );
    expect([asked() - before, new Set(answers.map(({ text }) => text)).size]).toEqual([1, 1]);
    expect(answers.filter(({ cost }) => cost !== "0")).toHaveLength(1);
  });
});

describe("official SDKs", () => {
  it("parse what they are given again, JSON and stream", async () => {
    const { secret } = await cached();
    const openai = new OpenAI({ apiKey: secret, baseURL: `${set.origin}/v1` });
    const anthropic = new Anthropic({ apiKey: secret, baseURL: set.origin });
    const chat = { model: `${set.openai}/gpt-4o-mini`, messages: [{ role: "user" as const, content: "sdk" }] };
    const message = { model: `${set.anthropic}/claude-sonnet-5`, max_tokens: 50, messages: [{ role: "user" as const, content: "sdk" }] };
    const ask = async () => ({
      whole: await openai.chat.completions.create(chat).withResponse(),
      streamed: await openai.chat.completions.stream({ ...chat, stream: true }).finalChatCompletion(),
      response: await openai.responses.stream({ model: chat.model, input: "sdk" }).finalResponse(),
      message: await anthropic.messages.create(message).withResponse(),
      streamedMessage: await anthropic.messages.stream(message).finalMessage(),
    });
    const first = await ask();
    const before = asked();
    const again = await ask();
    expect(asked()).toBe(before);
    expect([outcome(again.whole.response), outcome(again.message.response)]).toEqual(["hit", "hit"]);
    expect(again.whole.data).toEqual(first.whole.data);
    expect(again.message.data).toEqual(first.message.data);
    const said = ({ streamed: { choices }, response, streamedMessage }: typeof first) => [choices, response.output_text, response.usage, streamedMessage]; // prettier-ignore
    expect(said(again)).toEqual(said(first));
  });
});
