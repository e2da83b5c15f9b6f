import type { Step } from "../../src/policy/contract.ts";

/** A step of a chain that asks one policy before the call. */
export function stepOf(hash: string, needs: readonly string[] = []): Step {
  return {
    policy: hash,
    version: "1.0.0",
    hash,
    priority: 100,
    compose: "all",
    mode: "enforce",
    onError: "deny",
    stages: ["evaluate"],
    needs,
    settings: {},
  };
}
