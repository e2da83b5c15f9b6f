import type { TestRun } from "./engine/registration.ts";
import { readObligations } from "./obligations.ts";

/** Why a run of a policy's own test is no success; null where it is one. What asks for what no chain grants would fail in traffic. */
export function faultOf({ fault, evaluation: { result } }: TestRun): string | null {
  if (fault !== null || result.kind === "failed") return fault;
  const read = readObligations(result.value.obligations);
  return typeof read === "string" ? read : null;
}

/** The tests that a policy does not pass, a sentence each. */
export function failuresOf(runs: readonly TestRun[]): string[] {
  return runs.flatMap((run) => {
    const fault = faultOf(run);
    return fault === null ? [] : [`${run.name}: ${fault}`];
  });
}
