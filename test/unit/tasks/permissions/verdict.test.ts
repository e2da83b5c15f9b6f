import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRule, rulesOf, within } from "../../../../src/tasks/permissions/rules.ts";
import { Judge, type Permissions } from "../../../../src/tasks/permissions/verdict.ts";

const NONE: Permissions = { mode: "normal", tools: [], agents: [], skills: [], deniedCommands: [], approveTools: [] };
const judge = (given: Partial<Permissions>, name: string, input: unknown) =>
  new Judge({ ...NONE, ...given }).judge({ name, input: typeof input === "string" ? input : JSON.stringify(input) });
const verdict = (...given: Parameters<typeof judge>) => judge(...given).outcome;

/** A tool of a vendor's own by its type in a request, and by the name that calls of it bear. */
const VENDORS_OWN = [
  ["CodeExecution", "code_execution_20250825", "bash_code_execution"],
  ["CodeExecution", "code_execution_20250825", "text_editor_code_execution"],
  ["CodeExecution", "code_interpreter", "code_interpreter_call"],
  ["ImageGeneration", "image_generation", "image_generation_call"],
  ["Computer", "computer_use_preview", "computer_call"],
  ["Computer", "computer_20250124", "computer"],
  ["ToolSearch", "tool_search", "tool_search_call"],
  ["WebSearch", "web_search_20250305", "web_search"],
  ["FileSearch", "file_search", "file_search_call"],
] as const;

describe("A45: a tool of a vendor's own is one tool, offered and called", () => {
  it.each(VENDORS_OWN)("%s: %s, %s", (tool, type, name) => {
    expect(new Judge({ ...NONE, tools: [tool] }).offers(type, { dry: false })).toBe(true);
    expect(judge({ tools: [tool] }, name, {})).toMatchObject({ tool, outcome: "allowed" });
  });
});

describe("A45: what a call may be", () => {
  it.each<[readonly string[], string, unknown, string]>([
    [[], "Read", { file_path: "a" }, "denied"],
    [["Read"], "Read", { file_path: "/etc/passwd" }, "allowed"],
    [["Read(src/*)"], "Read", { file_path: "/workspace/src/a.ts" }, "allowed"],
    [["Read(src/*)"], "Read", { file_path: "src/../secret" }, "denied"],
    [["Read(src/*)"], "Read", {}, "denied"],
    [["Read"], "Write", { file_path: "a" }, "denied"],
    [["Edit(a)"], "apply_patch", "*** Begin Patch\n*** Update File: a\n*** End Patch", "allowed"],
    [["Edit(a)"], "apply_patch", { input: "*** Begin Patch\n*** Update File: a\n*** Add File: b\n*** End Patch" }, "denied"],
    [["Edit(a)"], "apply_patch", "nothing", "denied"],
    [["Edit(a)"], "apply_patch_call", { operation: { type: "update_file", path: "a", diff: "x" } }, "allowed"],
    [["Edit(a)"], "apply_patch_call", { operation: { type: "update_file", path: "b", diff: "x" } }, "denied"],
    [["Read"], "str_replace_based_edit_tool", { command: "view", path: "a" }, "allowed"],
    [["Read"], "str_replace_based_edit_tool", { command: "create", path: "a" }, "denied"],
    [["Bash(git *)"], "shell_call", { action: { commands: ["git log", "git status"] } }, "allowed"],
    [["Bash(git *)"], "shell_call", { action: { commands: ["git log", "rm x"] } }, "denied"],
    [["Bash"], "Bash", { command: "anything | at all" }, "allowed"],
    [["Bash"], "Bash", { command: "$X" }, "allowed"],
    [["Bash(git *)"], "Bash", { command: "git log && git  status" }, "allowed"],
    [["Bash(git *)"], "Bash", { command: "git log; rm x" }, "denied"],
    [["Bash(git *)"], "Bash", { command: "git log $(rm x)" }, "denied"],
    [["Bash(git *)"], "Bash", { command: "git log > x" }, "denied"],
    [["Bash(git *)", "Write(x)"], "Bash", { command: "git log > x" }, "allowed"],
    [["Bash(git *)"], "Bash", { command: "git log 2>/dev/null" }, "allowed"],
    [["Bash(git *)"], "Bash", { command: "X=1 git log" }, "denied"],
    [["Bash(git *)"], "Bash", { command: "case x in" }, "denied"],
    [["Bash(git *)"], "Bash", { script: "rm" }, "denied"],
    [["Bash(git:*)"], "exec_command", { cmd: "git log" }, "allowed"],
    [["Bash(git *)"], "shell", { command: ["bash", "-lc", "git log"] }, "allowed"],
    [["Bash(git *)"], "shell", { command: ["bash", "-lc", "git log; rm x"] }, "denied"],
    [["Bash(git *)"], "local_shell_call", { action: { type: "exec", command: ["git", "log"] } }, "allowed"],
    [["Bash(git *)"], "write_stdin", { session_id: 1, chars: "" }, "allowed"],
    [["Bash(git *)"], "write_stdin", { session_id: 1, chars: "rm x\n" }, "denied"],
    [["WebFetch(domain:example.com)"], "WebFetch", { url: "https://example.com/x" }, "allowed"],
    [["WebFetch(domain:example.com)"], "WebFetch", { url: "https://example.com.evil.test/" }, "denied"],
    [["mcp:weather:*"], "mcp__weather__get", {}, "allowed"],
    [["mcp:weather:*"], "mcp__mail__send", {}, "denied"],
    [["*"], "anything", {}, "allowed"],
    [["*"], "constructor", {}, "allowed"],
    [["Read"], "__proto__", {}, "denied"],
    [["Read"], "toString", {}, "denied"],
    [["Bash(git *)"], "BashOutput", { bash_id: "1" }, "allowed"],
    [["Read"], "TaskStop", {}, "denied"],
    [[], "update_plan", {}, "allowed"],
    [[], "StructuredOutput", {}, "allowed"],
  ])("%j, %s of %j: %s", (tools, name, input, expected) => {
    expect(verdict({ tools }, name, input)).toBe(expected);
  });
});

describe("A16, A17: whom and what an agent may start", () => {
  const given = { tools: ["Agent", "Skill"], agents: ["review*"], skills: ["pdf"] };
  it.each([
    ["Agent", { subagent_type: "reviewer" }, "allowed"],
    ["Task", { subagent_type: "general-purpose" }, "denied"],
    ["Task", {}, "denied"],
    ["Skill", { skill: "pdf" }, "allowed"],
    ["Skill", { skill: "xlsx" }, "denied"],
  ])("%s of %j: %s", (name, input, expected) => {
    expect(verdict(given, name, input)).toBe(expected);
    expect(verdict({ ...given, tools: [] }, name, input)).toBe("denied");
  });
});

describe("A36: denied commands", () => {
  const given = { tools: ["Bash"], deniedCommands: ["rm -rf *", "curl *", "*169.254*"] };
  it.each([
    ["rm -rf /", "denied"],
    ["ls && rm  -rf x", "denied"],
    ["rm '-rf' x", "denied"],
    ["/bin/rm -rf x", "denied"],
    ["X=1 rm -rf x", "denied"],
    ["sudo -n env A=b /bin/rm -rf x", "denied"],
    ["find . -name x | xargs rm -rf x", "denied"],
    ["bash -c 'curl x'", "denied"],
    ["echo $(curl x)", "denied"],
    ["wget http://169.254.169.254/", "denied"],
    ["case x in a) ;; esac", "denied"],
    ["rm -r x", "allowed"],
    ["echo curl x", "allowed"],
    ["curling", "allowed"],
  ])("%s: %s", (command, expected) => {
    expect(verdict(given, "Bash", { command })).toBe(expected);
  });

  it("a command of a hundred thousand words takes no time", () => {
    const before = performance.now();
    verdict(given, "shell", { command: ["sudo", ...Array.from({ length: 100_000 }, () => "x")] });
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});

describe("C43: modes", () => {
  const tools = ["Read", "Write", "Bash", "Agent", "mcp:mail:*"];
  const all = { tools, agents: ["*"] };
  it.each([
    ["analysis_only", "Read", "allowed", true],
    ["analysis_only", "Write", "denied", false],
    ["analysis_only", "Bash", "allowed", true],
    ["analysis_only", "mcp__mail__send", "denied", false],
    ["dry_run", "Read", "allowed", true],
    ["dry_run", "Write", "dry_run", true],
    ["dry_run", "Bash", "dry_run", true],
    ["dry_run", "Agent", "allowed", true],
    ["dry_run", "Edit", "denied", false],
  ] as const)("%s: %s is %s", (mode, name, expected, offered) => {
    expect(verdict({ ...all, mode }, name, { command: "ls" })).toBe(expected);
    expect(new Judge({ ...NONE, ...all, mode }).offers(name, { dry: true })).toBe(offered);
  });

  it("who cannot be told that nothing was executed is offered nothing that changes", () => {
    const dry = new Judge({ ...NONE, ...all, mode: "dry_run" });
    expect(["Read", "Write", "exec_command"].map((name) => dry.offers(name, { dry: false }))).toEqual([true, false, false]);
  });
});

it("what waits for a word is what is allowed and of a pattern; what is denied does not wait", () => {
  const given = { tools: ["Bash", "Write(a)"], deniedCommands: ["curl *"], approveTools: ["Bash(git push *)", "Write"] };
  const bash = (command: string) => verdict(given, "Bash", { command });
  expect([bash("git push origin"), bash("ls; git push"), bash("git pull"), bash("git push; curl x"), bash("eval $X")]).toEqual([
    "ask",
    "ask",
    "allowed",
    "denied",
    "denied",
  ]);
  expect([verdict(given, "Write", { file_path: "a" }), verdict(given, "Write", { file_path: "b" })]).toEqual(["ask", "denied"]);
});

it.each([
  ["shell", true],
  ["local_shell", true],
  ["bash_20250124", true],
  ["apply_patch", false],
  ["web_search_20250305", false],
  ["web_search_preview_2025_03_11", false],
  ["mcp__mail__*", false],
  ["update_plan", true],
])("the tool %s is offered under Bash alone: %s", (name, expected) => {
  expect(new Judge({ ...NONE, tools: ["Bash(git *)"] }).offers(name, { dry: true })).toBe(expected);
});

it.each([
  [["Bash(git *)"], "Bash(git log *)", true],
  [["Bash(git *)"], "Bash(git:*)", true],
  [["Bash(git *)"], "Bash", false],
  [["Bash"], "Bash(rm *)", true],
  [["Bash"], "shell(ls *)", true],
  [["Read(src/*)"], "Read(./src/a/*)", true],
  [["Read(src/*)"], "Read(src/../*)", false],
  [["mcp:weather:*"], "mcp:weather:get", true],
  [["mcp:weather:get"], "mcp:weather:*", false],
  [["*"], "Bash(rm *)", true],
])("%j holds %s: %s", (outer, inner, expected) => {
  expect(within(rulesOf(outer), rulesOf([inner])[0]!)).toBe(expected);
});

it.each([["Read"], ["Bash(a (b) c)"], ["mcp:x:*"], ["*"]])("%s is a rule", (text) => expect(isRule(text)).toBe(true));
it.each([[""], ["Bash("], ["(x)"], ["Bash()"], ["Bash)"], ["Bash(x) y"]])("%j is none", (text) => expect(isRule(text)).toBe(false));

const TOOL = fc.constantFrom("Bash", "shell", "apply_patch", "Read", "Agent", "Skill", "WebFetch", "write_stdin", "local_shell_call", "x");
const FIELD = fc.constantFrom("command", "cmd", "action", "file_path", "path", "input", "url", "skill", "subagent_type", "toString");

it("whatever a model makes of a call, there is a verdict, and nothing beyond the rules is allowed", () => {
  const rules = new Judge({
    ...NONE,
    tools: ["Read(src/*)", "Bash(git *)"],
    deniedCommands: ["curl *"],
    approveTools: ["Bash(git push *)"],
  });
  const input = fc.oneof(
    fc.json(),
    fc.string(),
    fc.dictionary(FIELD, fc.jsonValue()).map((each) => JSON.stringify(each)),
  );
  fc.assert(
    fc.property(TOOL, input, (name, given) => {
      const { outcome, tool } = rules.judge({ name, input: given });
      expect(["allowed", "denied", "ask"]).toContain(outcome);
      if (outcome === "allowed") expect(["Bash", "Read"]).toContain(tool);
    }),
    { numRuns: 2_000 },
  );
});
