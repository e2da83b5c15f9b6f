import type { Evaluation, Judged, Plugin, Stage, Walk, Written } from "./contract.ts";
import { Engine } from "./engine.ts";
import { contextsOf } from "./facts.ts";
import type { Limits } from "./limits.ts";
import type { Registration } from "./registration.ts";
import { Rota, type Turns } from "./turns.ts";

/** A chain to be walked where its policies run. `plugins` are those whose source the asker hands over. */
export interface Asked<Step extends Judged> {
  readonly stage: Stage;
  readonly steps: readonly Step[];
  readonly facts: Written;
  readonly plugins: readonly Plugin[];
  /** What is known already of steps, each at its place: of those that run natively. */
  readonly known?: readonly (Evaluation | null)[];
}

/** What came of a chain; or the hashes whose sources are not here, so that it can be asked again with them. */
export type Reply<Outcome> =
  | { readonly kind: "judged"; readonly outcome: Outcome }
  | { readonly kind: "missing"; readonly hashes: readonly string[] };

/** What stands behind the walls: one engine, and the walk of a chain over it, whose policies share one budget of fuel. */
export class Inside<Step extends Judged, Outcome> {
  readonly #engine: Engine;
  readonly #walk: Walk<Step, Outcome>;
  readonly #limits: Limits;
  readonly #rota = new Rota();

  constructor(module: WebAssembly.Module, walk: Walk<Step, Outcome>, limits: Limits) {
    this.#engine = new Engine(module, limits);
    this.#walk = walk;
    this.#limits = limits;
  }

  /** Walks a chain to its end: at once where it burns little, else with rests for whatever else the thread has to do. */
  async judge(asked: Asked<Step>): Promise<Reply<Outcome>> {
    for (const plugin of asked.plugins) this.#engine.keep(plugin);
    const here = asked.steps.filter((_, at) => !asked.known?.[at]);
    const hashes = [...new Set(here.map(({ hash }) => hash))].filter((hash) => !this.#engine.knows(hash));
    if (hashes.length > 0) return { kind: "missing", hashes };
    return { kind: "judged", outcome: await this.#rota.share(this.#judging(asked)) };
  }

  *#judging({ stage, steps, facts, known }: Asked<Step>): Turns<Outcome> {
    const contextOf = contextsOf(facts);
    let left = this.#limits.chainFuel;
    const walk = this.#walk(steps);
    for (let next = walk.next(); ;) {
      if (next.done) return next.value;
      const { hash, settings } = next.value;
      const told = known?.[steps.indexOf(next.value)];
      const evaluation = told ?? (yield* this.#engine.evaluating({ hash, stage, settings, context: contextOf(next.value) }, left));
      left -= evaluation.fuel;
      next = walk.next(evaluation);
    }
  }

  /** Loads a policy for the first time, and says what it is. */
  async register(plugin: Plugin): Promise<Registration> {
    return this.#rota.share(this.#engine.registering(plugin));
  }
}
