import { type Fields, fieldsOf, type ToolForm, toolKnownAs } from "#core";
import { WORKSPACE_INSIDE } from "#runner-protocol";
import { commandsIn, commandsOf } from "./shell.ts";
import type { Command } from "./shell-text.ts";

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

type Reader = (input: unknown, fields: Fields) => Partial<Use>;

/** The canonical name of what a provider runs in sandboxes of its own. */
const PROVIDERS_OWN = "CodeExecution";
const WORKSPACE = `${WORKSPACE_INSIDE}/`;

const nothing: Reader = () => ({});
/** A model may fill in more fields than a tool reads, to hide behind one what another runs: all of them are looked at. */
const command: Reader = (input, fields) => {
  const given = typeof input === "string" ? [input] : [fields, fieldsOf(fields["action"])].flatMap(runBy);
  const found = given.map((run) => (Array.isArray(run) ? commandsOf(run.map(said)) : commandsIn(said(run))));
  return { commands: found.length === 0 || found.includes(null) ? null : found.flatMap((each) => each ?? []) };
};
const typed: Reader = (_, { chars }) => ({ commands: commandsIn(typeof chars === "string" ? chars : "") });
/** About a command that runs already, and was judged when it began. */
const running: Reader = () => ({ commands: [] });
const file: Reader = (_, fields) => {
  const paths = textsOf(fields, ["file_path", "notebook_path", "path", "dir_path"]);
  return { about: (paths.length === 0 ? ["."] : paths).map(pathOf) };
};
const editor: Reader = (input, fields) => ({ ...file(input, fields), ...(fields["command"] === "view" ? { tool: "Read" } : {}) });
const patch: Reader = (input, fields) => {
  const about = [
    ...textsOf(fieldsOf(fields["operation"]), ["path"]).map(pathOf),
    ...textsOf(fields, ["input", "patch"]).flatMap(patched),
    ...(typeof input === "string" ? patched(input) : []),
  ];
  return { about: about.length === 0 ? [""] : about };
};
const agent: Reader = (_, fields) => {
  const kinds = textsOf(fields, ["subagent_type", "agent_type"]);
  return { about: kinds.length > 0 ? kinds : [textOf(fields, ["name"]) ?? "general-purpose"] };
};
/** Skills that came with a task bear the name of the plugin that they are given in before their own, where a model says it. */
const skill: Reader = (_, fields) => ({ about: [(textOf(fields, ["skill", "command", "name"]) ?? "").replace(/^task:/, "")] });
const domain: Reader = (_, fields) => ({ about: [`domain:${hostOf(textOf(fields, ["url"]) ?? "")}`] });

const READERS: Readonly<Record<ToolForm, Reader>> = {
  command,
  keys: typed,
  running,
  file,
  editor,
  patch,
  agent,
  skill,
  url: domain,
  other: nothing,
};

/** Tools that act on nothing but the conversation: no profile needs to name them. */
export const HARMLESS: ReadonlySet<string> = new Set(["TodoWrite", "AskUserQuestion", "ToolSearch", "StructuredOutput"]);
/** Tools that change nothing by themselves. */
const UNCHANGING: ReadonlySet<string> = new Set([
  ...HARMLESS,
  ..."Read Glob Grep LSP WebFetch WebSearch FileSearch ListMcpResourcesTool ReadMcpResourceTool".split(" "),
]);
/** Tools of which other tools do the work, and those are judged. */
const BY_OTHERS: ReadonlySet<string> = new Set(["Agent", "Skill"]);

/** A tool's canonical name. */
export function toolNamed(name: string): string {
  return toolKnownAs(name).tool;
}

/** What a call comes to. */
export function useOf({ name, input }: ToolCall): Use {
  const { tool, form } = toolKnownAs(name);
  const value = inputOf(input);
  const use = { tool, commands: [], about: [], ...READERS[form](value, fieldsOf(value)) };
  // What runs at a provider's is one thing, whatever it is given.
  return tool === PROVIDERS_OWN ? { ...use, tool } : use;
}

/** Whether a tool may change something when it is called. */
export function changes(tool: string): boolean {
  return !UNCHANGING.has(tool) && !BY_OTHERS.has(tool);
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

/** What some fields have a shell run: texts, and lists of arguments. */
function runBy({ command: first, cmd, input, commands }: Fields): unknown[] {
  return [first, cmd, input, ...(Array.isArray(commands) ? commands : [commands])].filter((run) => run !== undefined && run !== null);
}

function textOf(fields: Fields, names: readonly string[]): string | null {
  return textsOf(fields, names)[0] ?? null;
}

function textsOf(fields: Fields, names: readonly string[]): string[] {
  return names.map((name) => fields[name]).filter((value) => typeof value === "string" && value !== "") as string[];
}

function patched(text: string): string[] {
  const paths = [...text.matchAll(/^\s*\*\*\* (?:Add File|Update File|Delete File|Move to): (.+)$/gm)].map(([, path]) =>
    pathOf(path!.trim()),
  );
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
