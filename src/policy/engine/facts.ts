import type { Facts, Judged, Written } from "./contract.ts";

/** What the need of a counter begins with; its name follows. */
export const COUNTERS = "counters:";

type Texts = Readonly<Record<string, string>>;

const texts = new WeakMap<object, string>();

/** A value as JSON, written once for as long as it lives: what policies are given is never changed. What nobody gathered is null. */
export function textOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = JSON.stringify(value);
  texts.set(value, text);
  return text;
}

const writings = new WeakMap<Facts, Written>();

/** Facts as policies are given them, written once as well. */
export function written(facts: Facts): Written {
  const known = writings.get(facts);
  if (known) return known;
  const own = Object.fromEntries(Object.entries(facts.own).map(([policy, mine]) => [policy, writtenEach(mine)]));
  const all = { shared: writtenEach(facts.shared), own };
  writings.set(facts, all);
  return all;
}

function writtenEach(facts: Readonly<Record<string, unknown>>): Texts {
  return Object.fromEntries(Object.entries(facts).map(([need, fact]) => [need, textOf(fact)]));
}

/** All the facts of a chain as one text, for whoever keeps a digest of them: `[shared, own]` as JSON. */
export function factsText(facts: Facts): string {
  const { shared, own } = written(facts);
  return `[${objectOf(shared)},${objectOf(Object.fromEntries(Object.entries(own).map(([policy, mine]) => [policy, objectOf(mine)])))}]`;
}

/** Makes the contexts of one chain: what a policy is given is what it declared, as JSON. */
export function contextsOf({ shared, own }: Written): (step: Judged) => string {
  return ({ policy, needs }) => {
    const owned = own[policy];
    const context: Record<string, string> = {};
    const counters: Record<string, string> = {};
    for (const need of needs) {
      // A fact that nobody gathered is null inside: a policy sees that it is not there.
      const text = (owned && Object.hasOwn(owned, need) ? owned[need] : shared[need]) ?? "null";
      if (need.startsWith(COUNTERS)) counters[need.slice(COUNTERS.length)] = text;
      else context[need] = text;
    }
    return objectOf(Object.keys(counters).length > 0 ? { ...context, counters: objectOf(counters) } : context);
  };
}

/** An object as JSON, made of its members as JSON. */
function objectOf(members: Texts): string {
  let text = "";
  for (const [name, member] of Object.entries(members)) text += `${text === "" ? "{" : ","}${JSON.stringify(name)}:${member}`;
  return text === "" ? "{}" : `${text}}`;
}
