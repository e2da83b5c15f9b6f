import { parse } from "yaml";
import { type Fields, isObject } from "#core";
import type { Assignment, GivenFile } from "./contract.ts";
import { said } from "./lines.ts";

/** A sub-agent as Claude Code is given one. */
export interface SubAgent {
  readonly description: string;
  readonly prompt: string;
  readonly tools?: readonly string[];
}

const SUB_AGENT = /^\.claude\/agents\/(?:[^/]+\/)*[^/]+\.md$/;
const SKILL = /^\.(claude|agents|codex)\/skills\/([^/]+)\/(.+)$/;
const FRONT = /^---\r?\n([\s\S]*?)\r?\n---\r?\n?([\s\S]*)$/;

/** The sub-agents of a request's files that a task may call, by their names. A file that describes none is none. */
export function subAgentsOf({ files, mayCall }: Assignment): Record<string, SubAgent> {
  const described = files.filter(({ path }) => SUB_AGENT.test(path)).flatMap((file) => subAgentIn(textOf(file)));
  return Object.fromEntries(described.filter(([name]) => mayCall(name)));
}

/** A skill's file, and where in its skill it stands. */
export interface SkillFile {
  readonly skill: string;
  /** The folder of the checkout that it was found in: whose skills it is among. */
  readonly among: "claude" | "agents" | "codex";
  readonly below: string;
  readonly file: GivenFile;
  readonly allowed: boolean;
}

/** The files of skills among a request's. */
export function skillFilesOf({ files, mayUse }: Assignment): SkillFile[] {
  return files.flatMap((file): SkillFile[] => {
    const [, among, skill, below] = SKILL.exec(file.path) ?? [];
    if (skill === undefined || below === undefined) return [];
    return [{ skill, among: among as SkillFile["among"], below, file, allowed: mayUse(skill) }];
  });
}

function subAgentIn(text: string): [string, SubAgent][] {
  const [, front = "", prompt = ""] = FRONT.exec(text) ?? [];
  const head = headOf(front);
  const [name, description] = [said(head?.["name"]), said(head?.["description"])];
  if (!head || name === null || description === null) return [];
  const { tools } = head;
  const listed = typeof tools === "string" ? tools.split(",") : Array.isArray(tools) ? tools.map(String) : null;
  return [[name, { description, prompt: prompt.trim(), ...(listed ? { tools: listed.map((tool) => tool.trim()) } : {}) }]];
}

function headOf(front: string): Fields | null {
  try {
    const head: unknown = parse(front);
    return isObject(head) ? head : null;
  } catch {
    return null;
  }
}

function textOf({ base64 }: GivenFile): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
}
