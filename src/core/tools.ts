/** How a call of a tool is to be read: what its input holds, and so what the call does. */
export type ToolForm =
  /** A command for a shell. */
  | "command"
  /** What is typed into a command that runs already. */
  | "keys"
  /** About a command that runs already, which was seen when it began. */
  | "running"
  | "file"
  /** A file, read where its `command` is `view` and else written. */
  | "editor"
  | "patch"
  | "agent"
  | "skill"
  | "url"
  | "other";

/** A tool as it is known here. */
export interface KnownTool {
  /** Its own name, without a namespace and the date of its version. */
  readonly name: string;
  /** The canonical name, which is Claude Code's, whatever agent calls it. */
  readonly tool: string;
  readonly form: ToolForm;
}

/** The tools of Claude Code, Codex, the native agent and the vendors' own, by what they are in Claude Code's words, and by how they are read. */
const TOOLS: readonly (readonly [tool: string, form: ToolForm, names: string])[] = [
  [
    "Bash",
    "command",
    "Bash Monitor PowerShell bash exec_command unified_exec shell shell_command local_shell local_shell_call shell_call container.exec",
  ],
  ["Bash", "keys", "write_stdin"],
  ["Bash", "running", "BashOutput TaskOutput KillShell TaskStop"],
  ["Read", "file", "Read NotebookRead view_image read_file"],
  ["Glob", "file", "Glob LS List list_dir"],
  ["Grep", "file", "Grep grep_files"],
  ["Write", "file", "Write"],
  ["Edit", "file", "Edit MultiEdit"],
  ["NotebookEdit", "file", "NotebookEdit"],
  ["Edit", "patch", "apply_patch apply_patch_call"],
  ["Edit", "editor", "text_editor str_replace_editor str_replace_based_edit_tool"],
  ["Agent", "agent", "Agent Task spawn_agent"],
  ["Skill", "skill", "Skill"],
  ["WebFetch", "url", "WebFetch web_fetch"],
  ["WebSearch", "other", "WebSearch web_search web_search_preview web_search_call"],
  ["CodeExecution", "command", "bash_code_execution"],
  ["CodeExecution", "editor", "text_editor_code_execution"],
  ["CodeExecution", "other", "code_execution code_interpreter code_interpreter_call"],
  ["FileSearch", "other", "file_search file_search_call"],
  ["ImageGeneration", "other", "image_generation image_generation_call"],
  ["Computer", "other", "computer computer_use_preview computer_call"],
  ["ListMcpResourcesTool", "other", "list_mcp_resources list_mcp_resource_templates"],
  ["ReadMcpResourceTool", "other", "read_mcp_resource"],
  ["TodoWrite", "other", "update_plan"],
  ["AskUserQuestion", "other", "request_user_input"],
  ["ToolSearch", "other", "tool_search tool_search_call tool_search_tool_regex tool_search_tool_bm25"],
];

const BY_NAME: ReadonlyMap<string, KnownTool> = new Map(
  TOOLS.flatMap(([tool, form, names]) => names.split(" ").map((name) => [name, { name, tool, form }] as const)),
);

/** What is known of a tool by the name that an agent or a vendor gives it; one that is not known has the name that it has. */
export function toolKnownAs(text: string): KnownTool {
  const undated = text.replace(/_\d{4}_?\d{2}_?\d{2}$/, "");
  return BY_NAME.get(undated) ?? BY_NAME.get(plain(undated)) ?? { name: undated, tool: undated, form: "other" };
}

/** Codex groups tools of its own in namespaces; tools of MCP servers keep theirs, and have names of their servers' choosing. */
function plain(name: string): string {
  return name.startsWith("mcp__") ? name : (name.split(/__|\./).at(-1) ?? name);
}
