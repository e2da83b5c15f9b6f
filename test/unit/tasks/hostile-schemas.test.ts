import { describe, expect, it } from "vitest";
import type { Task } from "../../../src/tasks/contract.ts";
import { ENGINES } from "../../../src/tasks/engines/contract.ts";
import { Hook } from "../../../src/tasks/hook.ts";
import { parseTask } from "../../../src/tasks/request.ts";
import { saidOf } from "../../../src/tasks/said.ts";

const nested = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`) as Record<string, unknown>;
const DEEP = 20_000;

/** References of which each leads to the next twice: written out they are as many as grains on a chessboard. */
const CHESSBOARD = Object.fromEntries(
  Array.from({ length: 64 }, (_, at) => [
    `d${at}`,
    at === 63 ? {} : { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] },
  ]),
);
const ENDLESS: readonly [what: string, schema: Record<string, unknown>, answer: string][] = [
  ["an expression", { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }, `{"a":"${"a".repeat(60)}!"}`],
  ["names by an expression", { type: "object", patternProperties: { "^(a+)+$": {} } }, `{"${"a".repeat(60)}!":1}`],
  ["itself", { $ref: "#" }, "1"],
  ["itself among others", { anyOf: [{ $ref: "#/$defs/a" }], $defs: { a: { anyOf: [{ $ref: "#//$defs//a/b" }] } } }, "1"],
  ["itself in a list", { $ref: "#/$defs/0", $defs: [{ anyOf: [{ $ref: "#/$defs/0" }] }] }, "1"],
  ["references without number", { $ref: "#/$defs/d0", $defs: CHESSBOARD }, "{}"],
];

describe("A14: a schema that no answer can be held against in time", () => {
  it.each(ENDLESS)("is refused for Codex by its field: %s", (_, output_schema) => {
    const { problems } = parseTask({ engine: "codex", prompt: "x", output_schema });
    expect(problems).toEqual([expect.objectContaining({ field: "output_schema", reason: expect.stringContaining("no pattern") })]);
  });

  it.each(ENDLESS)("of a task that began before ends it without a result: %s", (_, outputSchema, text) => {
    const stdout = JSON.stringify({ type: "item.completed", item: { type: "agent_message", text } });
    expect(saidOf({ effective: { engine: "codex" }, outputSchema } as unknown as Task, stdout)).toMatchObject({ text, structured: null });
  });

  it("is none that says as much in plain words, twice, and by references", () => {
    const point = { type: "object", properties: { pattern: { type: "string" }, x: { type: "number" } }, required: ["x"] };
    const output_schema = { type: "array", items: { anyOf: [{ $ref: "#/$defs/point" }, { $ref: "#/$defs/point" }] }, $defs: { point } };
    expect(parseTask({ engine: "codex", prompt: "x", output_schema }).problems).toEqual([]);
    const read = (value: unknown) => {
      const text = JSON.stringify(value);
      const stdout = JSON.stringify({ type: "item.completed", item: { type: "agent_message", text } });
      return saidOf({ effective: { engine: "codex" }, outputSchema: output_schema } as unknown as Task, stdout).structured;
    };
    expect([read([{ x: 1 }]), read([{ x: "1" }])]).toEqual([[{ x: 1 }], null]);
  });
});

describe("what is nested beyond any reader's stack", () => {
  it.each(ENGINES)("is no result of %s, and keeps no task from its end", (engine) => {
    const deep = `{"a":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}`;
    const lines = [`{"type":"result","result":"x","structured_output":${deep}}`];
    const item = JSON.stringify({ type: "item.completed", item: { type: "agent_message", text: deep } });
    const said = saidOf({ effective: { engine }, outputSchema: {} } as unknown as Task, [...lines, item].join("\n"));
    expect(said.structured).toBeNull();
  });

  it("is refused as a schema by its field", () => {
    for (const engine of ["codex", "claude-code"]) {
      const { problems } = parseTask({ engine, prompt: "x", output_schema: nested(DEEP) });
      expect(problems.map(({ field }) => field)).toEqual(["output_schema"]);
    }
  });

  it("is refused as a tool's input by its field, before anybody is asked", async () => {
    const hook = new Hook(undefined as never, undefined as never);
    const asked = { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: nested(DEEP) };
    const answer = hook.answer({ task: "task_x" } as never, asked, { signal: AbortSignal.timeout(1_000), request: "req_x" });
    await expect(answer).rejects.toMatchObject({ code: "invalid_request", facts: { param: "tool_input" } });
  });
});
