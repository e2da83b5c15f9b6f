import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AutoTable, autoTable, BUILT_IN, decide, type Features, type Out, reasonOf } from "#auto";
import { PriceBook } from "#models";

const NAMES = ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"] as const;
const FEATURES: Features = {
  operation: "chat.completions",
  input_tokens: 100,
  max_output_tokens: null,
  messages: 1,
  tools: 0,
  images: 0,
  files: 0,
  audio: 0,
  code: false,
  language: "en",
  reasoning: false,
  structured: false,
  stream: false,
  budget_left_percent: null,
};
const features = fc.record({
  operation: fc.constantFrom("chat.completions", "responses", "messages"),
  input_tokens: fc.nat(300_000),
  max_output_tokens: fc.option(fc.nat(100_000)),
  messages: fc.nat(100),
  tools: fc.nat(5),
  images: fc.nat(2),
  files: fc.nat(2),
  audio: fc.nat(2),
  code: fc.boolean(),
  language: fc.constantFrom("en", "de", "ja", "und"),
  reasoning: fc.boolean(),
  structured: fc.boolean(),
  stream: fc.boolean(),
  budget_left_percent: fc.option(fc.nat(100)),
}) as fc.Arbitrary<Features>;
const condition = fc.record(
  {
    input_tokens: fc.record({ min: fc.nat(300_000) }),
    messages: fc.record({ max: fc.nat(100) }),
    tools: fc.boolean(),
    code: fc.boolean(),
    language: fc.constantFrom(["ja"], ["en", "de"]),
    budget_left_percent: fc.record({ max: fc.nat(100) }),
  },
  { requiredKeys: [] },
);
const table: fc.Arbitrary<AutoTable> = fc
  .record({
    models: fc.array(fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }), { minLength: 1, maxLength: 3 }),
    rules: fc.array(fc.record({ when: condition, tier: fc.nat(2) }), { maxLength: 6 }),
    otherwise: fc.nat(2),
  })
  .map(({ models, rules, otherwise }) => ({
    tiers: models.map((each, at) => ({ name: `tier-${at}`, models: each })),
    rules: rules.map(({ when, tier }, at) => ({ name: `rule-${at}`, when, tier: `tier-${tier % models.length}` })),
    otherwise: `tier-${otherwise % models.length}`,
  }));
const set = fc.uniqueArray(fc.constantFrom(...NAMES)).map((names): ReadonlySet<string> => new Set(names));

/** What stands in for a deployment: which models can be called, and which of them this key may. */
const judging =
  ({ callable, allowed }: { readonly callable: ReadonlySet<string>; readonly allowed: ReadonlySet<string> }) =>
  (model: string): Promise<Out | null> => {
    if (!callable.has(model)) return Promise.resolve({ code: "unknown_provider", message: "" });
    return Promise.resolve(allowed.has(model) ? null : { code: "not_allowed", message: "" });
  };
const choose = (given: {
  features: Features;
  table: AutoTable;
  callable: ReadonlySet<string>;
  allowed: ReadonlySet<string>;
  all?: boolean;
}) =>
  decide(given.features, {
    table: given.table,
    others: () => [...given.callable].toSorted(),
    judge: judging(given),
    all: given.all ?? false,
  });

describe("A2: properties of the auto-router", () => {
  it("never chooses a model that the key may not call, or that cannot be called", async () => {
    await fc.assert(
      fc.asyncProperty(features, table, set, set, async (read, rules, callable, allowed) => {
        const { model } = await choose({ features: read, table: rules, callable, allowed });
        if (model !== null) expect([callable.has(model), allowed.has(model)]).toEqual([true, true]);
        else expect([...callable].filter((name) => allowed.has(name))).toEqual([]);
      }),
    );
  });

  it("the same input gives the same answer, and an explanation names what a request gets", async () => {
    await fc.assert(
      fc.asyncProperty(features, table, set, set, async (read, rules, callable, allowed) => {
        const given = { features: read, table: rules, callable, allowed };
        const [once, again, explained] = [await choose(given), await choose(structuredClone(given)), await choose({ ...given, all: true })];
        expect(again).toEqual(once);
        expect([explained.model, explained.rule, explained.tier, explained.rules]).toEqual([once.model, once.rule, once.tier, once.rules]);
        expect(explained.candidates.slice(0, once.candidates.length)).toEqual(once.candidates);
      }),
    );
  });

  it("a provider more refuses nobody who was served, and one that a key may not call changes nothing for it", async () => {
    await fc.assert(
      fc.asyncProperty(features, table, set, set, fc.constantFrom(...NAMES), async (read, rules, callable, allowed, added) => {
        const before = await choose({ features: read, table: rules, callable, allowed });
        const after = await choose({ features: read, table: rules, callable: new Set([...callable, added]), allowed });
        if (before.model !== null) expect(after.model).not.toBeNull();
        if (!allowed.has(added)) expect(after.model).toBe(before.model);
      }),
    );
  });

  it("goes on to what could have been chosen: of the chosen one's tier, after it, two at the most, and the same in an explanation", async () => {
    await fc.assert(
      fc.asyncProperty(features, table, set, set, async (read, rules, callable, allowed) => {
        const given = { features: read, table: rules, callable, allowed };
        const { model, spares, candidates } = await choose(given);
        expect((await choose({ ...given, all: true })).spares).toEqual(spares);
        const chosen = candidates.findIndex((each) => each.model === model);
        const tier = candidates[chosen]?.tier ?? null;
        const fit = candidates.slice(chosen + 1).filter((each) => each.out === null && each.tier === tier);
        expect(spares).toEqual(tier === null ? [] : fit.slice(0, 2).map((each) => each.model));
        for (const spare of spares) expect([callable.has(spare), allowed.has(spare)]).toEqual([true, true]);
      }),
    );
  });

  it("judges no candidate twice", async () => {
    await fc.assert(
      fc.asyncProperty(features, table, set, set, async (read, rules, callable, allowed) => {
        const { candidates } = await choose({ features: read, table: rules, callable, allowed, all: true });
        expect(new Set(candidates.map(({ model }) => model)).size).toBe(candidates.length);
      }),
    );
  });
});

describe("A2: tiers", () => {
  const tiers = [
    { name: "small", models: ["a/1"] },
    { name: "medium", models: ["b/1"] },
    { name: "large", models: ["c/1"] },
  ];
  const order = async (otherwise: string) => {
    const nobody = { callable: new Set<string>(), allowed: new Set<string>() };
    const { candidates } = await choose({ features: FEATURES, table: { tiers, rules: [], otherwise }, ...nobody });
    return candidates.map(({ tier }) => tier);
  };

  it("where nothing of a tier can be called the nearest is asked, the stronger of two", async () => {
    expect(await order("small")).toEqual(["small", "medium", "large"]);
    expect(await order("medium")).toEqual(["medium", "large", "small"]);
    expect(await order("large")).toEqual(["large", "medium", "small"]);
  });

  it("the reason names rule and tier, and counts what was passed over", async () => {
    const rules = [{ name: "everything", when: {}, tier: "medium" }];
    const given = { features: FEATURES, table: { tiers, rules, otherwise: "small" }, callable: new Set(["b/1", "c/1"]) };
    expect(reasonOf(await choose({ ...given, allowed: new Set(NAMES) }))).toBe("rule everything, tier medium");
    expect(reasonOf(await choose({ ...given, allowed: new Set(["c/1"]) }))).toBe(
      "rule everything, tier medium, chosen from tier large, passed over 1: 1 not_allowed",
    );
  });
});

describe("A2: the built-in table", () => {
  it("is one that an operator could have written", () => {
    expect(autoTable.parse(BUILT_IN)).toEqual(BUILT_IN);
  });

  it("names models that the price table knows, each tier dearer than the one before", () => {
    const book = new PriceBook([]);
    const at = Date.parse("2026-11-21T00:00:00Z");
    const rate = (model: string) => {
      const slash = model.indexOf("/");
      const price = book.find(model.slice(0, slash), model.slice(slash + 1), "", at);
      expect([model, price.state]).toEqual([model, "priced"]);
      return Number(price.row.rates.output);
    };
    const dearest = BUILT_IN.tiers.map(({ models }) => Math.max(...models.map(rate)));
    expect(dearest).toEqual(dearest.toSorted((a, b) => a - b));
  });
});
