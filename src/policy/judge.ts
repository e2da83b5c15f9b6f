import type { Config } from "#config";
import { TollgateError } from "#core";
import type { ActiveStep } from "./active.ts";
import { walk } from "./chain.ts";
import type { Step, Verdict } from "./contract.ts";
import type { Described, Facts, Stage } from "./engine/contract.ts";
import { complaintsOf } from "./engine/inspect.ts";
import { type Walls, wallsOf } from "./engine/walls.ts";
import { type Limits, LIMITS } from "./engine/limits.ts";
import { failuresOf } from "./own-tests.ts";
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
export function asked(chain: readonly ActiveStep[], stage: Stage): readonly ActiveStep[] {
  return chain.filter(({ step }) => step.stages.includes(stage));
}

/** Where policies are judged and registered: behind both walls where the platform has a loader, else behind the inner one. */
export function bench(
  module: WebAssembly.Module,
  loader: WorkerLoader | undefined,
  { policyLimits }: Pick<Config, "policyLimits">,
): { readonly judge: Judge; readonly register: Register } {
  const limits = { ...LIMITS, ...policyLimits };
  const walls = wallsOf<Step, Verdict>({ module, walk, loader, limits });
  return {
    judge: ({ tenant, stage, chain, facts }) =>
      walls.judge({ tenant, stage, facts, steps: chain.map(({ step }) => step), plugins: chain.map(({ plugin }) => plugin) }),
    register: (source) => registered(source, walls, limits),
  };
}

async function registered(source: string, walls: Walls<Step, Verdict>, { sourceBytes }: Limits): Promise<Described> {
  const problems = complaintsOf(source, sourceBytes);
  const [first] = problems;
  if (first) throw refused(`line ${first.line}, column ${first.column}: ${first.message}`, { problems });
  const registration = await walls.register({ hash: await hashOf(source), source });
  if (registration.kind === "refused") throw refused(registration.message);
  const { described, runs } = registration;
  const failures = failuresOf(runs);
  if (failures.length > 0) throw refused(`${failures.length} of its own tests fail: ${failures[0]}`, { failures });
  return described;
}

function refused(what: string, details?: Readonly<Record<string, unknown>>): TollgateError {
  return new TollgateError("invalid_request", `source: ${what.slice(0, 1_000)}`, { param: "source", ...(details && { details }) });
}
