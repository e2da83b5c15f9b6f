import { beforeAll, describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("policy-dialects");
const CARD = "4111 1111 1111 1111";
const WORD = 'pass"word';
/** The same card, told plainly by no text of a dialect that keeps arguments as text. */
const ESCAPED = '{"card":"4111 \\u0031111 1111 1111","say":"pass\\"word"}';

const POLICY = `
const hits = (text) => [
  ...(text.match(/\\d{4}(?: \\d{4}){3}/g) ?? []).map((card) => ({ type: "redact", text: card, with: "[card]" })),
  ...(text.includes('pass"word') ? [{ type: "redact", text: 'pass"word', with: "[word]" }] : []),
  ...(text.includes("Hello") ? [{ type: "redact", text: "Hello", with: "[hail]" }] : []),
];
export default {
  name: "policy-dialects", version: "1.0.0", needs: ["messages", "response"],
  config: { type: "object", properties: { target: { type: "string" } } },
  evaluate: ({ messages, config }) => ({
    allowed: true,
    obligations: [
      ...messages.flatMap(({ text }) => hits(text)),
      ...(config.target === undefined ? [] : [{ type: "route", target: config.target }]),
    ],
  }),
  onResponse: ({ response }) => ({ allowed: true, obligations: response.texts.flatMap(({ text }) => hits(text)) }),
  onChunk: ({ response }) => ({ allowed: true, obligations: hits(response.text) }),
};`;

const DIALECTS = ["chat", "responses", "messages"] as const;
type Dialect = (typeof DIALECTS)[number];
const PATHS = { chat: "/v1/chat/completions", responses: "/v1/responses", messages: "/v1/messages" } as const;

/** Models of providers that speak one dialect each. */
const MODELS = {
  chat: "policy-dialects-chat/gpt-4o-mini",
  responses: "policy-dialects-responses/gpt-4o-mini",
  messages: `${set.anthropic}/claude-sonnet-5`,
} as const;

const parameters = { type: "object", properties: {} };
/** A conversation in which a card stands in the prompt, and card and word in a tool's arguments. */
const BODIES: Readonly<Record<Dialect, object>> = {
  chat: {
    tools: [{ type: "function", function: { name: "pay", parameters } }],
    messages: [
      { role: "user", content: `pay with ${CARD}` },
      { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "pay", arguments: ESCAPED } }] },
      { role: "tool", tool_call_id: "call_1", content: "paid" },
    ],
  },
  responses: {
    tools: [{ type: "function", name: "pay", parameters }],
    store: false,
    input: [
      { role: "user", content: [{ type: "input_text", text: `pay with ${CARD}` }] },
      { type: "function_call", call_id: "call_1", name: "pay", arguments: ESCAPED },
      { type: "function_call_output", call_id: "call_1", output: "paid" },
    ],
  },
  messages: {
    max_tokens: 400,
    tools: [{ name: "pay", input_schema: parameters }],
    messages: [
      { role: "user", content: `pay with ${CARD}` },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "pay", input: { card: CARD, say: WORD } }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "paid" }] },
    ],
  },
};

let policy = "";
beforeAll(async () => {
  const base_url = `${set.upstream.origin}/v1`;
  for (const api of ["chat", "responses"] as const) {
    const name = `policy-dialects-${api}`;
    await set.admin.call("POST", "/providers", { name, kind: "openai", base_url, api_key: "sk-of-a-test", apis: [api] });
    await set.admin.call("POST", "/prices", { provider: name, model: "gpt-4o-mini", rates: { input: "1", output: "2" }, source: "test" });
  }
  const made = { name: "policy-dialects", version: "1.0.0", source: POLICY, signature: null };
  policy = (await set.admin.call<{ id: string }>("POST", "/policies", made)).id;
});

/** A key that the policy stands for. */
async function keyUnder(config: object): Promise<string> {
  const { id, secret } = await set.admin.key();
  await set.admin.call("PUT", `/policies/${policy}/activation`, { scope: { kind: "key", id }, mode: "enforce", config });
  return secret;
}

const post = (secret: string, dialect: Dialect, body: object) =>
  fetch(`${set.origin}${PATHS[dialect]}`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** Every string of a body, as a provider reads it. */
function leaves(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [];
}

const pairs = DIALECTS.flatMap((from) => DIALECTS.map((to) => [from, to] as const));
/** A model that is asked for in another dialect than its caller speaks, before the policy sends the request elsewhere. */
const other = { chat: MODELS.messages, responses: MODELS.chat, messages: MODELS.responses } as const;

describe("threat 36: what a policy redacts is redacted in whatever dialect it is sent", () => {
  it.each(pairs)("from %s to a provider of %s: asked for, or routed there out of one's own dialect or another", async (from, to) => {
    const asked = await keyUnder({});
    const routed = await keyUnder({ target: MODELS[to] });
    const ways = [
      [asked, MODELS[to]],
      [routed, "tollgate/echo"],
      [routed, other[from]],
    ] as const;
    for (const [secret, model] of ways) {
      const answer = await post(secret, from, { model, ...BODIES[from] });
      expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
      expect(set.upstream.last.path).toBe(PATHS[to]);
      const sent = leaves(JSON.parse(set.upstream.last.body.toString("utf8")));
      expect(sent.filter((text) => text.includes(CARD) || text.includes(WORD))).toEqual([]);
      expect(sent).toContain("pay with [card]");
      // Between the two dialects that keep arguments as text, they are what their caller wrote, escapes and all.
      const plain = from === "messages" || to === "messages";
      const args = sent.filter((text) => /\[word\]|\\u0031/.test(text)).join();
      expect(args).toContain(plain ? "[word]" : "\\u0031");
    }
  });
});

describe("threat 36: what a policy redacts of an answer is redacted in whatever dialect it came", () => {
  it.each(pairs)("to a caller of %s from a provider of %s, JSON and stream", async (from, to) => {
    const secret = await keyUnder({});
    const bodies = { chat: { messages: [{ role: "user", content: "hi" }] }, responses: { input: "hi" }, messages: { max_tokens: 400, messages: [{ role: "user", content: "hi" }] } }; // prettier-ignore
    for (const stream of [false, true]) {
      const answer = await post(secret, from, { model: MODELS[to], ...bodies[from], stream });
      const text = await answer.text();
      expect([answer.status, text.includes("Hello"), text.includes("[hail]")]).toEqual([200, false, true]);
    }
  });
});

describe("a shadow that denies everything", () => {
  const DENIES = `export default {
    name: "policy-dialects-shadow", version: "1.0.0", needs: ["messages", "response", "time", "key"],
    evaluate: () => ({ allowed: false, reason: "no" }), onResponse: () => ({ allowed: false }), onChunk: () => ({ allowed: false }),
  };`;
  /** Headers that differ from one answer to the next, whoever asks. */
  const OWN = /^(date|x-request-id|request-id|x-tollgate-(overhead-ms|upstream-request-id))$/;

  it("D12: changes none of 1,000 answers by a byte, JSON and streams, in three dialects", async () => {
    const plain = await set.admin.key();
    const watched = await set.admin.key();
    const made = { name: "policy-dialects-shadow", version: "1.0.0", source: DENIES, signature: null };
    const { id } = await set.admin.call<{ id: string }>("POST", "/policies", made);
    await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: watched.id }, mode: "shadow" });
    const kinds = DIALECTS.flatMap((dialect) => [false, true].map((stream) => ({ dialect, stream })));
    const told = async (secret: string, { dialect, stream }: (typeof kinds)[number]) => {
      const { tools: _, ...body } = BODIES[dialect] as Record<string, unknown>;
      const answer = await post(secret, dialect, { model: MODELS[dialect], ...body, stream });
      const headers = [...answer.headers].filter(([name]) => !OWN.test(name));
      return JSON.stringify([answer.status, headers, await answer.text()]);
    };
    const expected = await Promise.all(kinds.map((kind) => told(plain.secret, kind)));
    expect(expected.every((text) => text.startsWith("[200"))).toBe(true);
    let changed = 0;
    let at = 0;
    const lane = async () => {
      for (let each = at++; each < 1_000; each = at++) {
        const kind = each % kinds.length;
        if ((await told(watched.secret, kinds[kind]!)) !== expected[kind]) changed++;
      }
    };
    await Promise.all(Array.from({ length: 10 }, lane));
    expect(changed).toBe(0);
    const path = `/policies/decisions?policy=policy-dialects-shadow&key=${watched.id}&limit=1000`;
    const seen = async () => {
      const requests = new Set<string>();
      for (let cursor: string | null = ""; cursor !== null;) {
        const page: { data: { request: string; mode: string; outcome: string }[]; next_cursor: string | null } = await set.admin.call("GET", `${path}${cursor === "" ? "" : `&cursor=${cursor}`}`); // prettier-ignore
        for (const { request, mode, outcome } of page.data) if (mode === "shadow" && outcome === "denied") requests.add(request);
        cursor = page.next_cursor;
      }
      return requests.size;
    };
    await expect.poll(seen, { timeout: 20_000, interval: 500 }).toBe(1_000);
  }, 120_000);
});
