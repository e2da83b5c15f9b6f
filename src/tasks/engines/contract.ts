import type { JobSpec } from "#runner-protocol";

/** What works on a task, in the order of the contract. */
export const ENGINES = ["claude-code", "codex", "native", "command"] as const;
export type Engine = (typeof ENGINES)[number];

/** Engines that ask the hook before each tool and obey what it says. What the others may not call does not reach them. */
export const ASKING: ReadonlySet<Engine> = new Set<Engine>(["claude-code", "native"]);

/** A file of a task's request. */
export type GivenFile = JobSpec["files"][number];

/** What an engine is to do, and what it may do it with. */
export interface Assignment {
  /** For `command`. */
  readonly argv: readonly string[];
  /** For an agent. */
  readonly prompt: string;
  /** What an agent calls; null: what its engine calls by itself. */
  readonly model: string | null;
  /** A JSON schema of what an agent is to come to. */
  readonly outputSchema: OutputSchema | null;
  /** How often the native agent may ask its model; null: as often as it may by itself. */
  readonly turnsMax: number | null;
  /** What stands in the workspace when it begins. */
  readonly files: readonly GivenFile[];
  /** Rules such as `Read` and `Bash(git *)`. What holds is the gateway's verdict on each call. */
  readonly tools: readonly string[];
  /** Whether it may call a sub-agent of a name. */
  readonly mayCall: (agent: string) => boolean;
  /** Whether it may use a skill of a name. */
  readonly mayUse: (skill: string) => boolean;
}

export type OutputSchema = Readonly<Record<string, unknown>>;

/** What a sandbox is to run for a task. */
export type Launch = Pick<JobSpec, "argv" | "env" | "files"> & Partial<Pick<JobSpec, "home" | "agent">>;

/** What an engine said, once its process has ended. */
export interface Said {
  readonly text: string;
  /** What the task's `output_schema` asked for; null where it asked for nothing, or nothing came. */
  readonly structured: unknown;
  /** Why it failed, in its own words, whatever its exit code says; null where it does not say so. */
  readonly failure?: string | null;
}

/** A thin adapter: how an engine is put into a sandbox, and how what it wrote is read. */
export interface Adapter {
  /** What stands in the workspace beside the request's own files, and the command that begins. */
  readonly launch: (assignment: Assignment) => Launch;
  /** What it wrote to its standard output, read once it has ended; it may be anything. */
  readonly read: (stdout: string, asked?: { readonly outputSchema: OutputSchema | null }) => Said;
}
