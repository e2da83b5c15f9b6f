import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { walk } from "../../src/policy/chain.ts";
import type { Step } from "../../src/policy/contract.ts";
import { Engine } from "../../src/policy/engine/engine.ts";
import module from "../../src/policy/engine/quickjs.wasm";
import { wallsOf } from "../../src/policy/engine/walls.ts";
import { BENIGN } from "../corpus/policies/benign.ts";
import { CONTEXT, type Case, SHAPES } from "../corpus/policies/case.ts";
import fuel from "../corpus/policies/fuel.json" with { type: "json" };
import { HOSTILE } from "../corpus/policies/hostile.ts";
import { attempt, neighbourOf } from "../corpus/policies/run.ts";

const shapes = Object.keys(SHAPES) as (keyof typeof SHAPES)[];
const recorded = fuel as Readonly<Record<string, readonly number[]>>;
const all = [...HOSTILE, ...BENIGN];
const STEP = {
  version: "1.0.0",
  compose: "all",
  mode: "enforce",
  onError: "deny",
  stages: ["evaluate"],
  needs: ["request"],
  settings: {},
} as const;

describe("threat 31: the corpus of policies, in workerd", () => {
  const engine = new Engine(module);
  const neighbour = neighbourOf(engine);

  test.each(all)("$name: $expect, for the fuel that it burns in Node", (policy) => {
    const outcomes = shapes.map((shape) => attempt(engine, policy, shape));
    expect(outcomes.map(({ came }) => came)).toEqual(shapes.map(() => policy.expect));
    expect(outcomes.map((outcome) => outcome.fuel)).toEqual(recorded[policy.name]);
    expect(neighbour.ask()).toEqual(neighbour.before);
  });
});

describe("threat 31: the corpus of policies, behind the Worker Loader", () => {
  const walls = wallsOf({ module, walk, loader: env.POLICIES });
  const neighbour = { hash: "neighbour", source: SHAPES.object(BENIGN[0]!) };

  /** What a policy comes to behind the walls. Its neighbour is asked in the same chain, before it. */
  async function judged(policy: Case) {
    const plugin = { hash: policy.name, source: SHAPES.object(policy) };
    // What is given the time is asked each time, whatever it said before.
    const needs = { [neighbour.hash]: [...STEP.needs, "time"] };
    const steps = [neighbour, plugin].map(({ hash }, priority): Step => ({ ...STEP, needs: needs[hash] ?? STEP.needs, policy: hash, hash, priority })); // prettier-ignore
    const facts = { shared: JSON.parse(CONTEXT) as Record<string, unknown>, own: {} };
    return walls.judge({ tenant: "team", stage: "evaluate", steps, plugins: [neighbour, plugin], facts });
  }

  const asked = all.filter(({ expect }) => expect !== "complaint" && expect !== "refused");
  test.each(asked)("$name: $expect, and the isolate lives on", async (policy) => {
    const { denial, findings } = await judged(policy);
    expect(findings).toHaveLength(2);
    expect(findings[0]).toMatchObject({ outcome: "allowed" });
    const { failure, outcome, fuel: burnt } = findings[1]!;
    expect(failure ?? outcome).toBe(policy.inChain ?? policy.expect);
    expect(denial).toEqual(outcome === "allowed" ? null : findings[1]);
    expect(burnt).toBe(recorded[policy.name]![0]);
  });

  test.each(all.filter(({ expect }) => expect === "refused"))("$name: refused when it is registered", async (policy) => {
    expect(await walls.register({ hash: policy.name, source: SHAPES.object(policy) })).toMatchObject({ kind: "refused" });
  });
});
