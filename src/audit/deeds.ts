/** What a tool does beside being called. */
export interface Deed {
  readonly type: "file_access" | "bash_command" | "agent_call" | "skill_call";
  readonly subject: { readonly kind: "file" | "tool" | "agent" | "skill"; readonly id: string };
  readonly details: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;

/** The tools of Claude Code, Codex, the native agent and the vendors' own that are about files. */
const FILE_TOOLS: ReadonlyMap<string, "read" | "write"> = new Map([
  ...["Read", "NotebookRead", "Glob", "Grep", "LS", "List", "view_image", "read_file", "list_dir", "grep_files"].map(
    (name) => [name, "read"] as const,
  ),
  ...["Write", "Edit", "MultiEdit", "NotebookEdit", "apply_patch_call"].map((name) => [name, "write"] as const),
]);
/** One of these reads where its `command` is `view`, and else writes. */
const EDITORS: ReadonlySet<string> = new Set([
  "str_replace_based_edit_tool",
  "str_replace_editor",
  "text_editor",
  "text_editor_code_execution",
]);
const COMMAND_TOOLS: ReadonlySet<string> = new Set([
  "Bash",
  "bash",
  "bash_code_execution",
  "Monitor",
  "PowerShell",
  "exec_command",
  "unified_exec",
  "shell",
  "shell_command",
  "local_shell",
  "local_shell_call",
  "shell_call",
  "container.exec",
  "write_stdin",
]);
const AGENT_TOOLS: ReadonlySet<string> = new Set(["Task", "Agent", "spawn_agent"]);
const SKILL_TOOLS: ReadonlySet<string> = new Set(["Skill"]);

/** Of a patch over very many files so many are listed; the rest is counted. */
const PATHS_MAX = 100;

/**
 * What a call does, by what is known of its tool: the files it reads or writes, the command it runs, the agent or the skill it begins.
 * A tool that is not known is a call and nothing more.
 */
export function deedsOf(tool: string, input: unknown): Deed[] {
  const name = plainName(tool);
  const fields = fieldsOf(input);
  const command = COMMAND_TOOLS.has(name) ? commandOf(input, fields) : null;
  return [
    ...(command === null ? [] : [ran(name, command)]),
    ...touched(name, { input, fields, command }),
    ...(AGENT_TOOLS.has(name) ? [agentCall(fields)] : []),
    ...(SKILL_TOOLS.has(name) ? [skillCall(fields)] : []),
  ];
}

/** A tool's own name, without the namespace that it is told under; tools of MCP servers have names of their servers' choosing. */
function plainName(tool: string): string {
  if (COMMAND_TOOLS.has(tool) || tool.startsWith("mcp__")) return tool;
  return tool.split(/__|\./).at(-1)!;
}

function fieldsOf(input: unknown): Fields {
  return typeof input === "object" && input !== null && !Array.isArray(input) ? (input as Fields) : {};
}

/** What a value says: a text as it is, all else as JSON. */
function said(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The first of some fields that holds a text. */
function textOf(fields: Fields, names: readonly string[]): string | null {
  const named = names.map((name) => fields[name]).find((value) => typeof value === "string" && value !== "");
  return typeof named === "string" ? named : null;
}

/** What a shell is given to run, or a session that runs to read; null where a session is only listened to. */
function commandOf(input: unknown, fields: Fields): string | null {
  if (typeof input === "string") return input || null;
  const given = { ...fields, ...fieldsOf(fields["action"]) };
  if (Array.isArray(given["commands"])) return given["commands"].map(said).join("\n") || null;
  const argv = [given["command"], given["cmd"], given["input"]].find(Array.isArray);
  if (argv) return lineOf(argv.map(said));
  return textOf(given, ["command", "cmd", "chars", "input"]);
}

/** A list of arguments as a line; of a shell that is handed a script, the script. */
function lineOf(argv: readonly string[]): string {
  const [, flag = "", script] = argv;
  return script !== undefined && /^-l?c$/.test(flag) ? script : argv.join(" ");
}

function ran(tool: string, command: string): Deed {
  return { type: "bash_command", subject: { kind: "tool", id: tool }, details: { command } };
}

interface Given {
  readonly input: unknown;
  readonly fields: Fields;
  readonly command: string | null;
}

/** The files of a call. Codex takes a patch that a shell is to read for a patch, so that one counts as well. */
function touched(name: string, { input, fields, command }: Given): Deed[] {
  const patch = name === "apply_patch" ? (textOf(fields, ["input", "patch"]) ?? said(input)) : command;
  const patched = patch === null ? [] : patchedBy(patch);
  if (name === "apply_patch" || patched.length > 0) return [accessed("write", patched)];
  const access = accessOf(name, fields);
  if (!access) return [];
  const named = { ...fields, ...fieldsOf(fields["operation"]) };
  return [accessed(access, [textOf(named, ["file_path", "notebook_path", "path", "dir_path"]) ?? "."])];
}

function accessOf(name: string, { command }: Fields): "read" | "write" | undefined {
  if (EDITORS.has(name)) return command === "view" ? "read" : "write";
  return FILE_TOOLS.get(name);
}

function accessed(access: "read" | "write", paths: readonly string[]): Deed {
  const more = paths.length > PATHS_MAX ? { more: paths.length - PATHS_MAX } : {};
  const details = { access, paths: paths.slice(0, PATHS_MAX), ...more };
  return { type: "file_access", subject: { kind: "file", id: paths[0] ?? "." }, details };
}

const PATCHED = /^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+)$/gm;

function patchedBy(text: string): string[] {
  if (!text.includes("*** Begin Patch")) return [];
  return [...new Set([...text.matchAll(PATCHED)].map(([, path]) => path!.trim()))];
}

function agentCall(fields: Fields): Deed {
  const id = textOf(fields, ["subagent_type", "agent_type", "name"]) ?? "default";
  const about = textOf(fields, ["description", "task_name"]);
  return { type: "agent_call", subject: { kind: "agent", id }, details: { agent_type: id, description: about } };
}

function skillCall(fields: Fields): Deed {
  const id = textOf(fields, ["skill", "command", "name"]) ?? "unknown";
  return { type: "skill_call", subject: { kind: "skill", id }, details: { skill: id } };
}
