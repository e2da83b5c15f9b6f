import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("streams");

/** The three streaming surfaces: how each is asked, and how its deltas and in-band errors look. */
const SURFACES = {
  chat: {
    path: "/v1/chat/completions",
    provider: "openai",
    body: { messages: [] },
    delta: /"delta":\{"content":/g,
    error: /^data: \{"error":\{"message":"[^"]+","type":"api_error"/m,
  },
  responses: {
    path: "/v1/responses",
    provider: "openai",
    body: { input: "hi" },
    delta: /"response.output_text.delta","seq/g,
    error: /^event: response.failed\ndata: .*"code":"upstream_error"/m,
  },
  messages: {
    path: "/v1/messages",
    provider: "anthropic",
    body: { max_tokens: 500, messages: [] },
    delta: /"content_block_delta","index"/g,
    error: /^event: error\ndata: \{"type":"error","error":\{"type":"api_error"/m,
  },
} as const;
type Surface = keyof typeof SURFACES;
const NAMES = Object.keys(SURFACES) as Surface[];

function open(
  surface: Surface,
  headers: Record<string, string>,
  more: Record<string, unknown> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const { path, provider, body } = SURFACES[surface];
  const model = `${set[provider]}/${provider === "openai" ? "gpt-4o-mini" : "claude-sonnet-5"}`;
  return fetch(`${set.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model, stream: true, ...body, ...more }),
    ...(signal ? { signal } : {}),
  });
}

const requestId = (answer: Response) => answer.headers.get("x-request-id") ?? "";

async function reserved(): Promise<string> {
  const answer = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${set.key}` } });
  return ((await answer.json()) as { reserved_usd: string }).reserved_usd;
}

describe.each(NAMES)("a %s stream", (surface) => {
  const { delta, error } = SURFACES[surface];

  it("reaches the client while it is being made", async () => {
    const answer = await open(surface, { "x-scenario": "slow-300" });
    const reader = answer.body!.getReader();
    let text = "";
    while (!text.match(delta)) text += new TextDecoder().decode((await reader.read()).value);
    expect(set.upstream.last.produced).toBeLessThan(3);
    await reader.cancel();
  });

  it("cancels the upstream within 500 ms when the client leaves", async () => {
    const answer = await open(surface, { "x-scenario": "slow-50" });
    const reader = answer.body!.getReader();
    await reader.read();
    const { last } = set.upstream;
    const leftAt = performance.now();
    await reader.cancel();
    await expect.poll(() => last.abortedAt, { timeout: 3_000, interval: 10 }).not.toBeNull();
    expect(last.abortedAt! - leftAt).toBeLessThan(500);
  });

  it("threat 22: that the provider cuts ends in an error of its dialect, never in a clean end, and is billed as relayed", async () => {
    const answer = await open(surface, { "x-scenario": "cut-after-3" });
    const text = await answer.text();
    expect(text).toMatch(error);
    expect(text).not.toMatch(/\[DONE\]|message_stop|response\.completed/);
    expect(text.match(delta)).toHaveLength(3);
    const record = await set.admin.record(requestId(answer));
    expect(record).toMatchObject({ status: "estimated", outcome: "truncated" });
    expect(record.usage["output"]).toBe(3);
  });

  it("that was asked to carries its cost in its own final usage, and nothing else changes", async () => {
    const plain = surface === "chat" ? { stream_options: { include_usage: true } } : {};
    const answer = await open(surface, { "x-tollgate-usage": "include" }, plain);
    const text = await answer.text();
    const record = await set.admin.record(requestId(answer));
    expect(text).toContain(`"cost":"${record.actual_usd}","cost_details":{"input":`);
    expect(text.replace(/,"cost":"[^"]*","cost_details":\{[^}]*\}/, "")).toBe(set.upstream.last.sent.toString());
  });
});

describe("timeouts", () => {
  it("of the whole: a stream past x-tollgate-timeout-ms ends in upstream_timeout, in band", async () => {
    const answer = await open("chat", { "x-scenario": "slow-200-x100", "x-tollgate-timeout-ms": "900" });
    expect(await answer.text()).toMatch(/^data: \{"error":\{"message":"The provider took longer[^}]*"code":"upstream_timeout"/m);
  });

  it("of the whole: a JSON answer that takes too long is 504 and lists the attempt", async () => {
    const answer = await open("chat", { "x-scenario": "stall", "x-tollgate-timeout-ms": "700" }, { stream: false });
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      error: { code: "upstream_timeout", details: { attempts: [{ provider: set.openai, status: null }] } },
    });
    expect(answer.headers.get("x-should-retry")).toBe("true");
  });

  it("of the first byte: 504", async () => {
    const answer = await open("messages", { "x-scenario": "stall" });
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([504, "upstream_timeout"]);
  });

  it("of silence: a stream that stands still ends in upstream_timeout, in band", async () => {
    const answer = await open("chat", { "x-scenario": "stall-mid" });
    expect(await answer.text()).toMatch(/^data: \{"error":\{"message":"The provider stopped sending/m);
  });

  it("a provider that hangs up is 502, one that redirects is not followed", async () => {
    for (const scenario of ["hang-up", "redirect"]) {
      const answer = await open("chat", { "x-scenario": scenario }, { stream: false });
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([502, "upstream_error"]);
    }
  });
});

describe("bytes of a stream", () => {
  it("threat 21: split at every offset they reach the client whole, and are billed alike", async () => {
    await (await open("chat", {})).text();
    const { length } = set.upstream.last.sent;
    const expected = set.upstream.last.sent.toString().replace(/data: [^\n]*"choices":\[\][^\n]*\n\n/, "");
    const offsets = Array.from({ length: length + 1 }, (_, at) => at);
    const lane = async () => {
      for (let at = offsets.pop(); at !== undefined; at = offsets.pop()) {
        expect(await (await open("chat", { "x-scenario": `split-${at}`, "x-tollgate-session-id": "split" })).text()).toBe(expected);
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    const { data } = await set.admin.call<{ data: { usage: { output: number }; status: string; key: string }[] }>(
      "GET",
      `/costs/records?limit=1000&key=${set.keyId}&session=split`,
    );
    const billed = new Set(data.filter(({ status }) => status === "actual").map(({ usage }) => usage.output));
    expect([...billed]).toEqual([10]);
  }, 60_000);
});

describe("streams that clients cut", () => {
  it("200 of them bill at least what was relayed and at most what was made, and leave nothing reserved", async () => {
    const cases = Array.from({ length: 200 }, (_, at) => at);
    const found: { relayed: number; request: string; at: number }[] = [];
    const lane = async () => {
      for (let at = cases.pop(); at !== undefined; at = cases.pop()) found.push(await cut(at));
    };
    await Promise.all(Array.from({ length: 20 }, lane));
    await expect.poll(reserved, { timeout: 2_000, interval: 100 }).toBe("0");
    for (const { relayed, request, at } of found) {
      const record = await set.admin.record(request);
      const seen = set.upstream.seen.find(({ headers }) => headers["x-case"] === String(at));
      expect(record).toMatchObject({ status: "estimated", outcome: "cancelled" });
      expect(record.usage["output"]).toBeGreaterThanOrEqual(relayed);
      expect(record.usage["output"]).toBeLessThanOrEqual(seen!.produced);
    }
  }, 60_000);

  /** Reads some of a stream and leaves. */
  async function cut(at: number): Promise<{ relayed: number; request: string; at: number }> {
    const surface = NAMES[at % 2 === 0 ? 0 : 2]!;
    const aborter = new AbortController();
    const answer = await open(surface, { "x-scenario": "slow-5-x400", "x-case": String(at) }, {}, aborter.signal);
    const wanted = 1 + ((at * 37) % 60);
    const reader = answer.body!.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while ((text.match(SURFACES[surface].delta) ?? []).length < wanted)
      text += decoder.decode((await reader.read()).value, { stream: true });
    aborter.abort();
    await reader.cancel().catch(() => undefined);
    return { relayed: (text.match(SURFACES[surface].delta) ?? []).length, request: requestId(answer), at };
  }
});
