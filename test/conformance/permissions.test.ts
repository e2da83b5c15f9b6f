import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { type Pull, Puppet } from "../support/puppet.ts";
import { UNABLE } from "../support/runner.ts";
import { type EventTold, TaskClient, type TaskTold } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
let puppet: Puppet;
let tasks: TaskClient;

const PROFILE = { tools: ["Read", "Write", "Bash(git *)", "mcp:weather:*"], denied_commands: ["git push *"] };

beforeAll(async () => {
  puppet = await Puppet.start();
  await admin.upstream("puppet-oai", "openai", puppet.origin, ["puppet"]);
  await admin.upstream("puppet-ant", "anthropic", puppet.origin, ["puppet"]);
  await admin.call("POST", "/profiles", { name: "permitted", ...PROFILE });
  const { secret } = await admin.key({ name: "permitted", profile: "permitted" });

  tasks = new TaskClient(origin, secret);
});

afterAll(async () => {
  await puppet.stop();
});

type Path = "/v1/messages" | "/v1/chat/completions" | "/v1/responses";
const NODE = "/opt/tollgate/node";
/** Asks from inside of the sandbox, and says what came: the status and the whole body of each answer. */
const AGENT = `
const plan = JSON.parse(require("node:fs").readFileSync("plan.json", "utf8"));
(async () => {
  const said = [];
  for (const { path, body } of plan) {
    const answer = await fetch("http://127.0.0.1:8787" + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    said.push({ status: answer.status, text: await answer.text() });
  }
  console.log(JSON.stringify(said));
  process.exit(said.some(({ status, text }) => status >= 400 || text.includes("permission_denied")) ? 1 : 0);
})();
`;

const offered = (path: Path, names: readonly string[]) =>
  names.map((name) => {
    if (path === "/v1/messages") return { name, input_schema: { type: "object" } };
    const made = { name, parameters: { type: "object" } };
    return path === "/v1/responses" ? { type: "function", ...made } : { type: "function", function: made };
  });

function bodyOf(path: Path, pulls: readonly Pull[], { stream = false, names = ["Read", "Bash"], provider = "puppet-oai" } = {}) {
  const said = [{ role: "user", content: JSON.stringify(pulls) }];
  const prompt = path === "/v1/responses" ? { input: said } : { messages: said, max_tokens: 100 };
  return { model: `${provider}/puppet`, ...prompt, stream, tools: offered(path, names) };
}

interface Ended {
  readonly task: TaskTold;
  readonly events: readonly EventTold[];
  readonly said: readonly { readonly status: number; readonly text: string }[];
}

/** Runs calls to a model from inside of a task. */
async function run(
  plan: readonly { readonly path: string; readonly body: unknown }[],
  asked: Record<string, unknown> = {},
): Promise<Ended> {
  const { id } = await tasks.begin({
    engine: "command",
    argv: [NODE, "agent.js"],
    files: [
      { path: "agent.js", text: AGENT },
      { path: "plan.json", text: JSON.stringify(plan) },
    ],
    ...asked,
  });
  const events = await tasks.events(id);
  const task = await tasks.get(id);
  return { task, events, said: JSON.parse(task.result?.text || "[]") as Ended["said"] };
}

const calls = (events: readonly EventTold[]) => events.filter(({ type }) => type === "tool_call").map(({ data }) => data);

describe("a request for permissions", () => {
  const sh = { engine: "command", argv: ["true"] };

  it("A49: everything beyond the profile is told, each by its field", async () => {
    const { status, error } = await tasks.refused({
      ...sh,
      allow_tools: ["Read", "Bash(rm *)", "Bash(git log *)", "mcp:mail:*"],
      allow_agents: ["reviewer"],
      allow_skills: ["pdf"],
      approve_tools: ["Write"],
    });
    const told = error.details.violations as unknown as { kind: string; name: string; field: string }[];
    expect([status, told.map(({ kind, name, field }) => [kind, name, field])]).toEqual([
      403,
      [
        ["tool", "Bash(rm *)", "allow_tools.1"],
        ["tool", "mcp:mail:*", "allow_tools.3"],
        ["agent", "reviewer", "allow_agents.0"],
        ["skill", "pdf", "allow_skills.0"],
        ["tool", "Write", "approve_tools.0"],
      ],
    ]);
  });

  it("what is no rule is a clear error, here and in a profile", async () => {
    const { status, error } = await tasks.refused({ ...sh, allow_tools: ["Bash("] });
    expect([status, error.param]).toEqual([400, "allow_tools.0"]);
    await expect(admin.call("POST", "/profiles", { name: "permitted-bad", tools: ["Bash("] })).rejects.toThrow("tools.0");
  });

  it("validate says what is in force, and where each is from", async () => {
    const told = await tasks.call<{ effective: object; explain: object[] }>("POST", "/v1/task/validate", {
      ...sh,
      allow_tools: ["Read", "Write"],
      mode: "analysis_only",
    });
    expect(told.effective).toMatchObject({
      mode: "analysis_only",
      tools: ["Read"],
      agents: [],
      denied_commands: ["git push *"],
      filesystem: "readonly",
    });
    expect(told.explain).toEqual(
      expect.arrayContaining([
        { field: "tools", value: "Read", from: "request" },
        { field: "tools_without", value: "Write", from: "mode" },
        { field: "denied_commands", value: "git push *", from: "profile" },
      ]),
    );
  });
});

describe.skipIf(UNABLE)("a task's calls at the wire", () => {
  it.each<[Path, boolean, string]>([
    ["/v1/messages", false, "puppet-ant"],
    ["/v1/messages", true, "puppet-ant"],
    ["/v1/chat/completions", false, "puppet-oai"],
    ["/v1/chat/completions", true, "puppet-oai"],
    ["/v1/responses", false, "puppet-oai"],
    ["/v1/responses", true, "puppet-oai"],
    ["/v1/messages", true, "puppet-oai"],
    ["/v1/chat/completions", true, "puppet-ant"],
    ["/v1/responses", true, "puppet-ant"],
  ])("A15, A52: %s, streaming %s, on %s: stripped, taken down in order, and cut before what may not be", async (path, stream, provider) => {
    const options = { stream, provider, names: ["Read", "rm", "Bash"] };
    const fine = [
      { name: "Read", input: { file_path: "a.txt" } },
      { name: "Bash", input: { command: "git log && git status" } },
    ];
    const wrong = [fine[0]!, { name: "Bash", input: { command: "git log; rm -rf secret" } }, fine[1]!];
    const before = puppet.heard.length;
    const { task, events, said } = await run([
      { path, body: bodyOf(path, fine, options) },
      { path, body: bodyOf(path, wrong, options) },
    ]);
    expect(JSON.stringify(puppet.heard[before]!["tools"])).not.toContain('"rm"');
    expect(JSON.stringify(puppet.heard[before]!["tools"])).toContain('"Bash"');
    expect([said[0]?.status, said[1]?.status]).toEqual([200, stream ? 200 : 403]);
    expect(said[0]?.text.replaceAll("\\", "")).toContain("git");
    expect(said[0]?.text).not.toContain("permission_denied");
    expect(said[1]?.text).toContain("permission_denied");
    // The event that makes the call whole never came; neither did the end.
    expect(said[1]?.text).not.toMatch(/message_stop|finish_reason":"tool_calls"|\[DONE\]|response\.completed|output_item\.done.*secret/);
    const outcomes = calls(events).map(({ name, verdict }) => `${String(name)} ${String(verdict)}`);
    const cutAt = stream ? ["Read allowed", "Bash denied"] : ["Read denied", "Bash denied", "Bash denied"];
    expect(outcomes).toEqual(["Read allowed", "Bash allowed", ...cutAt]);
    expect([task.status, task.exit_reason, task.error?.code]).toEqual(["failed", "policy", "policy"]);
    const models = events.filter(({ type }) => type === "model_call").map(({ data }) => data);
    expect(models[0]).toMatchObject({
      model: `${provider}/puppet`,
      outcome: "ok",
      usage: { input: 10, output: 5 },
      cost_usd: "0.00002",
      status: "actual",
    });
  });

  it("a choice of a tool that may not be is refused in the caller's envelope", async () => {
    const body = { ...bodyOf("/v1/messages", [], { names: ["rm"], provider: "puppet-ant" }), tool_choice: { type: "tool", name: "rm" } };
    const { said } = await run([{ path: "/v1/messages", body }]);
    expect(said[0]?.status).toBe(403);
    expect(JSON.parse(said[0]?.text ?? "")).toMatchObject({ type: "error", error: { code: "permission_denied", param: "tool_choice" } });
  });

  it("what a request allows is less than what its profile does", async () => {
    const pulls = [{ name: "Read", input: {} }];
    const { said, task } = await run([{ path: "/v1/messages", body: bodyOf("/v1/messages", pulls) }], { allow_tools: ["Write"] });
    expect([said[0]?.status, task.exit_reason]).toEqual([403, "policy"]);
  });
});
