import type { ActiveStep } from "./active.ts";
import type { Verdict } from "./contract.ts";
import type { Facts, Stage } from "./engine/contract.ts";

/** Asks a whole chain in one call, behind the walls. Steps that have nothing to say to a stage are left out before. */
export type Judge = (stage: Stage, chain: readonly ActiveStep[], facts: Facts) => Promise<Verdict>;

/** The steps of a chain that a stage asks. */
export function asked(chain: readonly ActiveStep[], stage: Stage): readonly ActiveStep[] {
  return chain.filter(({ step }) => step.stages.includes(stage));
}
