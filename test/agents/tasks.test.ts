import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, inject, it, vi } from "vitest";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { named, type Script, type Step } from "./scripted.ts";
import { call, type Engine, ENGINES, stage, TOOLS } from "./stage.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
const PROFILE = "agents-in-tasks";

if (UNABLE !== null) console.warn(`Agents in tasks are not tried on this machine: ${UNABLE}`);

beforeAll(async () => {
  const tools = ["Read", "Write", "Edit", "Bash", "Glob", "Grep", "Agent", "Skill"];
  const rest = { agents: ["reviewer"], skills: ["greeting"], memory_mb: 1024, cpu_cores: 2, disk_mb: 256 };
  await admin.call("POST", "/profiles", { name: PROFILE, engines: ENGINES, tools, ...rest });
});

const stageOf = (engine: Engine, script: Script, { profile = PROFILE, tokens = 10 } = {}) =>
  stage({ origin, adminKey: inject("adminKey") }, { engine, script, profile, tokens });

const NUMBER = [{ path: "in.txt", text: "the number is 42\n" }];

describe.skipIf(UNABLE).each(ENGINES)("A26: %s in a task", (engine) => {
  const { read, write, sh } = TOOLS[engine];

  it("A14: reads, writes and runs; its files come back, its events stream, and its text is what it said last", async () => {
    const script = [read("in.txt"), write("out.txt", "42\n"), sh("wc -c < out.txt"), "The number is 42."];
    const { upstream, run, artifact } = await stageOf(engine, script);
    const { id, events, task } = await run({ prompt: "Read in.txt, write its number to out.txt, count its bytes.", files: NUMBER });
    expect(task).toMatchObject({ exit_reason: "ok", result: { text: "The number is 42.", structured: null, exit_code: 0 } });
    const { results } = upstream.heard.at(-1)!;
    expect(results).toEqual([expect.stringContaining("the number is 42"), expect.any(String), expect.stringContaining("3")]);
    expect(task.result?.files).toEqual([expect.objectContaining({ path: "out.txt", change: "added", bytes: 3 })]);
    expect(await artifact(id, "out.txt")).toBe("42\n");
    expect(events.filter(({ type }) => type === "stdout").length).toBeGreaterThan(2);
  });

  it("reads nothing while it runs, and whoever tells it something is told so", async () => {
    const { tasks, run } = await stageOf(engine, ["Hello."]);
    const { id } = await run({ prompt: "Hello" });
    const answer = await tasks.raw("POST", `/v1/task/${id}/input`, { text: "more" });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(`${engine} reads nothing`)]);
  });

  it("A14: a prompt longer than any argument reaches it whole", async () => {
    const { upstream, run } = await stageOf(engine, ["Read."]);
    const { task } = await run({ prompt: `${"word ".repeat(60_000)}the end` });
    expect(task).toMatchObject({ exit_reason: "ok", result: { text: "Read." } });
    expect(JSON.stringify(upstream.heard[0]!.body)).toContain("word word the end");
  });

  it("A14: comes to what output_schema asks for", async () => {
    const structured: Step =
      engine === "codex" ? '{"n":42}' : (offered) => ({ name: named(offered, "StructuredOutput"), input: { n: 42 } });
    const { run } = await stageOf(engine, [read("in.txt"), structured, "Done."]);
    const output_schema = { type: "object", properties: { n: { type: "number" } }, required: ["n"], additionalProperties: false };
    const { task } = await run({ prompt: "Which number?", files: NUMBER, output_schema });
    expect(task).toMatchObject({ exit_reason: "ok", result: { structured: { n: 42 } } });
  });

  it("A14: whose model refuses it has failed, and says why", async () => {
    const { run } = await stageOf(engine, ["Never said."]);
    const { task } = await run({ prompt: "Hello", model: "tollgate/nothing" });
    expect([task.status, task.exit_reason]).toEqual(["failed", "error"]);
    expect(task.result?.message).toMatch(/tollgate\/(nothing|echo)/);
  });

  it("A60: analysis: reads what is there, reports, and leaves it as it was", async () => {
    const source = "export const add = (a, b) => a - b;\n";
    const { upstream, run, artifact } = await stageOf(engine, [read("add.js"), sh("touch x; echo $?"), "add subtracts."]);
    const { id, task } = await run({ prompt: "Find the fault.", mode: "analysis_only", files: [{ path: "add.js", text: source }] });
    expect(task).toMatchObject({ exit_reason: "ok", result: { text: "add subtracts.", files: [] } });
    expect(upstream.heard.at(-1)!.results[0]).toContain("a - b");
    expect(await artifact(id, "add.js")).toBe(source);
  });

  it("A60: docs: writes down what the source says", async () => {
    const guide = "# add\n\nSubtracts.\n";
    const { run, artifact } = await stageOf(engine, [read("add.js"), write("README.md", guide), "Written."]);
    const { id, task } = await run({
      prompt: "Document add.js.",
      files: [{ path: "add.js", text: "export const add = (a, b) => a - b;\n" }],
    });
    expect(task.result?.files.map(({ path }) => path)).toEqual(["README.md"]);
    expect(await artifact(id, "README.md")).toBe(guide);
  });

  it("A60: tests: writes a test, runs it, sees it fail, mends the source and sees it pass", async () => {
    const test = 'test "$(sh add.sh 1 2)" = 3 && echo passed || echo failed\n';
    const mended = "echo $(($1 + $2))\n";
    const steps = [read("add.sh"), write("test.sh", test), sh("sh test.sh"), write("add.sh", mended), sh("sh test.sh"), "Mended."];
    const { upstream, run, artifact } = await stageOf(engine, steps);
    const { id, task } = await run({ prompt: "Test add.sh.", files: [{ path: "add.sh", text: "echo $(($1 - $2))\n" }] });
    const { results } = upstream.heard.at(-1)!;
    expect([results[2], results[4]]).toEqual([expect.stringContaining("failed"), expect.stringContaining("passed")]);
    expect(task.result?.files).toMatchObject([
      { path: "add.sh", change: "modified" },
      { path: "test.sh", change: "added" },
    ]);
    expect(await artifact(id, "add.sh")).toBe(mended);
  });
});

describe.skipIf(UNABLE)("what came with a task for its agent", () => {
  const describing = (name: string, tools = "") =>
    `---\nname: ${name}\ndescription: The ${name} of this team.\n${tools}---\nBe a ${name}.\n`;
  const kit = [
    { path: ".claude/agents/reviewer.md", text: describing("reviewer", "tools: Read\n") },
    { path: ".claude/agents/stranger.md", text: describing("stranger") },
    { path: ".claude/skills/greeting/SKILL.md", text: describing("greeting") },
    { path: ".claude/skills/cursing/SKILL.md", text: describing("cursing") },
    { path: ".agents/skills/shouting/SKILL.md", text: describing("shouting") },
    { path: ".claude/settings.json", text: '{"hooks":{"SessionStart":[{"hooks":[{"type":"command","command":"touch /workspace/ran"}]}]}}' },
  ];
  const both = { allow_agents: ["reviewer"], allow_skills: ["greeting"] };

  it("A60: multi-agent: Claude Code hands a part to a sub-agent that it may call", async () => {
    const spoken = "Nothing is wrong with it.";
    const { read } = TOOLS["claude-code"];
    const script: Script = (asked) =>
      JSON.stringify(asked).includes("Be a reviewer.")
        ? [read("in.txt"), spoken]
        : [
            call("Agent", { subagent_type: "reviewer", description: "Review", prompt: "Review in.txt", run_in_background: false }),
            "Reviewed.",
          ];
    const { upstream, run } = await stageOf("claude-code", script);
    const { task } = await run({ prompt: "Have in.txt reviewed.", files: [...NUMBER, ...kit], ...both });
    expect(task).toMatchObject({ exit_reason: "ok", result: { text: "Reviewed.", files: [] } });
    expect(upstream.heard.some(({ results }) => results[0]?.includes("the number is 42"))).toBe(true);
    expect(upstream.heard.at(-1)!.results[0]).toContain(spoken);
  });

  it("A17: Claude Code uses a skill that it may, and is told no for another", async () => {
    const skill = (name: string) => call("Skill", { skill: name });
    const { upstream, run } = await stageOf("claude-code", [skill("task:greeting"), skill("dataviz"), "Greeted."]);
    const { task } = await run({ prompt: "Greet.", files: kit, ...both });
    expect(task).toMatchObject({ exit_reason: "ok", result: { text: "Greeted." } });
    const [used, other] = upstream.heard.at(-1)!.results;
    expect(used).toContain("Launching skill");
    expect(other).toContain("not allowed");
  });

  it.each(ENGINES)(
    "A16, A17: %s hears of the sub-agents and skills that it may use, and of no others; settings that came along are not read",
    async (engine) => {
      const { upstream, run } = await stageOf(engine, ["Hello."]);
      const { task } = await run({ prompt: "Hello", files: kit, ...both });
      expect(task).toMatchObject({ exit_reason: "ok", result: { files: [] } });
      const said = JSON.stringify(upstream.heard.map(({ body }) => body));
      const heard = ["reviewer", "stranger", "greeting", "cursing", "shouting"].filter((name) =>
        said.includes(`The ${name} of this team.`),
      );
      expect(heard).toEqual(engine === "codex" ? ["greeting"] : ["reviewer", "greeting"]);
    },
  );
});

describe.skipIf(UNABLE)("what an agent may not", () => {
  beforeAll(async () => {
    const rest = {
      tools: ["Read", "Write", "Bash(cat *)", "Bash(wc *)"],
      denied_commands: ["rm *"],
      memory_mb: 1024,
      cpu_cores: 2,
      disk_mb: 256,
    };
    await admin.call("POST", "/profiles", { name: "agents-held", engines: ENGINES, ...rest });
  });

  const told = (events: readonly { readonly type: string; readonly data: Record<string, unknown> }[]) =>
    events.filter(({ type }) => type === "tool_call").map(({ data }) => [data["name"], data["verdict"]]);

  it("A16: Claude Code is told no, calls nothing of it, and goes on; a tool that is not allowed it does not even offer", async () => {
    const { read, sh, write } = TOOLS["claude-code"];
    const script = [sh("rm in.txt"), read("in.txt"), write("out.txt", "42\n"), "Kept."];
    const { upstream, run, artifact } = await stageOf("claude-code", script, { profile: "agents-held" });
    const { id, events, task } = await run({ prompt: "Remove in.txt.", files: NUMBER });
    expect(task).toMatchObject({ exit_reason: "ok", result: { text: "Kept." } });
    expect(upstream.heard.at(-1)!.results[0]).toContain("denied");
    expect(told(events)).toEqual([
      ["Bash", "denied"],
      ["Read", "allowed"],
      ["Write", "allowed"],
    ]);
    expect(await artifact(id, "in.txt")).toBe(NUMBER[0]!.text);
    expect(upstream.heard.map(({ tools }) => tools.filter((name) => !["Read", "Write", "Bash"].includes(name)))).toEqual(
      upstream.heard.map(() => []),
    );
  });

  it("A16: Codex is not given the call, and its task ends as what it is", async () => {
    const { read, sh } = TOOLS.codex;
    const { run, artifact } = await stageOf("codex", [read("in.txt"), sh("rm in.txt"), "Never said."], { profile: "agents-held" });
    const { id, events, task } = await run({ prompt: "Remove in.txt.", files: NUMBER });
    expect([task.status, task.exit_reason]).toEqual(["failed", "policy"]);
    expect(told(events)).toEqual([
      ["exec_command", "allowed"],
      ["exec_command", "denied"],
    ]);
    expect(await artifact(id, "in.txt")).toBe(NUMBER[0]!.text);
  });
});

describe.skipIf(UNABLE).each(ENGINES)("what %s did", (engine) => {
  it("A17: stands in the audit as the model called it, in its order, and agrees with what the workspace became", async () => {
    const { read, write, sh } = TOOLS[engine];
    const steps = [read("in.txt"), write("a.txt", "1\n"), sh("cat a.txt"), write("b.txt", "2\n"), sh("cat b.txt"), "Done."];
    const { upstream, run, key } = await stageOf(engine, steps);
    const { task } = await run({ prompt: "Write two files.", files: NUMBER });
    expect(upstream.called.length).toBe(5);
    const audited = await vi.waitFor(async () => {
      const { data } = await admin.call<{ data: { details: { tool: string; input: unknown } }[] }>(
        "GET",
        `/audit?type=tool_call&key=${key}`,
      );
      expect(data.length).toBe(5);
      return data.toReversed().map(({ details: { tool, input } }) => ({ name: tool, input }));
    }, 15_000);
    expect(audited).toEqual(upstream.called);
    expect(task.result?.files.map(({ path }) => path)).toEqual(["a.txt", "b.txt"]);
  });
});

describe.skipIf(UNABLE).each(ENGINES)("the money of %s", (engine) => {
  it("A13: spent, ends it after exactly one refused call", async () => {
    const { sh } = TOOLS[engine];
    const steps = Array.from({ length: 20 }, (_, nth) => sh(`echo ${nth}`));
    const { upstream, run } = await stageOf(engine, steps, { tokens: 4_000 });
    const { id, task } = await run({ prompt: "Count.", max_cost_usd: "0.12" });
    expect([task.status, task.exit_reason]).toEqual(["failed", "budget"]);
    const codes = await vi.waitFor(async () => {
      const { data } = await admin.call<{ data: { code: string | null }[] }>("GET", `/requests?task=${id}&limit=100`);
      expect(data.length).toBeGreaterThan(upstream.heard.length);
      return data.map(({ code }) => code);
    }, 15_000);
    expect(codes.filter((code) => code !== null)).toEqual(["budget_exceeded"]);
    expect(codes.length).toBe(upstream.heard.length + 1);
    const { data: records } = await admin.call<{ data: { actual_usd: string }[] }>("GET", `/costs/records?task=${id}&limit=100`);
    const spent = records.reduce((sum, { actual_usd }) => sum + Number(actual_usd), 0);
    expect(Number(task.cost.spent_usd)).toBeCloseTo(spent, 9);
    expect(spent).toBeLessThanOrEqual(0.12);
    expect(upstream.heard.length).toBeGreaterThan(1);
  });
});

it.skipIf(UNABLE)("the guide's request runs as it is printed", async () => {
  const guide = readFileSync("docs/guides/agents-in-tasks.md", "utf8");
  const { model, ...asked } = JSON.parse(/\/v1\/task .*-d '(\{[\s\S]*?\n\})'/.exec(guide)![1]!) as Record<string, unknown>;
  expect([model, asked["engine"]]).toEqual([expect.any(String), "claude-code"]);
  const { read, write } = TOOLS["claude-code"];
  const { run } = await stageOf("claude-code", [read("in.txt"), write("out.txt", "42\n"), call("StructuredOutput", { n: 42 }), "42."]);
  expect((await run(asked)).task).toMatchObject({ exit_reason: "ok", result: { structured: { n: 42 } } });
});

describe.skipIf(UNABLE)("the gateway", () => {
  it("A41: its health lists the engines that can run", async () => {
    const { engines } = (await (await fetch(`${origin}/healthz`)).json()) as { engines: string[] };
    expect(engines).toEqual(expect.arrayContaining(["claude-code", "codex", "command"]));
  });
});
