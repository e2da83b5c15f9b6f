import type { Facts, Judged } from "./contract.ts";

/** What the need of a counter begins with; its name follows. */
export const COUNTERS = "counters:";

/** Makes the contexts of one chain: what a policy is given is what it declared, as JSON, each fact written once for all. */
export function contextsOf({ shared, own }: Facts): (step: Judged) => string {
  const written = new Map<string, string>();
  const sharedText = (need: string) => {
    const known = written.get(need);
    if (known !== undefined) return known;
    const text = textOf(shared[need]);
    written.set(need, text);
    return text;
  };
  return ({ policy, needs }) => {
    const owned = own[policy];
    const text = (need: string) => (owned && Object.hasOwn(owned, need) ? textOf(owned[need]) : sharedText(need));
    const plain = needs.filter((need) => !need.startsWith(COUNTERS)).map((need) => member(need, text(need)));
    const counters = needs.filter((need) => need.startsWith(COUNTERS)).map((need) => member(need.slice(COUNTERS.length), text(need)));
    return `{${[...plain, ...(counters.length > 0 ? [`"counters":{${counters.join(",")}}`] : [])].join(",")}}`;
  };
}

function member(name: string, text: string): string {
  return `${JSON.stringify(name)}:${text}`;
}

/** A fact that nobody gathered is null inside: a policy sees that it is not there. */
function textOf(fact: unknown): string {
  return JSON.stringify(fact) ?? "null";
}
