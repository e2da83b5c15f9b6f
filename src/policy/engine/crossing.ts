import type { Judged, Plugin } from "./contract.ts";
import { textOf } from "./facts.ts";
import type { Asked } from "./inside.ts";
import { Shelf } from "./shelf.ts";

/** Steps of chains that are kept, as characters of their texts. */
const STEPS_CHARACTERS = 2 * 1024 * 1024;

/** What of a question is new each time, beside the facts: whose they are, in the order in which they follow. */
interface Head extends Pick<Asked<Judged>, "stage" | "known"> {
  readonly plugins: readonly Plugin[];
  readonly shared: readonly string[];
  readonly own: readonly (readonly [policy: string, need: string])[];
}

/**
 * A question to an isolate as one text of lines of JSON, none of which holds a line's end: what is new each time, the steps, and each fact
 * as policies are given it. A tree of values costs far more on that way, and so does reading what nobody there looks into.
 */
export function askedText<Step extends Judged>({ stage, steps, facts: { shared, own }, plugins, known }: Asked<Step>): string {
  const needs: [policy: string, need: string][] = [];
  const texts = Object.values(shared);
  for (const [policy, mine] of Object.entries(own))
    for (const [need, text] of Object.entries(mine)) {
      needs.push([policy, need]);
      texts.push(text);
    }
  const head: Head = { stage, plugins, shared: Object.keys(shared), own: needs, ...(known && { known }) };
  return `${JSON.stringify(head)}\n${textOf(steps)}\n${texts.join("\n")}`;
}

/** Reads questions where they arrive. The steps of a chain are the same for many, and read once. */
export class AskedReader<Step extends Judged> {
  readonly #steps = new Shelf<readonly Step[]>(STEPS_CHARACTERS);

  read(text: string): Asked<Step> {
    const [first = "", steps = "", ...texts] = text.split("\n");
    const { shared, own, ...head } = JSON.parse(first) as Head;
    const owned: Record<string, Record<string, string>> = {};
    for (const [at, [policy, need]] of own.entries()) (owned[policy] ??= {})[need] = texts[shared.length + at]!;
    const facts = { shared: Object.fromEntries(shared.map((need, at) => [need, texts[at]!])), own: owned };
    return { ...head, steps: this.#stepsOf(steps), facts };
  }

  #stepsOf(text: string): readonly Step[] {
    const known = this.#steps.get(text);
    if (known) return known;
    const steps = JSON.parse(text) as readonly Step[];
    this.#steps.put(text, steps, text.length);
    return steps;
  }
}
