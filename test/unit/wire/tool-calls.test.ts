import { describe, expect, it } from "vitest";
import type { Capability } from "../../../src/core/index.ts";
import { CallReader, callsInAnswer } from "../../../src/wire/tool-calls.ts";

const encoder = new TextEncoder();
const sse = (events: readonly unknown[]) => events.map((each) => `data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`);
/** After which event which calls are told. */
const told = (capability: Capability, events: readonly unknown[]) => {
  const reader = new CallReader(capability);
  return sse(events).map((event) => reader.push(encoder.encode(event)).map(({ id, name, input }) => `${id} ${name} ${input}`));
};
const piece = (index: number, fields: object, over: string | null = null) => ({
  choices: [{ index: 0, delta: { tool_calls: [{ index, ...fields }] }, finish_reason: over }],
});

describe("A52: the calls of an answer are told with the event that makes them whole, once, in order", () => {
  it("of Chat Completions: when the next begins, and when the choice ends", () => {
    expect(
      told("chat.completions", [
        piece(0, { id: "a", function: { name: "Read", arguments: "" } }),
        piece(0, { function: { arguments: '{"x"' } }),
        piece(0, { function: { arguments: ":1}" } }),
        piece(1, { id: "b", type: "custom", custom: { name: "apply_patch", input: "*** " } }),
        piece(1, { custom: { input: "x" } }, "tool_calls"),
        "[DONE]",
      ]),
    ).toEqual([[], [], [], ['a Read {"x":1}'], ["b apply_patch *** x"], []]);
  });

  it("of Chat Completions that give no reason to end: with the end; legacy functions too; two names are none", () => {
    const legacy = { choices: [{ index: 1, delta: { function_call: { name: "rm", arguments: "{}" } } }] };
    const named = (name: string) => piece(0, { function: { name, arguments: "" } });
    expect(told("chat.completions", [legacy, named("Read"), named("Read"), "[DONE]"]).at(-1)).toEqual([" rm {}", " Read "]);
    expect(told("chat.completions", [named("Read"), named("rm"), "[DONE]"]).at(-1)).toEqual([" Readrm "]);
  });

  it("of Messages: when the block stops, or the message before it does; the provider's own tools too", () => {
    const start = (index: number, block: object) => ({ type: "content_block_start", index, content_block: block });
    const delta = (index: number, partial_json: string) => ({
      type: "content_block_delta",
      index,
      delta: { type: "input_json_delta", partial_json },
    });
    expect(
      told("messages", [
        start(0, { type: "text", text: "" }),
        { type: "content_block_stop", index: 0 },
        start(1, { type: "tool_use", id: "a", name: "Bash", input: {} }),
        delta(1, '{"command":'),
        delta(1, '"ls"}'),
        { type: "content_block_stop", index: 1 },
        start(2, { type: "server_tool_use", id: "b", name: "web_search", input: { query: "x" } }),
        { type: "message_delta", delta: { stop_reason: "tool_use" } },
        { type: "message_stop" },
      ]),
    ).toEqual([[], [], [], [], [], ['a Bash {"command":"ls"}'], [], ['b web_search {"query":"x"}'], []]);
  });

  it("of Responses: with the first of three tellings, and again only where they differ", () => {
    const item = (given: string) => ({ type: "function_call", call_id: "a", namespace: "mcp__x", name: "get", arguments: given });
    expect(
      told("responses", [
        { type: "response.output_item.added", output_index: 0, item: item("") },
        { type: "response.function_call_arguments.delta", output_index: 0, delta: "{}" },
        { type: "response.function_call_arguments.done", output_index: 0, arguments: "{}" },
        { type: "response.output_item.done", output_index: 0, item: item("{}") },
        {
          type: "response.output_item.done",
          output_index: 1,
          item: { type: "local_shell_call", call_id: "b", action: { command: ["ls"] } },
        },
        { type: "response.completed", response: { output: [item("{}"), item('{"other":1}')] } },
      ]),
    ).toEqual([[], [], ["a mcp__x__get {}"], [], ['b local_shell_call {"action":{"command":["ls"]}}'], ['a mcp__x__get {"other":1}']]);
  });

  it.each<[Capability, object, readonly string[]]>([
    [
      "chat.completions",
      {
        choices: [
          { message: { tool_calls: [{ id: "a", function: { name: "Read", arguments: "{}" } }] } },
          { message: { function_call: { name: "f", arguments: "1" } } },
        ],
      },
      ["Read", "f"],
    ],
    [
      "messages",
      { content: [{ type: "text" }, { type: "tool_use", name: "Read", input: {} }, { type: "mcp_tool_use", server_name: "s", name: "n" }] },
      ["Read", "mcp__s__n"],
    ],
    [
      "responses",
      { output: [{ type: "message" }, { type: "custom_tool_call", name: "apply_patch", input: "x" }, { type: "web_search_call" }] },
      ["apply_patch", "web_search_call"],
    ],
    ["embeddings", { data: [] }, []],
  ])("of a whole answer of %s", (capability, answer, names) => {
    expect(callsInAnswer(capability, JSON.stringify(answer)).map(({ name }) => name)).toEqual(names);
    expect(callsInAnswer(capability, "no JSON")).toEqual([]);
  });
});
