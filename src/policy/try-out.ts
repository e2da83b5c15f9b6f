import type { ActiveStep } from "./active.ts";
import type { Finding } from "./contract.ts";
import type { Facts, Stage } from "./engine/contract.ts";
import { COUNTERS } from "./engine/facts.ts";
import type { Judge } from "./judge.ts";
import { settingsFor } from "./settings.ts";
import type { PolicyRow } from "./store.ts";

/**
 * A version as a chain of itself alone, with settings as they would hold were it put in force.
 * @throws TollgateError `invalid_request` naming the setting that is wrong.
 */
export function trialOf(row: PolicyRow, source: string, config: Readonly<Record<string, unknown>>): ActiveStep {
  const { name: policy, version, hash, described } = row;
  return {
    step: {
      policy,
      version,
      hash,
      priority: described.priority,
      compose: "all",
      mode: "enforce",
      onError: "deny",
      stages: described.stages,
      needs: described.needs,
      settings: settingsFor(described, config),
    },
    plugin: { hash, source },
    scope: { scopeKind: "deployment", scopeId: "" },
    activatedAs: "enforce",
  };
}

/** What a version would say, asked alone and with nothing depending on it. */
export async function tryOut(
  judge: Judge,
  trial: ActiveStep,
  { stage, facts }: { readonly stage: Stage; readonly facts: Facts },
): Promise<Finding> {
  const { findings } = await judge({ tenant: "trials", stage, chain: [trial], facts });
  return findings[0]!;
}

/** A context as a policy sees it, as the facts that it is made of. */
export function factsOfContext({ counters, ...context }: Readonly<Record<string, unknown>>): Facts {
  const counted = typeof counters === "object" && counters !== null ? Object.entries(counters) : [];
  return { shared: { ...context, ...Object.fromEntries(counted.map(([name, fact]) => [`${COUNTERS}${name}`, fact])) }, own: {} };
}
