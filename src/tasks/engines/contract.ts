import type { JobSpec } from "#runner-protocol";

/** What works on a task, in the order of the contract. */
export const ENGINES = ["claude-code", "codex", "native", "command"] as const;
export type Engine = (typeof ENGINES)[number];

/** Engines that ask the hook before each tool and obey what it says. What the others may not call does not reach them. */
export const ASKING: ReadonlySet<Engine> = new Set<Engine>(["claude-code", "native"]);

/** What an engine is to do. */
export interface Assignment {
  /** For `command`. */
  readonly argv: readonly string[];
  /** For an agent. */
  readonly prompt: string;
  /** What an agent calls; null: what its engine calls by itself. */
  readonly model: string | null;
  /** A JSON schema of what an agent is to come to. */
  readonly outputSchema: Readonly<Record<string, unknown>> | null;
}

/** What a sandbox is to run for a task. */
export type Launch = Pick<JobSpec, "argv" | "env" | "files"> & Partial<Pick<JobSpec, "home">>;

/** What an engine said, once its process has ended. */
export interface Said {
  readonly text: string;
  /** What the task's `output_schema` asked for; null where it asked for nothing, or nothing came. */
  readonly structured: unknown;
  /** Why it failed, in its own words; null where it does not say so. */
  readonly failure?: string | null;
}

/** A thin adapter: how an engine is put into a sandbox, and how what it wrote is read. */
export interface Adapter {
  /** What stands in the workspace beside the request's own files, and the command that begins. */
  launch(assignment: Assignment): Launch;
  /** What it wrote to its standard output, read once it has ended. */
  read(stdout: string): Said;
}
