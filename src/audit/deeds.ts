import { type Fields, fieldsOf, type KnownTool, toolKnownAs } from "#core";

/** What a tool does beside being called. */
export interface Deed {
  readonly type: "file_access" | "bash_command" | "agent_call" | "skill_call";
  readonly subject: { readonly kind: "file" | "tool" | "agent" | "skill"; readonly id: string };
  readonly details: Readonly<Record<string, unknown>>;
}

/** By their canonical names, the tools that only read files; others that are about files write them. */
const READERS: ReadonlySet<string> = new Set(["Read", "Glob", "Grep"]);

/** Of a patch over very many files so many are listed; the rest is counted. */
const PATHS_MAX = 100;

/**
 * What a call does, by what is known of its tool: the files it reads or writes, the command it runs, the agent or the skill it begins.
 * A tool that is not known is a call and nothing more.
 */
export function deedsOf(tool: string, input: unknown): Deed[] {
  const known = toolKnownAs(tool);
  const { name, form } = known;
  const fields = fieldsOf(input);
  const command = form === "command" || form === "keys" ? commandOf(input, fields) : null;
  return [
    ...(command === null ? [] : [ran(name, command)]),
    ...touched(known, { input, fields, command }),
    ...(form === "agent" ? [agentCall(fields)] : []),
    ...(form === "skill" ? [skillCall(fields)] : []),
  ];
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
function touched({ tool, form }: KnownTool, { input, fields, command }: Given): Deed[] {
  const text = form === "patch" ? (textOf(fields, ["input", "patch"]) ?? said(input)) : command;
  const patched = text === null ? [] : patchedBy(text);
  const named = textOf(fieldsOf(fields["operation"]), ["path"]);
  if (form === "patch") return [accessed("write", named === null ? patched : [...patched, named])];
  if (patched.length > 0) return [accessed("write", patched)];
  if (form !== "file" && form !== "editor") return [];
  const reads = form === "editor" ? fields["command"] === "view" : READERS.has(tool);
  return [accessed(reads ? "read" : "write", [textOf(fields, ["file_path", "notebook_path", "path", "dir_path"]) ?? "."])];
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
