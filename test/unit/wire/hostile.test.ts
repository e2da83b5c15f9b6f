import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { type Capability, TollgateError } from "#core";
import { readAsk, rewrite } from "#wire";

const bytes = (text: string) => new TextEncoder().encode(text);
const ask = (body: unknown, capability: Capability = "chat.completions") =>
  readAsk(capability, bytes(typeof body === "string" ? body : JSON.stringify(body)));
const refusal = (body: string, capability: Capability = "chat.completions"): TollgateError => {
  try {
    ask(body, capability);
  } catch (error) {
    if (error instanceof TollgateError) return error;
    throw error;
  }
  throw new Error(`accepted: ${body.slice(0, 80)}`);
};

/** Reads and rewrites a body in a thread that a hungry reader would exhaust. */
const IN_LITTLE_MEMORY = `
  const { parentPort, workerData } = require("node:worker_threads");
  import("#wire").then(({ readAsk, rewrite }) => {
    const edited = rewrite(readAsk("chat.completions", workerData), { model: "other" });
    parentPort.postMessage(new TextDecoder().decode(edited.subarray(0, 40)));
  });
`;

describe("threat 18: bodies made to exhaust", () => {
  it("millions of keys that nobody reads are passed over in little memory", async () => {
    const body = bytes(`{"model":"m","messages":[]${',"":0'.repeat(1_600_000)}}`);
    const worker = new Worker(IN_LITTLE_MEMORY, { eval: true, workerData: body, resourceLimits: { maxOldGenerationSizeMb: 144 } });
    expect(await once(worker, "message")).toEqual(['{"model":"other","messages":[],"":0,"":0']);
    await worker.terminate();
  });

  it("values without number are refused before they are made", () => {
    const started = performance.now();
    for (const value of ["{}", "[]", "1", '""'])
      expect(refusal(`{"model":"m","messages":[${`${value},`.repeat(8_000_000)}1]}`).message).toContain("more than 2000000 values");
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  it("a repeated key is refused at its second place, however often it stands", () => {
    expect(refusal(`{"messages":[]${',"model":"m"'.repeat(500_000)}}`).facts.param).toBe("model");
  });

  it("a string of backslashes and quotes costs time in proportion", () => {
    const started = performance.now();
    expect(ask(`{"model":"m","messages":["${'\\\\\\"'.repeat(1_000_000)}"]}`).model).toBe("m");
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("a refusal costs no more than a search of a megabyte", () => {
    const started = performance.now();
    for (const text of ["[[],".repeat(250_000), '{"a":["\\q"'.padEnd(1_000_000, " "), `[${'"a",'.repeat(250_000)}`])
      expect(refusal(text).code).toBe("invalid_request");
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("what is no JSON is refused, naming the place and nothing of the text", () => {
  it.each([
    ['{"model":secret}', "at character 10"],
    ['{"model":"secret",}', "at character 19"],
    ['{"model" "secret"}', "at character 10"],
    ['{"model":"sec\\qret"}', "at character 10"],
    ['{"a":[1,2,]}', "at character 11"],
    ['{"a":[1 2]}', "at character 9"],
    ['{"a":1}{"b":2}', "at character 8"],
    ['{"a":01}', "at character 7"],
    ['{"a":NaN}', "at character 6"],
    ['{"a":1]', "at character 7"],
    ["{'a':1}", "at character 2"],
    ["<html>", "at character 1"],
    ['{"a":[true,{"b":null', "ends too early"],
    ['{"a":', "ends too early"],
  ])("%s: %s", (body, where) => {
    const { message } = refusal(body);
    expect(message).toContain(where);
    expect(message).not.toContain("secret");
  });

  it("a body over a megabyte is refused without a search", () => {
    expect(refusal(`{"a":"${"x".repeat(1_100_000)}",}`).message).toBe("The request body is not valid JSON");
  });
});

describe("what bytes do not bound", () => {
  it.each([
    ["responses", { input: "x", tools: [{ type: "shell", environment: { type: "container_auto" } }] }],
    ["responses", { input: "x", tools: [{ type: "a_tool_of_next_year" }] }],
    ["responses", { input: "x", tools: [{ type: "namespace", tools: [{ type: "mcp" }] }] }],
    ["responses", { input: "x", context_management: [{ type: "compaction", compact_threshold: 1_000 }] }],
    ["messages", { messages: [], tools: [{ type: "advisor_20260301", name: "advisor", model: "claude-opus-5-5" }] }],
    ["messages", { messages: [], context_management: { edits: [{ type: "compact_20260112" }] } }],
    ["messages", { messages: [{ role: "user", content: [{ type: "tool_result", content: [{ type: "image", source: {} }] }] }] }],
    ["chat.completions", { messages: [{ role: "user", content: "look", images: ["aGk="] }] }],
  ] as const)("%s: %j", (capability, body) => {
    expect(ask({ model: "m", ...body }, capability).uncountable).toBe(true);
  });

  it("a part that names its kind twice, or not at all, is known by what it carries", () => {
    const part = '"image_url":{"url":"https://example.com/a.png"},"text":"hi"';
    for (const kinds of ['"type":"image_url","type":"text",', ""])
      expect(ask(`{"model":"m","messages":[{"role":"user","content":[{${kinds}${part}}]}]}`).uncountable).toBe(true);
  });

  it.each([
    ["responses", { tools: [{ type: "local_shell" }, { type: "custom", name: "apply" }, { type: "function", name: "f" }] }],
    ["responses", { tools: [{ type: "function", name: "f", parameters: { properties: { file_id: { type: "string" } } } }] }],
    ["messages", { messages: [], tools: [{ type: "text_editor_20250728" }, { type: "bash_20250124" }, { name: "f", input_schema: {} }] }],
    ["messages", { messages: [], context_management: { edits: [{ type: "clear_tool_uses_20250919" }] } }],
  ] as const)("%s: what the client itself runs is counted when it comes back: %j", (capability, body) => {
    expect(ask({ model: "m", ...body }, capability).uncountable).toBe(false);
  });
});

describe("an edit that changes nothing", () => {
  it("leaves the very bytes", () => {
    const asked = ask('{ "model":"\\u006d","max_tokens":4,"messages":[],"stream_options":{"include_usage":true} }');
    expect(rewrite(asked, { model: "m", outputCap: { name: "max_tokens", tokens: 4 }, includeUsage: true })).toBe(asked.body.bytes);
  });
});
