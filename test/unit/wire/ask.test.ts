import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Capability, TollgateError } from "#core";
import { readAsk, rewrite } from "#wire";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const ask = (body: unknown, capability: Capability = "chat.completions") =>
  readAsk(capability, bytes(typeof body === "string" ? body : JSON.stringify(body)));
const refused = (body: string, capability: Capability = "chat.completions") => {
  try {
    readAsk(capability, bytes(body));
  } catch (error) {
    if (error instanceof TollgateError) return [error.code, error.facts.param ?? null];
    throw error;
  }
  return null;
};

describe("what is read of a request", () => {
  it("chat: the larger of two caps counts, and both are governed", () => {
    expect(
      ask({ model: "m", messages: [], max_tokens: 5, max_completion_tokens: 9, n: 3, stream: true, user: "u", service_tier: "flex" }),
    ).toMatchObject({
      model: "m",
      stream: true,
      outputCaps: [
        { name: "max_completion_tokens", tokens: 9 },
        { name: "max_tokens", tokens: 5 },
      ],
      choices: 3,
      endUser: "u",
      serviceTier: "flex",
      wantsUsage: false,
    });
  });

  it("completions: every prompt of a list is a choice of its own", () => {
    expect(ask({ model: "m", prompt: ["a", "b", "c"], n: 2, best_of: 4 }, "completions").choices).toBe(12);
    expect(ask({ model: "m", prompt: [1, 2, 3] }, "completions").choices).toBe(1);
  });

  it("messages: the user is in the metadata", () => {
    expect(ask({ model: "m", messages: [], max_tokens: 1, metadata: { user_id: "u-7" } }, "messages").endUser).toBe("u-7");
  });

  it("null counts as absent where the vendors take it", () => {
    expect(ask({ model: "m", messages: [], max_tokens: null, stream: null, n: null, user: null, stream_options: null })).toMatchObject({
      outputCaps: [],
      stream: false,
      choices: 1,
      endUser: null,
    });
  });

  it("responses in the background are refused: nobody would see what they cost", () => {
    expect(refused('{"model":"m","input":"x","background":true}', "responses")).toEqual(["invalid_request", "background"]);
  });

  it.each([
    [
      "chat.completions",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA" } }] }] },
    ],
    ["chat.completions", { messages: [{ content: [{ type: "input_audio" }] }] }],
    ["chat.completions", { messages: [], web_search_options: {} }],
    ["responses", { input: "x", previous_response_id: "resp_1" }],
    ["responses", { input: "x", tools: [{ type: "web_search" }] }],
    ["responses", { input: [{ type: "message", content: [{ type: "input_file", file_id: "f" }] }] }],
    ["messages", { messages: [{ content: [{ type: "document", source: {} }] }] }],
    ["messages", { messages: [], tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] }],
    ["messages", { messages: [], mcp_servers: [{}] }],
  ] as const)("%s: what bytes do not bound is uncountable: %j", (capability, body) => {
    expect(ask({ model: "m", ...body }, capability).uncountable).toBe(true);
    expect(ask(JSON.stringify({ model: "m", ...body }).replace('"type":"i', '"type":"\\u0069'), capability).uncountable).toBe(true);
  });

  it("text that only speaks of images is countable", () => {
    expect(
      ask({
        model: "m",
        messages: [{ role: "user", content: '{"type":"image_url"}' }],
        tools: [{ type: "function", function: { name: "web_search" } }],
      }),
    ).toMatchObject({ uncountable: false, tools: true });
  });

  it("threat 18: depth and width cost bounded time and no stack", () => {
    const started = performance.now();
    expect(refused(`{"model":"m","messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)).toEqual(["invalid_request", null]);
    expect(refused(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`)).toEqual(["invalid_request", null]);
    expect(ask(`{"model":"m","messages":[${"1,".repeat(1_000_000)}1]}`).model).toBe("m");
    expect(refused(`{"model":"m","messages":["${"\\\\".repeat(200_000)}]}`)).toEqual(["invalid_request", null]);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(ask('{"__proto__":{"model":"x"},"model":"m","messages":[]}').model).toBe("m");
    expect(refused('{"__proto__":{"model":"x"},"messages":[]}')).toEqual(["invalid_request", "model"]);
  });

  it("threat 19: whatever the gateway reads stands once, in whatever spelling", () => {
    for (const key of [
      "model",
      "messages",
      "max_tokens",
      "max_completion_tokens",
      "n",
      "stream",
      "stream_options",
      "user",
      "service_tier",
    ]) {
      const escaped = `\\u${key.charCodeAt(0).toString(16).padStart(4, "0")}${key.slice(1)}`;
      expect(refused(`{"model":"m","messages":[],"${key}":1,"${escaped}":2}`)).toEqual(["invalid_request", key]);
    }
    expect(refused('{"model":"m","messages":[],"x":1,"x":2,"Temperature":1}')).toBeNull();
    for (const variant of ["Model", "MODEL", "max_to\u212aens", "\u017ftream"])
      expect(refused(`{"model":"m","messages":[],"${variant}":1}`)?.[0]).toBe("invalid_request");
  });
});

describe("edits", () => {
  const wild = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 });
  const indent = fc.constantFrom(undefined, 1, "\t", "  ");

  it("say what an assignment would say, and leave every other byte", () => {
    fc.assert(
      fc.property(wild, indent, fc.option(fc.nat(50), { nil: null }), fc.boolean(), (extra, space, cap, usage) => {
        const { model: _, messages: __, stream_options: ___, max_tokens: ____, ...rest } = extra;
        const body = { ...rest, model: "p/m", ...(cap === null ? {} : { max_tokens: cap }), messages: [] };
        const governed = new Set(["n", "stream", "user", "safety_identifier", "service_tier", "max_completion_tokens"]);
        fc.pre(Object.keys(rest).every((key) => !governed.has(key.toLowerCase())));
        const source = JSON.stringify(body, null, space);
        const edited = text(
          rewrite(ask(source), { model: "m", outputCap: { name: "max_tokens", tokens: 20 }, ...(usage ? { includeUsage: true } : {}) }),
        );
        const capped = cap === null ? 20 : Math.min(cap, 20);
        expect(JSON.parse(edited)).toEqual({
          ...(JSON.parse(source) as object),
          model: "m",
          max_tokens: capped,
          ...(usage ? { stream_options: { include_usage: true } } : {}),
        });
        const model = edited.replace('"model":"m"', '"model":"p/m"').replace('"model": "m"', '"model": "p/m"');
        const restored = cap === null || usage ? null : model.replace(/("max_tokens": ?)\d+/, `$1${cap}`);
        if (restored !== null) expect(restored).toBe(source);
      }),
    );
  });

  it("nothing to edit gives the very bytes", () => {
    const asked = ask('{ "model":"m","messages":[] }');
    expect(rewrite(asked, {})).toBe(asked.body.bytes);
    expect(rewrite(asked, { outputCap: { name: "max_tokens", tokens: 5 } })).not.toBe(asked.body.bytes);
  });

  it.each([
    ['{"model":"m","messages":[],"stream_options":{}}', '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    ['{"model":"m","messages":[],"stream_options":{"a":1 }}', '{"model":"m","messages":[],"stream_options":{"a":1 ,"include_usage":true}}'],
    [
      '{"model":"m","messages":[],"stream_options":{"include_usage":false}}',
      '{"model":"m","messages":[],"stream_options":{"include_usage":true}}',
    ],
    ['{"model":"m","messages":[],"stream_options":null}', '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    [
      '{"model":"m","messages":[],"stream_options":{"include_usage":true}}',
      '{"model":"m","messages":[],"stream_options":{"include_usage":true}}',
    ],
  ])("asking for usage: %s", (source, expected) => {
    expect(text(rewrite(ask(source), { includeUsage: true }))).toBe(expected);
  });

  it("a cap under the grant stays, a null one is given its value, each of two is cut by itself", () => {
    const cut = (caps: string) =>
      text(rewrite(ask(`{"model":"m",${caps}"messages":[]}`), { outputCap: { name: "max_tokens", tokens: 10 } }));
    expect(cut('"max_tokens":3,')).toBe('{"model":"m","max_tokens":3,"messages":[]}');
    expect(cut('"max_tokens":null,')).toBe('{"model":"m","max_tokens":10,"messages":[]}');
    expect(cut('"max_tokens":30,"max_completion_tokens":7,')).toBe('{"model":"m","max_tokens":10,"max_completion_tokens":7,"messages":[]}');
  });
});

describe("what sets the price of a token", () => {
  const tier = (fields: object) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ model: "m", messages: [], max_tokens: 1, ...fields }));
    return readAsk("messages", bytes).serviceTier;
  };

  it("threat 37: is read of every field that does, in Anthropic's words", () => {
    expect(tier({})).toBeNull();
    expect(tier({ speed: "standard", inference_geo: "global" })).toBeNull();
    expect(tier({ service_tier: "auto", speed: null })).toBe("auto");
    expect(tier({ speed: "fast" })).toBe("fast");
    expect(tier({ service_tier: "standard_only", speed: "fast", inference_geo: "us" })).toBe("standard_only+fast+us");
  });
});
