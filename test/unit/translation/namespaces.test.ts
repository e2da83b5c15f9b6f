import { describe, expect, it } from "vitest";
import { StreamTranslator, translateAnswer, translateRequest } from "#translation";

type Json = Record<string, unknown>;

const DRESS = { maxTokens: 4_096, openai: false };
const TELLING = { requestId: "req_1", created: 1, includeUsage: false };
const spawned = {
  type: "function",
  name: "spawn",
  description: "Starts one.",
  parameters: { type: "object", properties: {} },
  strict: false,
};
const asked = {
  model: "m",
  tools: [
    { type: "function", name: "spawn", parameters: { type: "object", properties: {} }, strict: false },
    { type: "namespace", name: "agents", description: "Other agents.", tools: [spawned] },
  ],
  tool_choice: { type: "function", name: "spawn", namespace: "agents" },
  input: [
    { role: "user", content: "Go." },
    { type: "function_call", call_id: "call_1", namespace: "agents", name: "spawn", arguments: "{}" },
    { type: "function_call_output", call_id: "call_1", output: "started" },
  ],
};
const answer = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m",
  content: [
    { type: "tool_use", id: "toolu_1", name: "agents__spawn", input: {} },
    { type: "tool_use", id: "toolu_2", name: "spawn", input: {} },
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 1, output_tokens: 1 },
};

describe("A2: tools of a namespace", () => {
  it("are told by one name that holds both, with what the namespace is for, in the tools, the choice and earlier calls", () => {
    const said = translateRequest(asked, { from: "openai-responses", to: "anthropic" }, "m", DRESS);
    expect(said.body["tools"]).toMatchObject([{ name: "spawn" }, { name: "agents__spawn", description: "Other agents.\n\nStarts one." }]);
    expect(said.body["tool_choice"]).toMatchObject({ type: "tool", name: "agents__spawn" });
    const [, made] = said.body["messages"] as { content: Json[] }[];
    expect(made!.content).toMatchObject([{ type: "tool_use", name: "agents__spawn" }]);
    expect(said.dropped).toEqual([]);
  });

  it("are called by both names again, and a tool of the same name beside them by its one", () => {
    const { spaces } = translateRequest(asked, { from: "openai-responses", to: "anthropic" }, "m", DRESS);
    const told = translateAnswer(JSON.stringify(answer), { from: "openai-responses", to: "anthropic" }, { ...TELLING, spaces });
    const [inside, beside] = (JSON.parse(told!) as { output: Json[] }).output;
    expect(inside).toMatchObject({ type: "function_call", namespace: "agents", name: "spawn", call_id: "toolu_1" });
    expect(beside).toMatchObject({ type: "function_call", name: "spawn", call_id: "toolu_2" });
    expect(beside).not.toHaveProperty("namespace");
  });

  it("are called so in a stream too, from the item's beginning to the whole response", () => {
    const { spaces } = translateRequest(asked, { from: "openai-responses", to: "anthropic" }, "m", DRESS);
    const events = [
      { type: "message_start", message: { ...answer, content: [] } },
      { type: "content_block_start", index: 0, content_block: answer.content[0] },
      { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: "{}" } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 1 } },
      { type: "message_stop" },
    ];
    const stream = new StreamTranslator({ from: "openai-responses", to: "anthropic" }, { ...TELLING, spaces });
    const bytes = new TextEncoder().encode(events.map((each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`).join(""));
    const told = `${stream.push(bytes)}${stream.end()}`
      .split("\n")
      .flatMap((line) => (line.startsWith("data: ") ? [JSON.parse(line.slice(6)) as Json] : []));
    const items = told
      .flatMap(({ item, response }) => [item, ...((response as { output?: Json[] } | undefined)?.output ?? [])])
      .filter(Boolean);
    expect(items.length).toBeGreaterThanOrEqual(3);
    for (const item of items) expect(item).toMatchObject({ type: "function_call", namespace: "agents", name: "spawn" });
  });
});
