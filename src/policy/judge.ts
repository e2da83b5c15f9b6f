import type { Config } from "#config";
import { TollgateError } from "#core";
import type { ActiveStep } from "./active.ts";
import { walk } from "./chain.ts";
import type { Finding, Step, Verdict } from "./contract.ts";
import type { Described, Facts, Plugin, Stage } from "./engine/contract.ts";
import { complaintsOf } from "./engine/inspect.ts";
import built from "./engine/isolate.json" with { type: "json" };
import { type DeployedPolicy, NativeWalls } from "./engine/native.ts";
import natives from "./engine/natives.json" with { type: "json" };
import type { Registration } from "./engine/registration.ts";
import { wallsOf } from "./engine/walls.ts";
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

type Chain = readonly ActiveStep[];

const staged = new WeakMap<Chain, Partial<Record<Stage, Chain>>>();

/** The steps of a chain that a stage asks; of one chain the same list each time, so that what is made of it need be made once. */
export function stepsAt(chain: Chain, stage: Stage): Chain {
  const known = staged.get(chain) ?? {};
  staged.set(chain, known);
  return (known[stage] ??= chain.filter(({ step }) => step.stages.includes(stage)));
}

/** What the walls must know of a chain. */
interface Cut {
  readonly steps: readonly Step[];
  readonly plugins: readonly Plugin[];
}

const cuts = new WeakMap<Chain, Cut>();

function cutOf(chain: Chain): Cut {
  const known = cuts.get(chain);
  if (known) return known;
  const cut = { steps: chain.map(({ step }) => step), plugins: chain.map(({ plugin }) => plugin) };
  cuts.set(chain, cut);
  return cut;
}

/** What is found of a step that could not be asked, since what it needs cannot be read: a failure of its own, for which nothing was burnt. */
export function unasked({ step }: ActiveStep): Finding {
  const reason = "what it needs cannot be read at the moment";
  return { step, outcome: "failed", failure: "unavailable", reason, metadata: {}, obligations: [], fuel: 0, logs: "" };
}

/**
 * Where policies are judged and registered: behind both walls where the platform has a loader, else behind the inner one. Those that came
 * with the deployment to run natively do so; those of a chain are asked in one call, before the call in which the chain is walked.
 */
export function bench(
  module: WebAssembly.Module,
  loader: WorkerLoader | undefined,
  { policyLimits, deployed = natives }: Pick<Config, "policyLimits"> & { readonly deployed?: readonly DeployedPolicy[] },
): { readonly judge: Judge; readonly register: Register } {
  const limits = { ...LIMITS, ...policyLimits };
  const walls = wallsOf<Step, Verdict>({ module, walk, loader, limits });
  const native = new NativeWalls({ loader, deployed, limits, code: built.native });
  return {
    async judge({ tenant, stage, chain, facts }) {
      const { steps, plugins } = cutOf(chain);
      const asked = { tenant, stage, facts, steps, plugins };
      if (!steps.some(({ hash }) => native.has(hash))) return walls.judge(asked);
      return walls.judge({ ...asked, known: await native.evaluations({ stage, steps, facts }) });
    },
    async register(source) {
      const hash = await hashOf(source);
      return registered(source, limits, () => (native.has(hash) ? native.register(hash) : walls.register({ hash, source })));
    },
  };
}

async function registered(source: string, { sourceBytes }: Limits, register: () => Promise<Registration>): Promise<Described> {
  const problems = complaintsOf(source, sourceBytes);
  const [first] = problems;
  if (first) throw refused(`line ${first.line}, column ${first.column}: ${first.message}`, { problems });
  const registration = await register();
  if (registration.kind === "refused") throw refused(registration.message);
  const { described, runs } = registration;
  const failures = failuresOf(runs);
  if (failures.length > 0) throw refused(`${failures.length} of its own tests fail: ${failures[0]}`, { failures });
  return described;
}

function refused(what: string, details?: Readonly<Record<string, unknown>>): TollgateError {
  return new TollgateError("invalid_request", `source: ${what.slice(0, 1_000)}`, { param: "source", ...(details && { details }) });
}
