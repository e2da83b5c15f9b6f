import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Assignment, ENGINES } from "../../../../src/tasks/engines/contract.ts";
import { adapterOf } from "../../../../src/tasks/engines/engines.ts";
import { jobSpec } from "../../../../runner/protocol.ts";

const nothing: Assignment = {
  argv: ["true"],
  prompt: "Hi",
  model: null,
  outputSchema: null,
  turnsMax: null,
  files: [],
  tools: [],
  mayCall: () => false,
  mayUse: () => false,
};
const asked = { outputSchema: { type: "object" } };
const jsonl = (...lines: readonly unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const given = (path: string, text: string) => ({ path, base64: Buffer.from(text).toString("base64") });

/** What agents write, near enough to be taken for it. */
const nearLine = fc.oneof(
  fc.string(),
  fc.json(),
  fc
    .record({
      type: fc.constantFrom("result", "assistant", "item.completed", "turn.failed", "turn.completed", "error", 7),
      result: fc.anything(),
      is_error: fc.anything(),
      message: fc.anything(),
      item: fc.oneof(fc.anything(), fc.record({ type: fc.constantFrom("agent_message", "error"), text: fc.anything() })),
      error: fc.anything(),
      structured_output: fc.json(),
    })
    .map((line) => JSON.stringify(line, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)) ?? ""),
);

describe.each(ENGINES)("%s", (engine) => {
  const adapter = adapterOf(engine);

  it("says something of whatever was written, and never throws", () => {
    fc.assert(
      fc.property(fc.array(nearLine), (lines) => {
        const { text, structured, failure = null } = adapter.read(lines.join("\n"), asked);
        expect([typeof text, failure === null || typeof failure === "string"]).toEqual(["string", true]);
        expect(() => JSON.stringify(structured)).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });

  it("begins with what a runner takes, whatever it is asked", () => {
    const file = fc.record({
      path: fc.constantFrom(".claude/agents/a.md", ".claude/skills/s/SKILL.md", ".codex/skills/s/SKILL.md", "in.txt"),
      base64: fc.base64String(),
    });
    const fields = jobSpec.pick({ argv: true, env: true, files: true, home: true, agent: true });
    const assignment = fc.record({
      prompt: fc.string(),
      model: fc.option(fc.string()),
      files: fc.array(file),
      mayUse: fc.constant(() => true),
      mayCall: fc.constant(() => true),
    });
    fc.assert(
      fc.property(assignment, (some) => {
        const { home = [], agent = null, ...rest } = adapter.launch({ ...nothing, ...some, prompt: some.prompt.replaceAll("\0", "") });
        expect(fields.safeParse({ ...rest, home, agent }).error).toBeUndefined();
      }),
    );
  });
});

it("A40: an agent's own permissions are switched off in no launch but one of an agent that the runner offers inside of its sandbox", () => {
  const off = ENGINES.filter((engine) => /dangerous|IS_SANDBOX/.test(JSON.stringify(adapterOf(engine).launch(nothing))));
  expect(off).toEqual(["claude-code", "codex"]);
  for (const engine of off) expect(adapterOf(engine).launch(nothing).agent).toBe(engine);
  expect(adapterOf("command").launch(nothing)).toEqual({ argv: ["true"], env: {}, files: [] });
});

it.each(["claude-code", "codex", "command"] as const)("%s gives back what is none of its own lines as it was written", (engine) => {
  const garbage = "Segmentation fault\n";
  expect(adapterOf(engine).read(garbage, asked)).toMatchObject({ text: garbage, structured: null });
});

describe("Claude Code", () => {
  const { launch, read } = adapterOf("claude-code");

  it("A14: says what its last result says, and why where that is an error", () => {
    const result = { type: "result", is_error: false, result: "Done.", structured_output: { n: 1 } };
    expect(read(jsonl({ type: "system" }, result), asked)).toEqual({ text: "Done.", structured: { n: 1 }, failure: null });
    const failed = { type: "result", is_error: true, subtype: "error_max_turns", errors: ["Reached the maximum"] };
    expect(read(jsonl(failed), asked)).toMatchObject({ failure: "Reached the maximum" });
  });

  it("where its output was cut off, says what it had said, and not what its sub-agents had", () => {
    const said = (text: string, parent_tool_use_id: string | null) => ({
      type: "assistant",
      message: { content: [{ type: "text", text }] },
      parent_tool_use_id,
    });
    expect(read(`${jsonl(said("First.", null), said("Inner.", "toolu_1"), said("Second.", null))}{"type":"res`, asked).text).toBe(
      "First.\nSecond.",
    );
  });

  it("A15: is offered the tools that rules name, all where one names all, and none where there is no rule", () => {
    const offered = (tools: string[]) => {
      const { argv } = launch({ ...nothing, tools });
      return argv.find((each) => each.startsWith("--tools=")) ?? null;
    };
    expect([offered(["Read", "Bash(git *)", "Bash(ls *)", "mcp:weather:*"]), offered([]), offered(["*"])]).toEqual([
      "--tools=Read,Bash",
      "--tools=",
      "--tools=default",
    ]);
  });

  it("A16: is given the sub-agents that it may call, by the names that they bear", () => {
    const files = [
      given(".claude/agents/one.md", "---\nname: reviewer\ndescription: >\n  Reviews\n  code.\ntools: [Read, Grep]\n---\nBe strict.\n"),
      given(".claude/agents/deep/two.md", "---\nname: stranger\ndescription: x\n---\nBe odd."),
      given(".claude/agents/three.md", "No front matter."),
      given(".claude/agents/four.md", "---\nname: [\n---\n"),
    ];
    const { argv } = launch({ ...nothing, files, mayCall: (name) => name === "reviewer" });
    const agents = JSON.parse(argv[argv.indexOf("--agents") + 1]!) as object;
    expect(agents).toEqual({ reviewer: { description: "Reviews code.\n", prompt: "Be strict.", tools: ["Read", "Grep"] } });
  });

  it("A17: is given the skills that it may use, with all of their files, and no other's", () => {
    const files = [
      given(".claude/skills/a/SKILL.md", "A"),
      given(".claude/skills/a/more/x.md", "X"),
      given(".claude/skills/b/SKILL.md", "B"),
    ];
    const { home = [] } = launch({ ...nothing, files, mayUse: (name) => name === "a" });
    expect(home.map(({ path }) => path)).toEqual([
      ".tollgate/prompt",
      ".tollgate/plugin/.claude-plugin/plugin.json",
      ".tollgate/plugin/skills/a/SKILL.md",
      ".tollgate/plugin/skills/a/more/x.md",
    ]);
  });
});

describe("Codex", () => {
  const { launch, read } = adapterOf("codex");
  const message = (text: string) => ({ type: "item.completed", item: { type: "agent_message", text } });

  it("A14: says what it said last, as the value that was asked for where one was", () => {
    const lines = jsonl({ type: "turn.started" }, message("Looking."), message('{"n":1}'), { type: "turn.completed" });
    expect(read(lines, asked)).toEqual({ text: '{"n":1}', structured: { n: 1 }, failure: null });
    expect(read(lines, { outputSchema: null }).structured).toBeNull();
  });

  it("has failed where its last turn has, and not by what it got over", () => {
    const over = { type: "item.completed", item: { type: "error", message: "no metadata" } };
    expect(read(jsonl(over, message("Done."), { type: "turn.completed" }), asked).failure).toBeNull();
    expect(read(jsonl(over, { type: "turn.failed", error: { message: "402" } }), asked).failure).toBe("402");
  });

  it("A17: is told to leave alone the skills of a checkout that it may not use", () => {
    const files = [
      given(".agents/skills/a/SKILL.md", "A"),
      given(".codex/skills/b/SKILL.md", "B"),
      given(".claude/skills/c/SKILL.md", "C"),
    ];
    const { argv, home = [] } = launch({ ...nothing, files, mayUse: (name) => name !== "b" });
    expect(argv).toContain('skills={bundled={enabled=false},config=[{path="/workspace/.codex/skills/b/SKILL.md",enabled=false}]}');
    expect(home.map(({ path }) => path)).toEqual([".tollgate/prompt", ".agents/skills/c/SKILL.md"]);
  });

  it("A14: whatever a model is called, its name is one setting", () => {
    const { argv } = launch({ ...nothing, model: 'x"\nhooks=1' });
    expect(argv).toContain('model="x\\"\\nhooks=1"');
  });
});
