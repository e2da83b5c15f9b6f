import { describe, expect, it } from "vitest";
import { auditEvent } from "../../../src/audit/contract.ts";
import { type ToolCall, toolCallEntries } from "../../../src/audit/tool-calls.ts";

const PLACE = { task: "task_t1", key: "key_k1", team: "team_a", request: "req_r1", at: 1_795_000_000_000, order: 7 };

function entriesOf(tool: string, input: unknown, also: Partial<ToolCall> = {}) {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  return toolCallEntries({ agent: "claude-code", tool, input: text, verdict: "allowed", ...also }, PLACE);
}

const file = (access: "read" | "write", ...paths: string[]) => ["file_access", paths[0], { access, paths }] as const;
const command = (tool: string, line: string) => ["bash_command", tool, { command: line }] as const;
const PATCH = "*** Begin Patch\n*** Update File: src/a.ts\n*** Move to: src/b.ts\n@@\n-1\n+2\n*** Add File: c d.txt\n+x\n*** End Patch";

describe("A52, A53, A54, A55: what a call is in the audit", () => {
  it.each([
    ["Read", { file_path: "/workspace/a.ts", limit: 5 }, [file("read", "/workspace/a.ts")]],
    ["Write", { file_path: "/workspace/a.ts", content: "x" }, [file("write", "/workspace/a.ts")]],
    ["Edit", { file_path: "a.ts", old_string: "1", new_string: "2" }, [file("write", "a.ts")]],
    ["MultiEdit", { file_path: "a.ts", edits: [] }, [file("write", "a.ts")]],
    ["NotebookEdit", { notebook_path: "n.ipynb", new_source: "" }, [file("write", "n.ipynb")]],
    ["Glob", { pattern: "**/*.ts", path: "src" }, [file("read", "src")]],
    ["Grep", { pattern: "secret" }, [file("read", ".")]],
    ["LS", { path: "/etc" }, [file("read", "/etc")]],
    ["List", { path: "docs" }, [file("read", "docs")]],
    ["view_image", { path: "a.png" }, [file("read", "a.png")]],
    ["apply_patch", PATCH, [file("write", "src/a.ts", "src/b.ts", "c d.txt")]],
    ["apply_patch", { input: PATCH }, [file("write", "src/a.ts", "src/b.ts", "c d.txt")]],
    ["Bash", { command: "rm -rf /", description: "tidy" }, [command("Bash", "rm -rf /")]],
    ["exec_command", { cmd: "ls", workdir: "/workspace" }, [command("exec_command", "ls")]],
    ["functions.exec_command", { cmd: "ls" }, [command("exec_command", "ls")]],
    ["shell", { command: ["bash", "-lc", "ls | wc"] }, [command("shell", "ls | wc")]],
    ["shell", { command: ["git", "push", "-f"] }, [command("shell", "git push -f")]],
    ["container.exec", { command: ["id"] }, [command("container.exec", "id")]],
    ["local_shell", { action: { type: "exec", command: ["env"] } }, [command("local_shell", "env")]],
    ["write_stdin", { session_id: 1, chars: "yes\n" }, [command("write_stdin", "yes\n")]],
    ["write_stdin", { session_id: 1, chars: "" }, []],
    [
      "shell_command",
      { command: `apply_patch <<'EOF'\n${PATCH}\nEOF` },
      [command("shell_command", `apply_patch <<'EOF'\n${PATCH}\nEOF`), file("write", "src/a.ts", "src/b.ts", "c d.txt")],
    ],
    ["Task", { description: "look", subagent_type: "Explore", prompt: "…" }, [["agent_call", "Explore", { description: "look" }]]],
    ["Agent", { description: "look", prompt: "…" }, [["agent_call", "default", {}]]],
    ["spawn_agent", { task_name: "look", message: "…" }, [["agent_call", "default", { description: "look" }]]],
    ["Skill", { skill: "pdf", args: "a.pdf" }, [["skill_call", "pdf", { skill: "pdf" }]]],
    ["bash", { command: "ls", restart: false }, [command("bash", "ls")]],
    [
      "local_shell_call",
      { action: { type: "exec", command: ["bash", "-lc", "ls | wc"], env: {} } },
      [command("local_shell_call", "ls | wc")],
    ],
    ["shell_call", { action: { commands: ["cd /tmp", "ls"], timeout_ms: 5 } }, [command("shell_call", "cd /tmp\nls")]],
    ["shell_call", { action: { commands: [] } }, []],
    ["apply_patch_call", { operation: { type: "update_file", path: "a.ts", diff: "@@" } }, [file("write", "a.ts")]],
    ["apply_patch", { operation: { path: "x" }, input: PATCH }, [file("write", "src/a.ts", "src/b.ts", "c d.txt", "x")]],
    ["str_replace_based_edit_tool", { command: "view", path: "/etc/hosts" }, [file("read", "/etc/hosts")]],
    ["str_replace_based_edit_tool", { command: "create", path: "a.ts", file_text: "" }, [file("write", "a.ts")]],
    ["mcp__files__Read", { file_path: "a" }, []],
    ["constructor", {}, []],
    ["TodoWrite", { todos: [] }, []],
    ["Bash", { other: 1 }, []],
    ["Bash", "[1]", []],
    ["shell", { command: ["ls", { toString: 1 }] }, [command("shell", 'ls {"toString":1}')]],
    ["apply_patch", { toString: 1 }, [["file_access", ".", { access: "write", paths: [] }]]],
  ])("%s %j", async (tool, input, expected) => {
    const [call, ...deeds] = await entriesOf(tool, input);
    expect(call).toMatchObject({ type: "tool_call", subject: { kind: "tool", id: tool }, details: { tool } });
    expect(deeds.map(({ type, subject, details }) => [type, subject?.id, details])).toEqual(
      expected.map(([type, id, details]) => [type, id, expect.objectContaining(details)]),
    );
  });

  it("each entry says whose, by whom and where in the order, and is one the queue takes", async () => {
    const entries = await entriesOf("Bash", { command: "ls" }, { agent: "codex" });
    expect(entries).toHaveLength(2);
    for (const entry of entries) {
      expect(auditEvent.safeParse(entry).success).toBe(true);
      const whose = { task: "task_t1", key: "key_k1", team: "team_a", request: "req_r1", at: PLACE.at };
      expect(entry).toMatchObject({ ...whose, actor: { kind: "task", id: "task_t1" }, severity: "info", outcome: "ok" });
      expect(entry.details).toMatchObject({ agent: "codex", order: 7 });
    }
  });

  it("a call told twice has the same ids, calls of other places have others", async () => {
    const ids = async (place: Partial<typeof PLACE>) =>
      (await toolCallEntries({ agent: "a", tool: "Bash", input: '{"command":"ls"}', verdict: "allowed" }, { ...PLACE, ...place })).map(
        ({ id }) => id,
      );
    expect(await ids({ at: PLACE.at + 5 })).toEqual(await ids({}));
    const all = [await ids({}), await ids({ order: 8 }), await ids({ order: 10 }), await ids({ request: "req_r2" })].flat();
    expect(new Set(all).size).toBe(8);
    expect(all.slice(0, 6).toSorted()).toEqual(all.slice(0, 6));
  });
});

describe("A50: a call that is denied", () => {
  it("stands as an attempt, and as a permission denied with the reason", async () => {
    const entries = await entriesOf("WebFetch", { url: "https://evil.example" }, { verdict: "denied", reason: "not in the profile" });
    expect(entries.map(({ type, severity, outcome }) => [type, severity, outcome])).toEqual([
      ["tool_call", "warning", "denied"],
      ["permission_denied", "warning", "denied"],
    ]);
    expect(entries[1]).toMatchObject({ subject: { kind: "tool", id: "WebFetch" }, details: { reason: "not in the profile" } });
  });

  it("a call that waits for a word, or is not executed in a dry run, is marked as that, and is no denial", async () => {
    for (const verdict of ["ask", "dry_run"] as const) {
      const entries = await entriesOf("Bash", { command: "git push" }, { verdict });
      expect(entries.map(({ type, outcome, severity }) => [type, outcome, severity])).toEqual([
        ["tool_call", verdict, "info"],
        ["bash_command", verdict, "info"],
      ]);
    }
  });

  it("is critical where it is a command", async () => {
    const entries = await entriesOf("Bash", { command: "curl evil.example" }, { verdict: "denied", reason: "denied" });
    expect(entries.map(({ type, severity }) => [type, severity])).toEqual([
      ["tool_call", "warning"],
      ["bash_command", "warning"],
      ["permission_denied", "critical"],
    ]);
  });
});

describe("what is kept of an input", () => {
  it("is all of it where it is small, with the size and digest of the text", async () => {
    const [call] = await entriesOf("Bash", '{"command":"ls"}');
    expect(call!.details).toMatchObject({
      input: { command: "ls" },
      input_cut: false,
      input_bytes: 16,
      input_sha256: "4cf29611a66934862f29acfcc817e30b905c1ab73d5e65831413eb6b454d49db",
    });
  });

  it.each([
    ["a long text", { file_path: "a", content: "é".repeat(100_000) }],
    ["many fields", Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`field_${at}`, at]))],
    ["many items", Array.from({ length: 100_000 }, () => 1)],
    ["many empty items", Array.from({ length: 100_000 }, () => "")],
    ["a deep one", JSON.parse(`${'{"a":'.repeat(500)}1${"}".repeat(500)}`)],
    ["half a character at the cut", `x${"😀".repeat(5_000)}`],
  ])("is no more than the cap allows: %s", async (_, input) => {
    for (const { details, type } of await entriesOf("Write", input)) {
      expect([type, JSON.stringify(details).length < 20_000]).toEqual([type, true]);
      expect(JSON.stringify(details)).not.toMatch(/\\ud[89a-f]/);
      if (type === "tool_call") expect(details["input_cut"]).toBe(JSON.stringify(input).length > 4_200);
    }
  });

  it("is cut where it is nested beyond what can be written", async () => {
    const [call] = await entriesOf("Write", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`);
    expect(call!.details).toMatchObject({ input_cut: true });
  });

  it.each(["/", "\n", "é"])("threat 26: has no secret in it, wherever it stands: after %j", async (before) => {
    const secrets = ["sk-proj-0123456789abcdef", "AKIAIOSFODNN7EXAMPLE", `ghp_${"a1".repeat(18)}`];
    const text = (filler: number) => secrets.map((secret) => `${"x".repeat(filler)}${before}${secret}`).join(" ");
    const inputs = [0, 1_340, 4_090].flatMap((filler) => [
      { command: text(filler) },
      { command: ["bash", "-c", text(filler)] },
      { file_path: text(filler), [secrets[0]!]: 1, password: "hunter-two" },
    ]);
    for (const input of inputs) {
      const told = JSON.stringify(await Promise.all(["Bash", "Read", "apply_patch", "Skill"].map((tool) => entriesOf(tool, input))));
      for (const secret of [...secrets, "hunter-two"]) expect(told).not.toContain(secret.slice(0, 12));
    }
  });
});
