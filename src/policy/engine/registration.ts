import type { Decision, Described, Evaluation, Stage } from "./contract.ts";
import { meets, type PolicyTest } from "./describe.ts";

/** One of a policy's own tests, as it ran. */
export interface TestRun {
  readonly name: string;
  readonly stage: Stage;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly context: string;
  readonly evaluation: Evaluation;
  /** Why the decision is not what the test expects; null where it is. */
  readonly fault: string | null;
}

/** What registering a policy came to. */
export type Registration =
  | { readonly kind: "described"; readonly described: Described; readonly runs: readonly TestRun[] }
  | { readonly kind: "refused"; readonly message: string };

/** Why an evaluation is not what a test expects; null where it is. */
export function faultOfTest({ expect }: PolicyTest, { result }: Evaluation): string | null {
  if (result.kind === "failed") return `${result.failure}: ${result.message}`;
  const strayed = Object.keys(expect).find((name) => !meets(result.value[name as keyof Decision], expect[name]));
  if (strayed === undefined) return null;
  return `${strayed}: is ${shown(result.value[strayed as keyof Decision])}, expected ${shown(expect[strayed])}`;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 200);
}
