import { matches } from "./glob.ts";
import { allow, names, ofTool, type Rule, rulesOf, said } from "./rules.ts";
import type { Command } from "./shell-text.ts";
import { changes, HARMLESS, type ToolCall, toolNamed, type Use, useOf } from "./tools.ts";

/** What a task's agent may do: patterns, and the mode that it works in. */
export interface Permissions {
  readonly mode: "normal" | "analysis_only" | "dry_run";
  /** `Read`, `Bash(git *)`, `mcp:weather:*`. */
  readonly tools: readonly string[];
  /** Kinds of agents that it may start. */
  readonly agents: readonly string[];
  readonly skills: readonly string[];
  readonly deniedCommands: readonly string[];
  /** What waits for a person's word, of what is allowed. */
  readonly approveTools: readonly string[];
}

/** What becomes of a call. */
export interface Verdict {
  readonly outcome: "allowed" | "denied" | "dry_run" | "ask";
  readonly tool: string;
  readonly reason: string | null;
}

/** What a tool that was not run says for itself. */
export const NOT_EXECUTED = "dry run: not executed";

/** These begin another command with one of their words. */
const WRAPPERS = new Set(
  "env sudo doas nohup nice timeout xargs time command builtin exec stdbuf setsid busybox find parallel watch".split(" "),
);
/** So many words behind one of them may be where the other begins. */
const WRAPPED_MAX = 32;
/** Of a longer command only the whole is looked at. */
const WRAPPING_MAX = 65_536;

/** Judges the calls of one task. Whoever judges, the wire or the hook, judges alike. */
export class Judge {
  readonly #permissions: Permissions;
  readonly #rules: readonly Rule[];
  readonly #approvals: readonly Rule[];

  constructor(permissions: Permissions) {
    this.#permissions = permissions;
    this.#rules = rulesOf(permissions.tools);
    this.#approvals = rulesOf(permissions.approveTools);
  }

  /** Whether a model may be told of a tool: by the name that the agent gives it, or the type of one of the vendors' own. */
  offers(name: string, { dry }: { readonly dry: boolean }): boolean {
    const tool = toolNamed(name);
    const { mode } = this.#permissions;
    if (changes(tool) && ((mode === "analysis_only" && tool !== "Bash") || (mode === "dry_run" && !dry))) return false;
    return this.#mayName(tool);
  }

  judge(call: ToolCall): Verdict {
    const use = useOf(call);
    const { tool } = use;
    const denied = this.#denial(use);
    if (denied !== null) return { outcome: "denied", tool, reason: denied };
    if (this.#permissions.mode === "dry_run" && changes(tool)) return { outcome: "dry_run", tool, reason: NOT_EXECUTED };
    return this.#waits(use) ? { outcome: "ask", tool, reason: null } : { outcome: "allowed", tool, reason: null };
  }

  /** Whether a command that a task consists of waits for a person's word. */
  asks(commands: Use["commands"]): boolean {
    return this.#waits({ tool: "Bash", commands, about: [] });
  }

  #mayName(tool: string): boolean {
    if (HARMLESS.has(tool)) return true;
    const { agents, skills } = this.#permissions;
    if ((tool === "Agent" && agents.length === 0) || (tool === "Skill" && skills.length === 0)) return false;
    return names(this.#rules, tool);
  }

  #denial(use: Use): string | null {
    const { tool, about } = use;
    const { mode, agents, skills } = this.#permissions;
    if (!this.#mayName(tool)) return `${tool} is not among the tools that this task may use`;
    if (mode === "analysis_only" && changes(tool) && tool !== "Bash") return `${tool} may change something, and this task only reads`;
    if (tool === "Bash") return this.#commandDenial(use.commands);
    if (tool === "Agent") return refused(agents, about, "agent");
    if (tool === "Skill") return refused(skills, about, "skill");
    return HARMLESS.has(tool) || allow(this.#rules, use) ? null : `${tool} of ${about.join(", ")} is not allowed to this task`;
  }

  /** Every command must be allowed, and none denied; what cannot be told is denied wherever anything is. */
  #commandDenial(commands: Use["commands"]): string | null {
    const { deniedCommands } = this.#permissions;
    const own = ofTool(this.#rules, "Bash");
    const free = own.some(({ about }) => about === null);
    if (commands === null) return free && deniedCommands.length === 0 ? null : "what this command would run cannot be told";
    const denial = deniedBy(deniedCommands, commands);
    if (denial !== null) return `commands of the form ${denial} are denied`;
    if (free) return null;
    const beyond = commands.find(({ words }) => words.length > 0 && !(isOneWord(words) && said(own, words.join(" "))));
    if (beyond) return `the command ${shown(beyond)} is not allowed to this task`;
    const written = commands.flatMap(({ writes }) => writes).find((path) => !allow(this.#rules, useOf(writing(path))));
    return written === undefined ? null : `writing into ${written} is not allowed to this task`;
  }

  #waits({ tool, commands, about }: Use): boolean {
    const own = ofTool(this.#approvals, tool);
    if (own.length === 0) return false;
    if (tool !== "Bash") return own.some((rule) => rule.about === null) || about.some((each) => said(own, each));
    return commands === null || commands.some(({ words }) => said(own, words.join(" ")));
  }
}

/** The first pattern that denies one of some commands; null where none does. */
export function deniedBy(patterns: readonly string[], commands: readonly Command[]): string | null {
  const ways = commands.flatMap(({ words }) => waysOf(words));
  return patterns.find((pattern) => ways.some((way) => matches(pattern, way))) ?? null;
}

/** A command as it may be said: also without what is set before it, the folder of its program, and what wraps it. */
function waysOf(words: readonly string[]): string[] {
  const at = words.findIndex((each) => !/^[A-Za-z_]\w*\+?=/.test(each));
  const rest = words.slice(Math.max(at, 0));
  const wraps = WRAPPERS.has(programOf(rest)) && words.join(" ").length <= WRAPPING_MAX;
  const inner = wraps ? rest.slice(0, WRAPPED_MAX).map((_, from) => rest.slice(from)) : [rest];
  return [words.join(" "), ...inner.flatMap((each) => [each.join(" "), [programOf(each), ...each.slice(1)].join(" ")])];
}

function programOf([name = ""]: readonly string[]): string {
  return name.split("/").at(-1) ?? "";
}

/** Whether a program's name holds no blank: `'git /x'` is no git, and reads like one. */
function isOneWord([name = ""]: readonly string[]): boolean {
  return !/\s/.test(name);
}

function refused(patterns: readonly string[], about: readonly string[], what: string): string | null {
  const beyond = about.find((each) => !patterns.some((pattern) => matches(pattern, each)));
  return beyond === undefined ? null : `the ${what} ${beyond} is not allowed to this task`;
}

function writing(path: string): ToolCall {
  return { name: "Write", input: JSON.stringify({ file_path: path }) };
}

function shown({ words }: Command): string {
  const text = words.join(" ");
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
