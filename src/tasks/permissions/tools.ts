import { WORKSPACE_INSIDE } from "#runner-protocol";
import { type Command, commandsIn, commandsOf } from "./shell.ts";

/** A call of a tool, as an agent makes it: the tool's own name and the text that it is given. */
export interface ToolCall {
  readonly name: string;
  /** The text of a JSON value, or a text in the tool's own form. */
  readonly input: string;
}

/** What a call comes to, whatever agent makes it: the tool by its canonical name, which is Claude Code's, and what it is about. */
export interface Use {
  readonly tool: string;
  /** What is run, command by command; null where that cannot be told. */
  readonly commands: readonly Command[] | null;
  /** Files, a domain, the kind of agent, the skill: each must be allowed. */
  readonly about: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;
type Reader = (input: unknown, fields: Fields) => Partial<Use>;

const WORKSPACE = `${WORKSPACE_INSIDE}/`;

const nothing: Reader = () => ({});
const command: Reader = (input, fields) => {
  const given = { ...fields, ...fieldsOf(fields["action"]) };
  const run = typeof input === "string" ? input : (given["command"] ?? given["cmd"] ?? given["input"]);
  if (Array.isArray(given["commands"])) return { commands: commandsIn(given["commands"].map(said).join("\n")) };
  if (Array.isArray(run)) return { commands: commandsOf(run.map(said)) };
  return { commands: typeof run === "string" ? commandsIn(run) : null };
};
const typed: Reader = (_, { chars }) => ({ commands: commandsIn(typeof chars === "string" ? chars : "") });
/** About a command that runs already, and was judged when it began. */
const running: Reader = () => ({ commands: [] });
const file: Reader = (_, fields) => ({ about: [pathOf(textOf(fields, ["file_path", "notebook_path", "path", "dir_path"]) ?? ".")] });
const editor: Reader = (input, fields) => ({ ...file(input, fields), ...(fields["command"] === "view" ? { tool: "Read" } : {}) });
const patch: Reader = (input, fields) => {
  const { path } = fieldsOf(fields["operation"]);
  return { about: typeof path === "string" ? [pathOf(path)] : patched(textOf(fields, ["input", "patch"]) ?? said(input)) };
};
const agent: Reader = (_, fields) => ({ about: [textOf(fields, ["subagent_type", "agent_type", "name"]) ?? "general-purpose"] });
/** Skills that came with a task bear the name of the plugin that they are given in before their own, where a model says it. */
const skill: Reader = (_, fields) => ({ about: [(textOf(fields, ["skill", "command", "name"]) ?? "").replace(/^task:/, "")] });
const domain: Reader = (_, fields) => ({ about: [`domain:${hostOf(textOf(fields, ["url"]) ?? "")}`] });

/** What agents call their tools, and the canonical name of each. A tool that is not here has the name that it has. */
const TOOLS: ReadonlyMap<string, readonly [tool: string, read: Reader]> = new Map(
  Object.entries({
    Bash: ["Bash", command],
    Monitor: ["Bash", command],
    PowerShell: ["Bash", command],
    bash: ["Bash", command],
    exec_command: ["Bash", command],
    unified_exec: ["Bash", command],
    shell: ["Bash", command],
    shell_command: ["Bash", command],
    local_shell: ["Bash", command],
    local_shell_call: ["Bash", command],
    shell_call: ["Bash", command],
    "container.exec": ["Bash", command],
    write_stdin: ["Bash", typed],
    BashOutput: ["Bash", running],
    TaskOutput: ["Bash", running],
    KillShell: ["Bash", running],
    TaskStop: ["Bash", running],
    Read: ["Read", file],
    NotebookRead: ["Read", file],
    view_image: ["Read", file],
    read_file: ["Read", file],
    Glob: ["Glob", file],
    LS: ["Glob", file],
    List: ["Glob", file],
    list_dir: ["Glob", file],
    Grep: ["Grep", file],
    grep_files: ["Grep", file],
    Write: ["Write", file],
    Edit: ["Edit", file],
    MultiEdit: ["Edit", file],
    NotebookEdit: ["NotebookEdit", file],
    apply_patch: ["Edit", patch],
    apply_patch_call: ["Edit", patch],
    text_editor: ["Edit", editor],
    str_replace_editor: ["Edit", editor],
    str_replace_based_edit_tool: ["Edit", editor],
    Agent: ["Agent", agent],
    Task: ["Agent", agent],
    spawn_agent: ["Agent", agent],
    Skill: ["Skill", skill],
    WebFetch: ["WebFetch", domain],
    web_fetch: ["WebFetch", domain],
    WebSearch: ["WebSearch", nothing],
    web_search: ["WebSearch", nothing],
    web_search_preview: ["WebSearch", nothing],
    web_search_call: ["WebSearch", nothing],
    code_execution: ["CodeExecution", nothing],
    bash_code_execution: ["CodeExecution", nothing],
    text_editor_code_execution: ["CodeExecution", nothing],
    code_interpreter: ["CodeExecution", nothing],
    code_interpreter_call: ["CodeExecution", nothing],
    file_search: ["FileSearch", nothing],
    file_search_call: ["FileSearch", nothing],
    image_generation: ["ImageGeneration", nothing],
    image_generation_call: ["ImageGeneration", nothing],
    computer: ["Computer", nothing],
    computer_use_preview: ["Computer", nothing],
    computer_call: ["Computer", nothing],
    list_mcp_resources: ["ListMcpResourcesTool", nothing],
    list_mcp_resource_templates: ["ListMcpResourcesTool", nothing],
    read_mcp_resource: ["ReadMcpResourceTool", nothing],
    update_plan: ["TodoWrite", nothing],
    request_user_input: ["AskUserQuestion", nothing],
    tool_search: ["ToolSearch", nothing],
    tool_search_call: ["ToolSearch", nothing],
    tool_search_tool_regex: ["ToolSearch", nothing],
    tool_search_tool_bm25: ["ToolSearch", nothing],
  } satisfies Record<string, readonly [string, Reader]>),
);

/** Tools that act on nothing but the conversation: no profile needs to name them. */
export const HARMLESS: ReadonlySet<string> = new Set(["TodoWrite", "AskUserQuestion", "ToolSearch", "StructuredOutput"]);
/** Tools that change nothing by themselves. */
const READERS: ReadonlySet<string> = new Set([
  ...HARMLESS,
  ..."Read Glob Grep LSP WebFetch WebSearch FileSearch ListMcpResourcesTool ReadMcpResourceTool".split(" "),
]);
/** Tools of which other tools do the work, and those are judged. */
const BY_OTHERS: ReadonlySet<string> = new Set(["Agent", "Skill"]);

/** A tool's canonical name. Tools of the vendors' own carry the date of their version behind it. */
export function toolNamed(name: string): string {
  const undated = name.replace(/_\d{4}_?\d{2}_?\d{2}$/, "");
  return (TOOLS.get(undated) ?? TOOLS.get(plain(name)))?.[0] ?? undated;
}

/** What a call comes to. */
export function useOf({ name, input }: ToolCall): Use {
  const [tool, read] = TOOLS.get(name) ?? TOOLS.get(plain(name)) ?? ([toolNamed(name), nothing] as const);
  const value = inputOf(input);
  return { tool, commands: [], about: [], ...read(value, fieldsOf(value)) };
}

/** Whether a tool may change something when it is called. */
export function changes(tool: string): boolean {
  return !READERS.has(tool) && !BY_OTHERS.has(tool);
}

/** Codex groups tools of its own in namespaces; tools of MCP servers keep theirs. */
function plain(name: string): string {
  return name.startsWith("mcp__") ? name : (name.split(/__|\./).at(-1) ?? name);
}

/** What a tool is given: a JSON value, or where it is none a text in the tool's own form. */
export function inputOf(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}

/** What a value says: a text as it is, all else as JSON. */
function said(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function textOf(fields: Fields, names: readonly string[]): string | null {
  const found = names.map((name) => fields[name]).find((value) => typeof value === "string" && value !== "");
  return typeof found === "string" ? found : null;
}

function patched(text: string): string[] {
  const paths = [...text.matchAll(/^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+)$/gm)].map(([, path]) => pathOf(path!.trim()));
  return paths.length === 0 ? [""] : paths;
}

/** A path as rules name it: below the workspace without it, elsewhere from the root. */
export function pathOf(path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : WORKSPACE + path).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const whole = `/${parts.join("/")}`;
  return `${whole}/`.startsWith(WORKSPACE) ? whole.slice(WORKSPACE.length) || "." : whole;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}
