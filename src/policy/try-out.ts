import type { ActiveStep } from "./active.ts";
import type { Finding } from "./contract.ts";
import type { Facts, Stage } from "./engine/contract.ts";
import type { Judge } from "./judge.ts";
import type { PolicyRow } from "./store.ts";

const COUNTERS = "counters";

/** What one version would say, asked alone and with nothing depending on it. */
export async function tryOut(
  judge: Judge,
  { row, source, config }: { readonly row: PolicyRow; readonly source: string; readonly config: Readonly<Record<string, unknown>> },
  { stage, facts }: { readonly stage: Stage; readonly facts: Facts },
): Promise<Finding> {
  const step: ActiveStep = {
    step: {
      policy: row.name,
      version: row.version,
      hash: row.hash,
      priority: row.described.priority,
      compose: "all",
      mode: "enforce",
      onError: "deny",
      stages: row.described.stages,
      needs: row.described.needs,
      settings: config,
    },
    plugin: { hash: row.hash, source },
    scope: { scopeKind: "deployment", scopeId: "" },
    activatedAs: "enforce",
  };
  const { findings } = await judge({ tenant: "trials", stage, chain: [step], facts });
  return findings[0]!;
}

/** A context as a policy sees it, as the facts that it is made of. */
export function factsOfContext({ [COUNTERS]: counters, ...context }: Readonly<Record<string, unknown>>): Facts {
  const counted = typeof counters === "object" && counters !== null ? Object.entries(counters) : [];
  return { shared: { ...context, ...Object.fromEntries(counted.map(([name, fact]) => [`${COUNTERS}:${name}`, fact])) }, own: {} };
}
