import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AGENT_PROGRAMS, type AgentName, agentName, type Health } from "./protocol.ts";
import { reasonOf } from "./report.ts";
import { tryOut, type Ground } from "./trial.ts";

/** Where an agent's own folder is among what npm installs: a program for each machine, in a package of its own. */
const PACKAGES: Readonly<Record<AgentName, { readonly package: string; readonly folder: string }>> = {
  "claude-code": { package: `@anthropic-ai/claude-code-linux-${process.arch}`, folder: "." },
  codex: {
    package: `@openai/codex-linux-${process.arch}`,
    folder: `vendor/${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl`,
  },
};

/** The folder in the sandbox that an agent's folder is seen at. */
const seenAt = (name: AgentName) => `/opt/agents/${name}`;

const TRIAL_LIMITS = {
  wallMs: 20_000,
  cpuCores: 2,
  memoryBytes: 2 ** 30,
  processes: 128,
  diskBytes: 64 * 2 ** 20,
  files: 1_000,
  outputBytes: 4_096,
};

/** The agents that jobs may name, and why others that were offered are not among them. */
export interface Agents {
  readonly found: Health["agents"];
  readonly missing: readonly string[];
  /** What of the host a job that names one sees. @throws Error where there is no such agent. */
  given(name: AgentName | null): Readonly<Record<string, string>>;
}

/** Makes a folder of the host one that any job's user may read, at a path. */
type Open = (name: string, folder: string) => Promise<string>;

/**
 * Finds what an operator has installed below a folder, `claude-code` and `codex`, by running it in a sandbox: a program that does not
 * say its version there is none that a job could use.
 */
export async function findAgents(folder: string | undefined, ground: Ground, open: Open): Promise<Agents> {
  const offered = folder === undefined ? [] : agentName.options.filter((name) => existsSync(join(folder, name)));
  const folders = new Map<AgentName, string>();
  const found: { name: AgentName; version: string }[] = [];
  const missing: string[] = [];
  for (const name of offered) {
    try {
      const opened = await open(name, await programFolder(join(folder!, name), name));
      found.push({ name, version: await versionOf(name, opened, ground) });
      folders.set(name, opened);
    } catch (error) {
      missing.push(`${name}: ${reasonOf(error)}`);
    }
  }
  const given = (name: AgentName | null): Record<string, string> => {
    if (name === null) return {};
    const opened = folders.get(name);
    if (opened === undefined) throw new Error(`there is no ${name}`);
    return { [seenAt(name)]: opened };
  };
  return { found, missing, given };
}

/** Below the folder's own packages, beside it among its siblings, or the folder itself. */
async function programFolder(given: string, name: AgentName): Promise<string> {
  const folder = await realpath(given);
  const { package: wanted, folder: below } = PACKAGES[name];
  const candidates = [join(folder, "node_modules", wanted), join(dirname(folder), basename(wanted)), folder];
  const program = AGENT_PROGRAMS[name].slice(seenAt(name).length + 1);
  const found = candidates.map((each) => join(each, below)).find((each) => existsSync(join(each, program)));
  if (found === undefined) throw new Error(`${given} holds no ${wanted}; npm installs it with optional dependencies`);
  return realpath(found);
}

async function versionOf(name: AgentName, opened: string, ground: Ground): Promise<string> {
  const argv = [AGENT_PROGRAMS[name], "--version"];
  const { out, err } = await tryOut(ground, { name: `probe-${name}`, argv, given: { [seenAt(name)]: opened }, limits: TRIAL_LIMITS });
  const version = /\d+\.\d+\.\d+[\w.-]*/.exec(out)?.[0];
  if (version === undefined) throw new Error(`does not say its version in a sandbox: ${(err || out).trim().slice(0, 200)}`);
  return version;
}
