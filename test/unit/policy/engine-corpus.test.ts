import { afterAll, describe, expect, it } from "vitest";
import { Engine } from "../../../src/policy/engine/engine.ts";
import { BENIGN } from "../../corpus/policies/benign.ts";
import { SHAPES } from "../../corpus/policies/case.ts";
import { HOSTILE } from "../../corpus/policies/hostile.ts";
import { attempt, neighbourOf } from "../../corpus/policies/run.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

const shapes = Object.keys(SHAPES) as (keyof typeof SHAPES)[];
const engine = new Engine(compiledEngine);
const neighbour = neighbourOf(engine);
const fuel: Record<string, number[]> = {};

describe("threat 31: the corpus of policies, in Node", () => {
  it("holds at least 120 that mean harm, and 12 that do not", () => {
    const names = [...HOSTILE, ...BENIGN].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(HOSTILE.length).toBeGreaterThanOrEqual(120);
    expect(BENIGN.length).toBeGreaterThanOrEqual(12);
  });

  it.each([...HOSTILE, ...BENIGN])("$name: $expect, in all three shapes, and its neighbour sees nothing of it", (policy) => {
    const outcomes = shapes.map((shape) => attempt(engine, policy, shape));
    for (const { came, said } of outcomes) {
      expect([came, said]).toEqual([policy.expect, expect.any(String)]);
      expect(said.length).toBeLessThanOrEqual(512);
    }
    fuel[policy.name] = outcomes.map((outcome) => outcome.fuel);
    expect(neighbour.ask()).toEqual(neighbour.before);
  });

  it("leaves no more memory behind than images and sources may take", () => {
    const before = process.memoryUsage().arrayBuffers;
    const bombs = HOSTILE.filter(({ name }) => name.startsWith("memory: "));
    for (const policy of bombs) attempt(engine, policy, "object");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(48 * 1024 * 1024);
  });

  it("burns the fuel that is recorded, which workerd is held to as well", async () => {
    await expect(`${JSON.stringify(fuel, null, 2)}\n`).toMatchFileSnapshot("../../corpus/policies/fuel.json");
  });
});

describe("threat 32: what the corpus does to itself", () => {
  it("each policy that decides decides the same again, for the same fuel", () => {
    for (const policy of [...HOSTILE, ...BENIGN].filter(({ expect }) => expect === "allowed" || expect === "denied")) {
      const [first, ...others] = [1, 2, 3].map(() => attempt(engine, policy, "object"));
      for (const other of others) expect([policy.name, other]).toEqual([policy.name, first]);
    }
  });
});

afterAll(() => expect(Object.keys(fuel)).toHaveLength(HOSTILE.length + BENIGN.length));
