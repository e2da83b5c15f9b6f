import { TollgateError } from "#core";
import type { ActiveStep } from "./active.ts";
import { walk } from "./chain.ts";
import type { Finding, Step, Verdict } from "./contract.ts";
import type { Described, Facts, Stage } from "./engine/contract.ts";
import { complaintsOf } from "./engine/inspect.ts";
import { type Walls, wallsOf } from "./engine/walls.ts";
import { hashOf } from "./signature.ts";

/** What a chain is asked, for a tenant. */
export interface Question {
  readonly tenant: string;
  readonly stage: Stage;
  readonly chain: readonly ActiveStep[];
  readonly facts: Facts;
}

/** Asks a whole chain in one call, behind the walls. */
export type Judge = (question: Question) => Promise<Verdict>;

/**
 * Loads a module for the first time, behind the walls, reads what it says of itself and has it pass its own tests.
 * @throws TollgateError `invalid_request` naming `source`.
 */
export type Register = (source: string) => Promise<Described>;

/** The steps of a chain that a stage asks. */
export function stepsAt(chain: readonly ActiveStep[], stage: Stage): readonly ActiveStep[] {
  return chain.filter(({ step }) => step.stages.includes(stage));
}

/** What is found of a step that could not be asked, since what it needs cannot be read: a failure of its own, for which nothing was burnt. */
export function unasked({ step }: ActiveStep): Finding {
  const reason = "what it needs cannot be read at the moment";
  return { step, outcome: "failed", failure: "unavailable", reason, metadata: {}, obligations: [], fuel: 0, logs: "" };
}

/** Where policies are judged and registered: behind both walls where the platform has a loader, else behind the inner one. */
export function bench(
  module: WebAssembly.Module,
  loader: WorkerLoader | undefined,
): { readonly judge: Judge; readonly register: Register } {
  const walls = wallsOf<Step, Verdict>({ module, walk, loader });
  return {
    judge: ({ tenant, stage, chain, facts }) =>
      walls.judge({ tenant, stage, facts, steps: chain.map(({ step }) => step), plugins: chain.map(({ plugin }) => plugin) }),
    register: (source) => registered(source, walls),
  };
}

async function registered(source: string, walls: Walls<Step, Verdict>): Promise<Described> {
  const problems = complaintsOf(source);
  const [first] = problems;
  if (first) throw refused(`line ${first.line}, column ${first.column}: ${first.message}`, { problems });
  const registration = await walls.register({ hash: await hashOf(source), source });
  if (registration.kind === "refused") throw refused(registration.message);
  const { described, failures } = registration;
  if (failures.length > 0) throw refused(`${failures.length} of its own tests fail: ${failures[0]}`, { failures });
  return described;
}

function refused(what: string, details?: Readonly<Record<string, unknown>>): TollgateError {
  return new TollgateError("invalid_request", `source: ${what.slice(0, 1_000)}`, { param: "source", ...(details && { details }) });
}
