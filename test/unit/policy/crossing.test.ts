import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../../src/policy/contract.ts";
import { AskedReader, askedText, replyOf, replyText } from "../../../src/policy/engine/crossing.ts";
import { contextsOf, factsText, written } from "../../../src/policy/engine/facts.ts";
import { verdictOf, verdictText } from "../../../src/policy/verdict-text.ts";
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

  it("that names what is not there comes back with its name", () => {
    const back = replyOf(replyText({ kind: "missing", hashes: ["sha256:a", "judged"] }, String), String);
    expect(back).toEqual({ kind: "missing", hashes: ["sha256:a", "judged"] });
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

describe("what a chain came to", () => {
  const steps = [stepOf("a"), stepOf("b")];
  const found = {
    failure: null,
    reason: "r",
    metadata: { n: 1 },
    obligations: [{ type: "tag", tags: ["x"] }],
    fuel: 7,
    logs: "l",
  } as const;
  const findings = steps.map((step, at) => ({ ...found, step, outcome: at === 0 ? ("allowed" as const) : ("denied" as const) }));

  it("comes back as it was, of the very steps that were asked", () => {
    for (const verdict of [
      { findings, denial: findings[1]!, obligations: [] },
      { findings, denial: null, obligations: found.obligations },
    ] satisfies Verdict[]) {
      const read = verdictOf(verdictText(verdict, steps), steps);
      expect(read).toEqual(verdict);
      expect(read.findings.map(({ step }) => step)).toEqual([steps[0], steps[1]]);
      expect(read.denial).toBe(verdict.denial === null ? null : read.findings[1]);
    }
  });

  it("is none where it speaks of steps that nobody asked", () => {
    const text = verdictText({ findings, denial: findings[1]!, obligations: [] }, steps);
    expect(() => verdictOf(text, steps.slice(0, 1))).toThrow(RangeError);
    expect(() => verdictOf(text.replace('"denial":1', '"denial":2'), steps)).toThrow(RangeError);
  });
});
