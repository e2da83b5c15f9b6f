import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { walk } from "../../../src/policy/chain.ts";
import { ActivePolicies } from "../../../src/policy/active.ts";
import { inShare } from "../../../src/policy/canary.ts";
import type { Finding, Step } from "../../../src/policy/contract.ts";
import { type Evaluation, walked as throughout } from "../../../src/policy/engine/contract.ts";

const decided = (allowed: boolean, more: { readonly reason?: string; readonly obligations?: readonly unknown[] } = {}): Evaluation => ({
  fuel: 7,
  result: { kind: "decision", value: { allowed, reason: more.reason ?? "", metadata: {}, obligations: more.obligations ?? [] } },
});
const failing: Evaluation = { fuel: 3, result: { kind: "failed", failure: "fuel", message: "ran out" } };

const step = (policy: string, more: Partial<Step> = {}): Step => ({
  policy,
  version: "1.0.0",
  hash: `hash-of-${policy}`,
  priority: 100,
  compose: "all",
  mode: "enforce",
  onError: "deny",
  stages: ["evaluate"],
  needs: [],
  settings: {},
  ...more,
});

/** Walks steps whose answers stand beside them. */
function walked(entries: readonly (readonly [Step, Evaluation])[]) {
  const answers = new Map(entries);
  const ran: string[] = [];
  const verdict = throughout(walk(entries.map(([each]) => each)), (each) => {
    ran.push(each.policy);
    return answers.get(each)!;
  });
  return { ...verdict, ran };
}

describe("the chain", () => {
  it("D12: runs in ascending priority, equal ones in the order given, and ends at the first group that denies", () => {
    const { ran, denial } = walked([
      [step("late", { priority: 300 }), decided(false)],
      [step("second", { priority: 20 }), decided(true)],
      [step("first", { priority: -5 }), decided(true)],
      [step("third", { priority: 20 }), decided(false, { reason: "no" })],
      [step("fourth", { priority: 20 }), decided(true)],
    ]);
    expect(ran).toEqual(["first", "second", "third", "fourth"]);
    expect(denial).toMatchObject({ step: { policy: "third" }, reason: "no", outcome: "denied" });
  });

  it("D12: tells the first denial by name of a group, whatever the order it ran in", () => {
    const { denial, findings } = walked([
      [step("zebra"), decided(false)],
      [step("ant"), decided(false)],
    ]);
    expect(denial?.step.policy).toBe("ant");
    expect(findings.map(({ step: { policy } }) => policy)).toEqual(["zebra", "ant"]);
  });

  it("D15: of those that say any, one that allows is enough, and it outweighs no all", () => {
    const any = (name: string) => step(name, { compose: "any" });
    expect(walked([[any("a"), decided(false)], [any("b"), decided(true)]]).denial).toBeNull(); // prettier-ignore
    expect(walked([[any("a"), decided(false)], [any("b"), decided(false)]]).denial?.step.policy).toBe("a"); // prettier-ignore
    expect(walked([[any("a"), decided(false)], [any("b"), decided(true)], [step("c"), decided(false)]]).denial?.step.policy).toBe("c"); // prettier-ignore
    const outside = walked([
      [step("a", { compose: "any", priority: 1 }), decided(false)],
      [step("b", { compose: "any", priority: 2 }), decided(true)],
    ]);
    expect(outside.denial?.step.policy).toBe("a");
  });

  it.each([
    ["deny", "all", "policy"],
    ["allow", "all", undefined],
    ["deny", "any", "policy"],
    ["allow", "any", undefined],
  ] as const)("35: a failure under on_error %s as one of %s is an outcome of its own", (onError, compose, denied) => {
    const { denial, findings } = walked([[step("policy", { onError, compose }), failing]]);
    expect(denial?.step.policy).toBe(denied);
    expect(findings).toMatchObject([{ outcome: "failed", failure: "fuel", reason: "ran out", fuel: 3 }]);
  });

  it("threat 35: a failure that is let through does not stand for the one that allows", () => {
    const { denial } = walked([
      [step("broken", { compose: "any", onError: "allow" }), failing],
      [step("strict", { compose: "any" }), decided(false)],
    ]);
    expect(denial?.step.policy).toBe("strict");
  });

  it("an obligation that nobody knows is a failure of the policy that asks for it", () => {
    const { findings, denial } = walked([[step("odd"), decided(true, { obligations: [{ type: "tag", tags: ["a"] }, { type: "call" }] })]]);
    expect(findings).toMatchObject([{ outcome: "failed", failure: "invalid_decision", obligations: [] }]);
    expect(findings[0]!.reason).toContain("obligations.1.type");
    expect(denial?.step.policy).toBe("odd");
  });

  it("threat 33: a reason is cut to 512 characters, and none of them is a control character", () => {
    const { denial } = walked([[step("loud"), decided(false, { reason: `a\r\nb\u0000\u2028${"x".repeat(600)}` })]]);
    expect(denial!.reason).toHaveLength(512);
    expect(denial!.reason).toMatch(/^a b x/);
  });
});

const answer = fc.oneof(fc.boolean().map((allowed) => decided(allowed)), fc.constant(failing)); // prettier-ignore
const chain = fc.array(
  fc.tuple(
    fc.record({
      policy: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      priority: fc.integer({ min: 0, max: 3 }),
      compose: fc.constantFrom("all" as const, "any" as const),
      mode: fc.constantFrom("enforce" as const, "shadow" as const),
      onError: fc.constantFrom("deny" as const, "allow" as const),
    }),
    answer,
  ),
  { maxLength: 12 },
);

/** What policy.md says, said again without a thought for beauty: the names that ran and the one that is told. */
function oracle(entries: readonly (readonly [Step, Evaluation])[]) {
  const ran: Step[] = [];
  for (let priority = 0; priority <= 3; priority++) {
    const group = entries.filter(([each]) => each.mode === "enforce" && each.priority === priority);
    for (const [each] of group) ran.push(each);
    let told: string | null = null;
    for (const [each, { result }] of group) {
      const no = result.kind === "failed" ? each.onError === "deny" : !result.value.allowed;
      let saved = false;
      if (each.compose === "any")
        for (const [other, { result: its }] of group)
          if (other.compose === "any" && its.kind === "decision" && its.value.allowed) saved = true;
      if (no && !saved && (told === null || each.policy < told)) told = each.policy;
    }
    if (told !== null) return { told, ran };
  }
  return { told: null, ran };
}

describe("the chain against its oracle", () => {
  const stepsOf = (drawn: readonly (readonly [Partial<Step> & { policy: string }, Evaluation])[]) =>
    drawn.map(([facts, evaluation]) => [step(facts.policy, facts), evaluation] as const);

  it("D15: decides as the oracle does, for every chain", () => {
    fc.assert(
      fc.property(chain, (drawn) => {
        const entries = stepsOf(drawn);
        const { denial, findings } = walked(entries);
        const { told, ran } = oracle(entries);
        expect(denial?.step.policy ?? null).toBe(told);
        expect(findings.map(({ step: each }) => each).filter(({ mode }) => mode === "enforce")).toEqual(ran);
      }),
      { numRuns: 2_000 },
    );
  });

  it("a shadow is asked, recorded, and changes nothing", () => {
    fc.assert(
      fc.property(chain, (drawn) => {
        const entries = stepsOf(drawn);
        const enforcing = ({ step: { mode } }: Finding) => mode === "enforce";
        const all = walked(entries);
        const without = walked(entries.filter(([{ mode }]) => mode === "enforce"));
        expect(all.denial).toEqual(without.denial);
        expect(all.obligations).toEqual(without.obligations);
        expect(all.findings.filter(enforcing)).toEqual(without.findings);
        expect(all.findings.filter((found) => !enforcing(found))).toHaveLength(entries.filter(([{ mode }]) => mode === "shadow").length);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a canary", () => {
  const keys = Array.from({ length: 5_000 }, (_, at) => `key_${at.toString(36).padStart(12, "0")}`);
  const share = (policy: string, percent: number) => keys.filter((key) => inShare(policy, key, percent));

  it.each([1, 5, 10, 25, 50, 75, 90])("takes %i percent of 5,000 keys, within two", (percent) => {
    expect(Math.abs((share("pii-redact", percent).length / keys.length) * 100 - percent)).toBeLessThan(2);
  });

  it.each([1, 10, 50])(
    "stands in the chains of %i percent of 5,000 keys, within two, and in the others' what is in force",
    (canaryPercent) => {
      const described = { name: "p", version: "", priority: 1, compose: "all", needs: [], stages: ["evaluate"], config: {}, loadFuel: 1, tests: { passed: 0, failed: 0 } } as const; // prettier-ignore
      const row = { scopeKind: "deployment", scopeId: "", name: "p", policy: "", onError: "deny", compose: "all", priority: null, config: {}, generation: 1, activatedBy: "", activatedAt: 0, described, source: "" } as const; // prettier-ignore
      const active = new ActivePolicies([
        { ...row, lane: "main", mode: "enforce", canaryPercent: null, version: "1.0.0", hash: "one" },
        { ...row, lane: "canary", mode: "canary", canaryPercent, version: "2.0.0", hash: "two" },
      ]);
      const versions = keys.map((key) =>
        active
          .chainOf({ team: "t", key })
          .map(({ step }) => step.version)
          .join(),
      );
      const drawn = versions.filter((version) => version === "2.0.0").length;
      expect(versions.filter((version) => version === "1.0.0").length).toBe(keys.length - drawn);
      expect(Math.abs((drawn / keys.length) * 100 - canaryPercent)).toBeLessThan(2);
    },
  );

  it("takes nobody at 0 percent and everybody at 100, and a larger share holds the smaller", () => {
    expect([share("p", 0).length, share("p", 100).length]).toEqual([0, keys.length]);
    const larger = new Set(share("p", 30));
    expect(share("p", 10).every((key) => larger.has(key))).toBe(true);
  });

  it("two policies try themselves on different keys", () => {
    const other = new Set(share("b", 50));
    const both = share("a", 50).filter((key) => other.has(key)).length;
    expect(Math.abs(both / keys.length - 0.25)).toBeLessThan(0.03);
  });
});
