import type { Step } from "./contract.ts";
import type { Described, Plugin } from "./engine/contract.ts";
import { inShare } from "./canary.ts";
import { type ActivationRow, type PolicyScope, stands } from "./store.ts";

/** A version as it stands somewhere, with what it runs. */
export interface Standing extends ActivationRow {
  readonly version: string;
  readonly hash: string;
  readonly described: Described;
  readonly source: string;
}

/** A step of one caller's chain, what it runs, and whence it comes. */
export interface ActiveStep {
  readonly step: Step;
  readonly plugin: Plugin;
  readonly scope: PolicyScope;
  /** As activated: a canary that drew the caller enforces. */
  readonly activatedAs: "enforce" | "canary" | "shadow";
}

/** Whose chain is asked for. */
interface Holder {
  readonly team: string;
  readonly key: string;
}

const WIDTH = { key: 0, team: 1, deployment: 2 } as const;

/** Every active policy of the deployment, as it stood in one read: a chain made of it is of whole versions only. */
export class ActivePolicies {
  readonly #byName: ReadonlyMap<string, readonly Standing[]>;
  readonly #chains = new Map<string, readonly ActiveStep[]>();
  readonly #told = new Set<string>();

  constructor(standing: readonly Standing[]) {
    // The narrowest scope stands first: its word counts.
    const narrowest = standing.toSorted((a, b) => WIDTH[a.scopeKind] - WIDTH[b.scopeKind]);
    this.#byName = Map.groupBy(narrowest, ({ name }) => name);
  }

  /** The steps that a caller's requests are judged by; the same list each time, empty where none is. */
  chainOf(holder: Holder): readonly ActiveStep[] {
    if (this.#byName.size === 0) return NONE;
    const known = this.#chains.get(holder.key);
    if (known) return known;
    const steps = [...this.#byName.values()].flatMap((lanes) => stepsOf(lanes, holder));
    this.#chains.set(holder.key, steps);
    return steps;
  }

  /** Whether a failure is news: the same of the same version is told once for each read of what is active. */
  isNews(hash: string, failure: string): boolean {
    const size = this.#told.size;
    return this.#told.add(`${hash} ${failure}`).size > size;
  }
}

const NONE: readonly ActiveStep[] = [];

/**
 * The steps of one policy. Of each lane the narrowest scope counts. A canary takes the place of what is enforced, for the keys that it
 * draws, unless a narrower scope than its own has said what stands there.
 */
function stepsOf(lanes: readonly Standing[], holder: Holder): ActiveStep[] {
  const own = lanes.filter(({ scopeKind, scopeId }) => scopeKind === "deployment" || holder[scopeKind] === scopeId);
  const main = own.find(({ lane, mode }) => lane === "main" && mode !== "inherit");
  const canary = own.find(({ lane, mode }) => lane === "canary" && mode === "canary");
  const shadow = own.find(({ lane, mode }) => lane === "shadow" && mode === "shadow");
  const drawn = canary && !narrower(main, canary) && inShare(canary.name, holder.key, canary.canaryPercent ?? 0);
  const enforced = drawn ? canary : main;
  return [enforced, shadow].flatMap((standing) => (standing && stands(standing.mode) ? [stepOf(standing, standing.mode)] : []));
}

function narrower(a: Standing | undefined, b: Standing): boolean {
  return a !== undefined && WIDTH[a.scopeKind] < WIDTH[b.scopeKind];
}

function stepOf(standing: Standing, activatedAs: ActiveStep["activatedAs"]): ActiveStep {
  const { name, version, hash, described, source, scopeKind, scopeId, onError, compose, config } = standing;
  return {
    step: {
      policy: name,
      version,
      hash,
      priority: standing.priority ?? described.priority,
      compose,
      mode: activatedAs === "shadow" ? "shadow" : "enforce",
      onError,
      stages: described.stages,
      needs: described.needs,
      settings: config,
    },
    plugin: { hash, source },
    scope: { scopeKind, scopeId },
    activatedAs,
  };
}
