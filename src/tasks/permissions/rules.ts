import { covers, matches } from "./glob.ts";
import { pathOf, toolNamed, type Use } from "./tools.ts";

/** What may be called: a tool, and of what it may be about; null: anything. Both are patterns in which `*` stands for any text. */
export interface Rule {
  readonly tool: string;
  readonly about: string | null;
}

const FORM = /^([^()\0]+?)(?:\(([^\0]*)\))?$/;
const PATHS: ReadonlySet<string> = new Set(["Read", "Write", "Edit", "NotebookEdit", "Glob", "Grep"]);

/** A rule as it is written, such as `Read`, `Bash(git *)`, `Edit(src/*)` or `mcp:weather:*`; null for what is none. */
export function ruleOf(text: string): Rule | null {
  const [, name = "", about = null] = FORM.exec(text.trim()) ?? [];
  if (name === "" || about === "") return null;
  const tool = toolNamed(name.startsWith("mcp:") ? name.split(":").join("__") : name);
  return { tool, about: about === null || about === "*" ? null : aboutOf(tool, about) };
}

/** Whether a text is a rule as it is written. */
export function isRule(text: string): boolean {
  return ruleOf(text) !== null;
}

/** Of a command `git:*` is an older spelling of `git *`; paths are those of the workspace. */
function aboutOf(tool: string, about: string): string {
  if (tool === "Bash") return about.replace(/:\*$/, " *");
  return PATHS.has(tool) ? pathOf(about) : about;
}

/** Rules as they are written; what is none is left out, since it allows nothing. */
export function rulesOf(texts: readonly string[]): Rule[] {
  return texts.map(ruleOf).filter((rule) => rule !== null);
}

/** Whether all that the inner rule allows one of the outer ones allows. */
export function within(outer: readonly Rule[], inner: Rule): boolean {
  return outer.some(
    ({ tool, about }) => covers(tool, inner.tool) && (about === null || (inner.about !== null && covers(about, inner.about))),
  );
}

/** Whether some call of a tool may be allowed. A server of tools goes by all of its names. */
export function names(rules: readonly Rule[], tool: string): boolean {
  return rules.some((rule) => covers(rule.tool, tool));
}

/** The rules that a tool has. */
export function ofTool(rules: readonly Rule[], tool: string): Rule[] {
  return rules.filter((rule) => matches(rule.tool, tool));
}

/** Whether every one of some texts is of a rule of the tool's. */
export function allow(rules: readonly Rule[], { tool, about }: Pick<Use, "tool" | "about">): boolean {
  const own = ofTool(rules, tool);
  return own.some((rule) => rule.about === null) || (own.length > 0 && about.length > 0 && about.every((each) => said(own, each)));
}

/** Whether a text is what some rule is about. */
export function said(rules: readonly Rule[], text: string): boolean {
  return rules.some(({ about }) => about === null || matches(about, text));
}
