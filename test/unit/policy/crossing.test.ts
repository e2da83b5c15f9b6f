import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AskedReader, askedText } from "../../../src/policy/engine/crossing.ts";
import { contextsOf, factsText, written } from "../../../src/policy/engine/facts.ts";
import { stepOf } from "../../support/step.ts";

const need = fc.constantFrom("time", "key", "request", "messages", "counters:minute", "counters:day");
const fact = fc.oneof(fc.jsonValue(), fc.array(fc.record({ role: fc.string(), text: fc.string({ unit: "binary" }) })));
const factsOf = fc.dictionary(need, fact);
const facts = fc.record({ shared: factsOf, own: fc.dictionary(fc.constantFrom("a", "b", "c-d"), factsOf) });

describe("a question to an isolate", () => {
  it("arrives as it was asked, whatever somebody said", () => {
    fc.assert(
      fc.property(facts, fc.array(need), (given, needs) => {
        const steps = [stepOf("a", needs), stepOf("c-d", needs)];
        const plugins = [{ hash: "a", source: "export default {\n};" }];
        const asked = { stage: "onChunk", steps, plugins, facts: written(given), known: [null, { fuel: 0, result: { kind: "failed", failure: "threw", message: "\n" } }] } as const; // prettier-ignore
        const read = new AskedReader().read(askedText(asked));
        const there = Object.entries(given.own).filter(([, mine]) => Object.keys(mine).length > 0);
        expect(read).toEqual({ ...asked, facts: written({ ...given, own: Object.fromEntries(there) }) });
        for (const step of steps) expect(contextsOf(read.facts)(step)).toBe(contextsOf(asked.facts)(step));
      }),
    );
  });

  it("has the same steps read once", () => {
    const reader = new AskedReader();
    const asked = () => askedText({ stage: "evaluate", steps: [stepOf("a")], plugins: [], facts: { shared: {}, own: {} } });
    expect(reader.read(asked()).steps).toBe(reader.read(asked()).steps);
  });
});

describe("what a policy is given", () => {
  it("is what it declared and nothing else, its own before what is shared", () => {
    fc.assert(
      fc.property(facts, fc.uniqueArray(need), (given, needs) => {
        const all = { ...given.shared, ...given.own["a"] };
        const [plain, counters] = [needs.filter((each) => !each.includes(":")), needs.filter((each) => each.includes(":"))];
        const counted = Object.fromEntries(counters.map((each) => [each.slice("counters:".length), all[each] ?? null]));
        const expected = {
          ...Object.fromEntries(plain.map((each) => [each, all[each] ?? null])),
          ...(counters.length > 0 && { counters: counted }),
        };
        expect(contextsOf(written(given))(stepOf("a", needs))).toBe(JSON.stringify(expected));
      }),
    );
  });

  it("has the digest of its JSON", () => {
    fc.assert(
      fc.property(facts, (given) => {
        expect(factsText(given)).toBe(JSON.stringify([given.shared, given.own]));
      }),
    );
  });
});
