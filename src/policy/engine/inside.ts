import type { Facts, Judged, Plugin, Stage, Walk } from "./contract.ts";
import { Engine, type Registration } from "./engine.ts";
import { contextsOf } from "./facts.ts";
import { LIMITS } from "./limits.ts";

/** A chain to be walked where its policies run. `plugins` are those whose source the asker hands over. */
export interface Asked<Step extends Judged> {
  readonly stage: Stage;
  readonly steps: readonly Step[];
  readonly facts: Facts;
  readonly plugins: readonly Plugin[];
}

/** What came of a chain; or the hashes whose sources are not here, so that it can be asked again with them. */
export type Reply<Outcome> =
  | { readonly kind: "judged"; readonly outcome: Outcome }
  | { readonly kind: "missing"; readonly hashes: readonly string[] };

/** What stands behind the walls: one engine, and the walk of a chain over it, whose policies share one budget of fuel. */
export class Inside<Step extends Judged, Outcome> {
  readonly #engine: Engine;
  readonly #walk: Walk<Step, Outcome>;

  constructor(module: WebAssembly.Module, walk: Walk<Step, Outcome>) {
    this.#engine = new Engine(module);
    this.#walk = walk;
  }

  /** Walks a chain to its end, at once. */
  judge({ stage, steps, facts, plugins }: Asked<Step>): Reply<Outcome> {
    for (const plugin of plugins) this.#engine.keep(plugin);
    const hashes = [...new Set(steps.map(({ hash }) => hash))].filter((hash) => !this.#engine.knows(hash));
    if (hashes.length > 0) return { kind: "missing", hashes };
    const contextOf = contextsOf(facts);
    let left = LIMITS.chainFuel;
    const outcome = this.#walk(steps, (step) => {
      const { hash, settings } = step;
      const evaluation = this.#engine.evaluate({ hash, stage, settings, context: contextOf(step) }, left);
      left -= evaluation.fuel;
      return evaluation;
    });
    return { kind: "judged", outcome };
  }

  /** Loads a policy for the first time, and says what it is. */
  register(plugin: Plugin): Registration {
    return this.#engine.register(plugin);
  }
}
