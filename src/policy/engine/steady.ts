import type { Evaluation, Judged } from "./contract.ts";
import { contextsOf, textOf } from "./facts.ts";
import type { Asked } from "./inside.ts";
import type { Limits } from "./limits.ts";
import { Shelf } from "./shelf.ts";

/** Needs that come again as they were: who asks, for what, and in which minute. None of them is what somebody said, or moves on with use. */
const STEADY: ReadonlySet<string> = new Set(["key", "metadata", "request", "clock"]);
const NAME_CHARACTERS_MAX = 8 * 1024;
const CHARACTERS_MAX = 2 * 1024 * 1024;
/** What each takes beside its texts. */
const ENTRY_CHARACTERS = 256;

/** A chain as it is asked, for a tenant. */
type Asking = Pick<Asked<Judged>, "stage" | "steps" | "facts" | "known"> & { readonly tenant: string };

/**
 * What policies said of facts that come again. Each evaluation begins from the same image, with a clock that stands still and no chance: of
 * the same context a policy says the same and burns the same, so it need not be asked once more. Those that read what somebody said, the
 * time to the second or what was used are asked each time, and no tenant is answered sooner for what another asked.
 */
export class Steady {
  /** As JSON: what a policy says may take many times the room of its text, and one tenant's shall not take another's. */
  readonly #said = new Shelf<string>(CHARACTERS_MAX);
  readonly #fuelMax: number;

  constructor({ chainFuel }: Pick<Limits, "chainFuel">) {
    this.#fuelMax = chainFuel;
  }

  /** Under which name what each step says is kept; null where it is not. */
  namesOf({ tenant, stage, steps, facts, known }: Asking): readonly (string | null)[] {
    const contextOf = contextsOf(facts);
    return steps.map((step, at) => {
      if (known?.[at] || !step.needs.every((need) => STEADY.has(need))) return null;
      const name = [tenant, step.hash, stage, textOf(step.settings), contextOf(step)].join("\n");
      return name.length > NAME_CHARACTERS_MAX ? null : name;
    });
  }

  /** What is known of each step, be it told or kept. Nothing is that would not be, were all of it burnt again. */
  recall(names: readonly (string | null)[], told: Asking["known"]): readonly (Evaluation | null)[] {
    const known = names.map((name, at) => told?.[at] ?? (name === null ? null : this.#find(name)));
    const fuel = known.reduce((sum, each) => sum + (each?.fuel ?? 0), 0);
    return fuel <= this.#fuelMax ? known : names.map((_, at) => told?.[at] ?? null);
  }

  /** Keeps what steps decided. A failure may be of the moment, and is asked about again. */
  keep(names: readonly (string | null)[], evaluations: readonly (Evaluation | null)[]): void {
    for (const [at, name] of names.entries()) {
      const evaluation = evaluations[at];
      if (name === null || evaluation?.result.kind !== "decision" || this.#said.has(name)) continue;
      const text = JSON.stringify(evaluation);
      this.#said.put(name, text, name.length + text.length + ENTRY_CHARACTERS);
    }
  }

  #find(name: string): Evaluation | null {
    const text = this.#said.get(name);
    return text === undefined ? null : (JSON.parse(text) as Evaluation);
  }
}
