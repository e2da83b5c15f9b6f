import type { Evaluation, Judged, Plugin, Stage, Walk, Written } from "./contract.ts";
import { Engine } from "./engine.ts";
import { contextsOf } from "./facts.ts";
import type { Limits } from "./limits.ts";
import { OUT_OF_FUEL } from "./read.ts";
import type { Registration } from "./registration.ts";
import { Rota, type Turns } from "./turns.ts";

/** A chain to be walked where its policies run. `plugins` are those whose source the asker hands over. */
export interface Asked<Step extends Judged> {
  readonly stage: Stage;
  readonly steps: readonly Step[];
  readonly facts: Written;
  readonly plugins: readonly Plugin[];
  /** What is known already of steps, each at its place: of those that run natively, and those that were asked the same before. */
  readonly known?: readonly (Evaluation | null)[];
}

/** What the policies of a chain said; or the hashes whose sources are not here, so that it can be asked again with them. */
export type Reply =
  /** Each evaluation at its step's place; null where the walk did not come to it. */
  | { readonly kind: "judged"; readonly evaluations: readonly (Evaluation | null)[] }
  | { readonly kind: "missing"; readonly hashes: readonly string[] };

/** What stands behind the walls: one engine, and the walk of a chain over it, whose policies share one budget of fuel. */
export class Inside<Step extends Judged> {
  readonly #engine: Engine;
  readonly #walk: Walk<Step, unknown>;
  readonly #limits: Limits;
  readonly #rota = new Rota();

  constructor(module: WebAssembly.Module, walk: Walk<Step, unknown>, limits: Limits) {
    this.#engine = new Engine(module, limits);
    this.#walk = walk;
    this.#limits = limits;
  }

  /** Walks a chain to its end: at once where it burns little, else with rests for whatever else the thread has to do. */
  async judge(asked: Asked<Step>): Promise<Reply> {
    for (const plugin of asked.plugins) this.#engine.keep(plugin);
    const here = asked.steps.filter((_, at) => !asked.known?.[at]);
    const hashes = [...new Set(here.map(({ hash }) => hash))].filter((hash) => !this.#engine.knows(hash));
    if (hashes.length > 0) return { kind: "missing", hashes };
    return { kind: "judged", evaluations: await this.#rota.share(this.#judging(asked)) };
  }

  *#judging({ stage, steps, facts, known }: Asked<Step>): Turns<(Evaluation | null)[]> {
    const contextOf = contextsOf(facts);
    const evaluations: (Evaluation | null)[] = steps.map(() => null);
    let left = this.#limits.chainFuel;
    const walk = this.#walk(steps);
    for (let next = walk.next(); ;) {
      if (next.done) return evaluations;
      const step = next.value;
      const at = steps.indexOf(step);
      const { hash, settings } = step;
      const told = known?.[at];
      const evaluation = told
        ? burnt(told, left)
        : yield* this.#engine.evaluating({ hash, stage, settings, context: contextOf(step) }, left);
      left -= evaluation.fuel;
      evaluations[at] = evaluation;
      next = walk.next(evaluation);
    }
  }

  /** Loads a policy for the first time, and says what it is. */
  async register(plugin: Plugin): Promise<Registration> {
    return this.#rota.share(this.#engine.registering(plugin));
  }
}

/** What is known of a step, as it would be had it burnt its fuel here, where others have left less than it takes. */
function burnt(told: Evaluation, left: number): Evaluation {
  return told.fuel <= left ? told : { fuel: left, result: OUT_OF_FUEL };
}
