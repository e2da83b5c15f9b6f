/**
 * The contract between the native agent and the engine that starts it; both sides import this file, which imports nothing. The agent
 * reads an `Assignment` from `ASSIGNMENT` in its home, and on its standard input what a person says while it works. It writes one `Line`
 * of JSON per line of its standard output, `result` last, and ends with the exit code of its reason.
 */

/** The file of the assignment, below the home folder. */
export const ASSIGNMENT = ".tollgate/assignment.json";

/** What the agent is to do. */
export interface Assignment {
  readonly prompt: string;
  /** What it calls at the gateway. */
  readonly model: string;
  /** A JSON schema of what it is to come to; null: words. */
  readonly outputSchema: Readonly<Record<string, unknown>> | null;
  /** How often it may ask the model. */
  readonly turnsMax: number;
}

/** The exit code for each reason that the agent ends by. */
export const EXITS = { ok: 0, error: 1, budget: 3, turns: 4, no_progress: 5, output: 6 } as const;

/** Why the agent ended. `budget`: the gateway said that there is no money left; `output`: what it came to does not fit the schema. */
export type Reason = keyof typeof EXITS;

/** How the agent ended. */
export interface Outcome {
  readonly reason: Reason;
  /** What the model said last. */
  readonly text: string;
  /** What fits the schema that was asked for; else null. */
  readonly structured: unknown;
  /** What a person should know where the reason is not `ok`. */
  readonly message: string | null;
}

/** One line of what the agent writes. */
export type Line =
  | { readonly type: "system"; readonly model: string; readonly tools: readonly string[]; readonly turns_max: number }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly type: "tool_result"; readonly id: string; readonly error: boolean; readonly text: string }
  /** Something that the model does not see: a call that is sent again, results that were shortened. */
  | { readonly type: "notice"; readonly text: string }
  /** What a person said while it worked. */
  | { readonly type: "input"; readonly text: string }
  | ({ readonly type: "result"; readonly turns: number } & Outcome);
