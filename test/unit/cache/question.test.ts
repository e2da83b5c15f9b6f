import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf, isRepeatable } from "#cache";
import { canonical } from "#wire";
import type { Question } from "../../../src/cache/contract.ts";

const base: Question = {
  scope: { kind: "key", id: "key_1" },
  asked: "chat.completions",
  capability: "chat.completions",
  provider: "openai",
  kind: "openai",
  baseUrl: "https://api.openai.com/v1",
  model: "gpt-5",
  body: '{"model":"gpt-5","messages":[{"role":"user","content":"hi"}]}',
  headers: new Headers({ "openai-beta": "x=1" }),
  search: "",
};
const digest = (more: Partial<Question> = {}) => digestOf({ ...base, ...more });
const NONE: ReadonlySet<string> = new Set();

/** JSON text of a value, with white space strewn between its tokens, and the members of the outermost object in another order. */
function respelt(value: Record<string, unknown>, spaces: readonly string[], turn: number): string {
  let at = 0;
  const space = () => spaces[at++ % spaces.length] ?? "";
  const say = (each: unknown): string => {
    if (Array.isArray(each)) return `[${each.map((item) => space() + say(item) + space()).join(",")}]`;
    if (typeof each !== "object" || each === null) return JSON.stringify(each);
    return `{${Object.entries(each).map(([key, item]) => `${space()}${JSON.stringify(key)}${space()}:${space()}${say(item)}${space()}`).join(",")}}`; // prettier-ignore
  };
  const entries = Object.entries(value);
  const from = entries.length === 0 ? 0 : turn % entries.length;
  return say(Object.fromEntries([...entries.slice(from), ...entries.slice(0, from)]));
}

// Names that look like array indexes are reordered by JavaScript itself; no member of a request is one.
const name = fc.string({ minLength: 1 }).filter((text) => !/^\d+$/.test(text) && text !== "__proto__");
const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(tie("value"), { maxLength: 4 }), fc.dictionary(name, tie("value"), { maxKeys: 4 })), // prettier-ignore
})).value;
const object = fc.dictionary(name, json, { maxKeys: 6 });

describe("threat 24: what tells two questions apart", () => {
  it("is each thing that could change an answer, alone", async () => {
    const changes: Partial<Question>[] = [
      {},
      { scope: { kind: "key", id: "key_2" } },
      { scope: { kind: "team", id: "key_1" } },
      { asked: "messages" },
      { capability: "responses" },
      { provider: "other" },
      { kind: "openai-compatible" },
      { baseUrl: "https://elsewhere.test/v1" },
      { model: "gpt-5-mini" },
      { search: "?beta=true" },
      { headers: new Headers() },
      { headers: new Headers({ "openai-beta": "x=2" }) },
      { headers: new Headers({ "openai-beta": "x=1", "anthropic-beta": "y" }) },
      { headers: new Headers({ "openai-beta": "x=1", "x-anything": "a" }) },
      ...["1", "1.0", "1e0", "12345678901234567890", "12345678901234567891", '"1"', "null"].map((seed) => ({
        body: `{"messages":[],"seed":${seed}}`,
      })),
      // What one parser takes for the first and another for the last.
      { body: '{"messages":[],"seed":1,"seed":2}' },
      { body: '{"messages":[],"seed":2,"seed":1}' },
      // In a schema the order of members is the order of the answer's.
      { body: '{"messages":[],"schema":{"a":1,"b":2}}' },
      { body: '{"messages":[],"schema":{"b":2,"a":1}}' },
      { body: '{"messages":[],"text":"a b"}' },
      { body: '{"messages":[],"text":"ab"}' },
      { body: '{"messages":[],"stream":true}' },
    ];
    const digests = await Promise.all(changes.map((change) => digest(change)));
    expect(new Set(digests).size).toBe(changes.length);
    expect(digests.every((each) => /^[0-9a-f]{64}$/.test(each))).toBe(true);
  });

  it("is any difference of two bodies that parse differently", async () => {
    await fc.assert(
      fc.asyncProperty(object, object, async (one, other) => {
        fc.pre(JSON.stringify(sorted(one)) !== JSON.stringify(sorted(other)));
        expect(canonical(JSON.stringify(one), NONE)).not.toBe(canonical(JSON.stringify(other), NONE));
      }),
      { numRuns: 500 },
    );
  });

  it("is not how a body is spelt: white space, and the order of its own members", async () => {
    const spaces = fc.array(fc.constantFrom("", " ", "\n", "\t", "\r\n  "), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(object, spaces, fc.nat(), async (value, strewn, turn) => {
        const spelt = respelt(value, strewn, turn);
        expect(JSON.parse(spelt)).toEqual(value);
        expect(canonical(spelt, NONE)).toBe(canonical(JSON.stringify(value), NONE));
      }),
      { numRuns: 500 },
    );
  });

  it("is not who sends it, with what, or on whose behalf, where the vendor says that the answer is the same", async () => {
    const plain = await digest();
    const body =
      '{"user":"ann","prompt_cache_key":"k","safety_identifier":"s","messages":[{"role":"user","content":"hi"}],"model":"gpt-5"}';
    expect(await digest({ body })).toBe(plain);
    const noise = { "user-agent": "x", "x-stainless-retry-count": "1", traceparent: "00-1", "idempotency-key": "i", accept: "*/*" };
    expect(await digest({ headers: new Headers({ "openai-beta": "x=1", ...noise }) })).toBe(plain);
    // Another's server may make anything of it, and a response repeats it.
    expect(await digest({ body, kind: "openai-compatible" })).not.toBe(await digest({ kind: "openai-compatible" }));
    expect(await digest({ body, capability: "responses" })).not.toBe(await digest({ capability: "responses" }));
  });

  it("threat 18: takes no more memory than its text for a body of more members than any request has", () => {
    const text = `{${Array.from({ length: 200_000 }, (_, at) => `"k${at}": ${at}`).join(", ")}}`;
    expect(canonical(text, new Set(["k1"]))).toBe(text.replaceAll(" ", ""));
  });
});

describe("a request that is not given an answer again", () => {
  it("is one by which a provider goes on with what it keeps, or acts", () => {
    expect(isRepeatable("responses", { input: "hi", tools: [{ type: "web_search" }, { type: "function", name: "f" }] })).toBe(true);
    expect(isRepeatable("messages", { messages: [], container: null, tools: null })).toBe(true);
    expect(isRepeatable("responses", { input: "hi", conversation: "conv_1" })).toBe(false);
    expect(isRepeatable("responses", { input: "hi", tools: [{ type: "mcp", server_label: "mail" }] })).toBe(false);
    expect(isRepeatable("messages", { messages: [], mcp_servers: [{ type: "url" }] })).toBe(false);
    expect(isRepeatable("messages", { messages: [], container: "container_1" })).toBe(false);
    expect(isRepeatable("count_tokens", { messages: [] })).toBe(false);
  });
});

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
