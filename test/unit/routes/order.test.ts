import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { order, PERSEVERANCE, type Place, type Route, RouteBook, type RouteTarget, spread, STRATEGIES, type When } from "#routes";

const ALWAYS: When = { models: [], tags: [], metadata: {} };
const target = (model: string, fields: Partial<RouteTarget> = {}): RouteTarget => ({
  provider: "p",
  model,
  priority: 0,
  weight: 1,
  when: ALWAYS,
  ...fields,
});
const route = (targets: readonly RouteTarget[], fields: Partial<Route> = {}): Route => ({
  ...PERSEVERANCE,
  name: "r",
  strategy: "priority",
  sticky: true,
  targets,
  ...fields,
});
type About = Parameters<typeof order>[1];
const about = (fields: Partial<About> = {}): About => ({
  asked: "r",
  tags: [],
  metadata: {},
  id: "req_1",
  session: null,
  routes: new RouteBook([]),
  latencyOf: () => null,
  costOf: () => null,
  ...fields,
});
const models = (places: readonly Place[]) => places.map(({ model }) => model);

const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
const session = fc.string({ minLength: 1, maxLength: 20 });

describe("the order of a route's targets", () => {
  it("by priority, then as they are listed", () => {
    expect(models(order(route([target("c", { priority: 2 }), target("a"), target("b")]), about()))).toEqual(["a", "b", "c"]);
  });

  it("holds every target that applies once, whatever the strategy", () => {
    fc.assert(
      fc.property(fc.constantFrom(...STRATEGIES), weights, session, (strategy, all, id) => {
        const targets = all.map((weight, at) => target(`m${at}`, { weight, priority: weight % 3 }));
        const found = models(order(route([...targets, ...targets], { strategy }), about({ id })));
        expect(found.toSorted()).toEqual(targets.map((_, at) => `m${at}`));
        const priorities = found.map((name) => targets[Number(name.slice(1))]!.priority);
        expect(priorities).toEqual(priorities.toSorted((a, b) => a - b));
      }),
    );
  });

  it("by weight: each goes first as often as its weight says", () => {
    const all = [target("a", { weight: 1 }), target("b", { weight: 3 }), target("never", { weight: 0 })];
    const firsts = Array.from(
      { length: 20_000 },
      (_, at) => order(route(all, { strategy: "weighted" }), about({ id: `req_${at}` }))[0]!.model,
    );
    expect(firsts.filter((model) => model === "b").length / firsts.length).toBeCloseTo(0.75, 1);
    expect(firsts).not.toContain("never");
  });

  it("a session's requests are ordered alike, and a target that goes moves only the sessions that were with it", () => {
    fc.assert(
      fc.property(weights, session, session, session, fc.nat(), (all, id, other, name, gone) => {
        const targets = all.map((weight, at) => target(`m${at}`, { weight }));
        const of = (list: readonly RouteTarget[], request: string) =>
          models(order(route(list, { strategy: "weighted" }), about({ id: request, session: name })));
        const before = of(targets, id);
        expect(of(targets, other)).toEqual(before);
        const without = `m${gone % all.length}`;
        expect(
          of(
            targets.filter((_, at) => `m${at}` !== without),
            id,
          ),
        ).toEqual(before.filter((model) => model !== without));
      }),
    );
  });

  it("without stickiness the session says nothing", () => {
    const loose = route([target("a"), target("b")], { strategy: "weighted", sticky: false });
    const firsts = Array.from({ length: 50 }, (_, at) => order(loose, about({ id: `req_${at}`, session: "s" }))[0]!.model);
    expect(new Set(firsts)).toEqual(new Set(["a", "b"]));
  });

  it("by latency: what is not known is tried, then the fastest first; a session stays where it is", () => {
    const all = route([target("slow"), target("fast"), target("new")], { strategy: "latency" });
    const latencyOf = ({ model }: Place) => ({ slow: 900, fast: 90 })[model] ?? null;
    expect(models(order(all, about({ latencyOf })))).toEqual(["new", "fast", "slow"]);
    const first = models(order(all, about({ latencyOf, session: "s" })));
    expect(models(order(all, about({ session: "s" })))).toEqual(first);
  });

  it("by cost: the cheapest first, and where a request cannot go last", () => {
    const costOf = ({ model }: Place) => ({ dear: 9, cheap: 1 })[model] ?? null;
    expect(models(order(route([target("none"), target("dear"), target("cheap")], { strategy: "cost" }), about({ costOf })))).toEqual([
      "cheap",
      "dear",
      "none",
    ]);
  });

  it("a condition that does not hold takes its target out", () => {
    const when = (fields: Partial<When>) => ({ when: { ...ALWAYS, ...fields } });
    const all = route([
      target("eu", when({ tags: ["eu", "de"] })),
      target("gold", when({ metadata: { tier: "gold" } })),
      target("big", when({ models: ["gpt-*"] })),
      target("any"),
    ]);
    expect(models(order(all, about()))).toEqual(["any"]);
    expect(models(order(all, about({ tags: ["de"], metadata: { tier: "gold" }, asked: "gpt-5" })))).toEqual(["eu", "gold", "big", "any"]);
    expect(models(order(all, about({ metadata: { tier: "silver" } })))).toEqual(["any"]);
  });

  it("a name's * goes on into its targets", () => {
    const all = route([target("*"), target("v-*-x")], { name: "gpt-*" });
    expect(models(order(all, about({ asked: "gpt-5$&" })))).toEqual(["5$&", "v-5$&-x"]);
  });

  it("another route stands for its own targets, and rows written around each other end", () => {
    const inner = route([target("b"), target("c"), { route: "r", priority: 0, weight: 1, when: ALWAYS }], { name: "inner" });
    const outer = route([target("a"), { route: "inner", priority: 0, weight: 1, when: ALWAYS }, target("d")]);
    expect(models(order(outer, about({ routes: new RouteBook([inner, outer]) })))).toEqual(["a", "b", "c", "d"]);
  });
});

describe("spreading", () => {
  it("each goes first about as often as any other, and a seed's order stays", () => {
    const firsts = Array.from({ length: 9_000 }, (_, at) => spread(["x", "y", "z"], `key_${at}`, (each) => each)[0]);
    for (const name of ["x", "y", "z"]) expect(firsts.filter((each) => each === name).length / firsts.length).toBeCloseTo(1 / 3, 1);
    expect(spread(["x", "y", "z"], "k", (each) => each)).toEqual(spread(["z", "y", "x"], "k", (each) => each));
  });
});

describe("names", () => {
  it("the exact name comes before a pattern, and the longest pattern before others", () => {
    const book = new RouteBook([route([], { name: "gpt-*" }), route([], { name: "gpt-5-*" }), route([], { name: "gpt-5" })]);
    expect([
      book.named("gpt-5")?.name,
      book.named("gpt-6"),
      book.fitting("gpt-5-mini")?.name,
      book.fitting("gpt-6")?.name,
      book.fitting("o3"),
    ]).toEqual(["gpt-5", null, "gpt-5-*", "gpt-*", undefined].map((each) => each ?? null));
  });
});
