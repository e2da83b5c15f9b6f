import type { Evaluation, Judged, Walk } from "./contract.ts";

/** What walking in order came to: what each step said, up to the first that did not allow. */
export type InOrder = readonly { readonly policy: string; readonly evaluation: Evaluation }[];

/** Asks one after the other, and stops at the first that does not allow. */
export const inOrder: Walk<Judged, InOrder> = (steps, evaluate) => {
  const said: { policy: string; evaluation: Evaluation }[] = [];
  for (const step of steps) {
    const evaluation = evaluate(step);
    said.push({ policy: step.policy, evaluation });
    if (evaluation.result.kind === "failed" || !evaluation.result.value.allowed) break;
  }
  return said;
};
