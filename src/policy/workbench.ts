import { Engine } from "./engine/engine.ts";
import { type Complaint, complaintsOf } from "./engine/inspect.ts";
import { LIMITS } from "./engine/limits.ts";
import type { Registration, TestRun } from "./engine/registration.ts";
import { faultOf } from "./own-tests.ts";

export type { Described, Evaluation, Stage } from "./engine/contract.ts";
export type { Question } from "./engine/engine.ts";
export { type Complaint, faultOf, LIMITS, type TestRun };

/** What became of a source: what can never work in it, why it is refused, or what it says of itself and how its tests ran. */
export type Tried = { readonly kind: "complaints"; readonly complaints: readonly Complaint[] } | Registration;

/** Where an author tries a policy without a gateway: the reader, the engine and the limits are the very ones that a gateway has. */
export class Workbench {
  readonly #engine: Engine;

  /** @param module the metered engine, compiled. */
  constructor(module: WebAssembly.Module) {
    this.#engine = new Engine(module);
  }

  /** Does with a source what an upload does. `hash` names it from then on. */
  try(hash: string, source: string): Tried {
    const complaints = complaintsOf(source);
    return complaints.length > 0 ? { kind: "complaints", complaints } : this.#engine.register({ hash, source });
  }

  /** Asks a policy that was tried. */
  get ask(): Engine["evaluate"] {
    return (question, fuel) => this.#engine.evaluate(question, fuel);
  }
}
