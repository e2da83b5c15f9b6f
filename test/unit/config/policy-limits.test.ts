import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/config/config.ts";
import { POLICY_LIMITS } from "../../../src/config/policy-limits.ts";
import { Engine } from "../../../src/policy/engine/engine.ts";
import { complaintsOf } from "../../../src/policy/engine/inspect.ts";
import { type Limits, LIMITS } from "../../../src/policy/engine/limits.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

const limitsOf = (variables: Readonly<Record<string, string>>): Limits => ({
  ...LIMITS,
  ...readConfig({ TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: "e".repeat(32), ...variables }).policyLimits,
});

const BOUNDS = [
  ["TOLLGATE_POLICY_SOURCE_BYTES", "sourceBytes", 1_024, 262_144],
  ["TOLLGATE_POLICY_CONTEXT_BYTES", "contextBytes", 1_024, 2_097_152],
  ["TOLLGATE_POLICY_RESULT_BYTES", "resultBytes", 256, 262_144],
  ["TOLLGATE_POLICY_LOGS_CHARACTERS", "logsCharacters", 0, 8_192],
  ["TOLLGATE_POLICY_LOAD_FUEL", "loadFuel", 500_000, 40_000_000],
  ["TOLLGATE_POLICY_EVALUATION_FUEL", "evaluationFuel", 10_000, 40_000_000],
  ["TOLLGATE_POLICY_CHAIN_FUEL", "chainFuel", 10_000, 80_000_000],
  ["TOLLGATE_POLICY_TESTS_FUEL", "testsFuel", 10_000, 80_000_000],
  ["TOLLGATE_POLICY_TIMEOUT_MS", "timeoutMs", 100, 30_000],
  ["TOLLGATE_POLICY_NATIVE_CPU_MS", "nativeCpuMs", 10, 30_000],
] as const;

describe("D13: the limits of policies", () => {
  it("are all here, and are the engine's own where nothing is set", () => {
    expect(BOUNDS.map(([name]) => name)).toEqual(Object.keys(POLICY_LIMITS));
    expect(BOUNDS.map(([, limit]) => limit).toSorted()).toEqual(Object.keys(LIMITS).toSorted());
    expect(limitsOf({ TOLLGATE_POLICY_LOAD_FUEL: "" })).toEqual(LIMITS);
  });

  it.each(BOUNDS)("%s takes its bounds and nothing beyond, and what is the default lies between", (name, limit, least, most) => {
    for (const value of [least, most]) expect(limitsOf({ [name]: String(value) })).toEqual({ ...LIMITS, [limit]: value });
    for (const value of [least - 1, most + 1, least + 0.5, "many"]) expect(() => limitsOf({ [name]: String(value) })).toThrow(name);
    expect(LIMITS[limit]).toBeGreaterThanOrEqual(least);
    expect(LIMITS[limit]).toBeLessThanOrEqual(most);
  });
});

describe("D13: a limit holds where it is set", () => {
  const asked = (variables: Record<string, string>, body: string, context = "{}") => {
    const engine = new Engine(compiledEngine, limitsOf(variables));
    engine.keep({ hash: "p", source: `export default { name: "p", version: "1.0.0", evaluate(c) { ${body} } };` });
    return engine.evaluate({ hash: "p", stage: "evaluate", settings: {}, context });
  };
  const YES = "return { allowed: true };";

  it.each([10_000, 40_000_000])("an evaluation burns %d and no more", (fuel) => {
    const { fuel: burnt, result } = asked({ TOLLGATE_POLICY_EVALUATION_FUEL: String(fuel) }, "for (;;);");
    expect([burnt, result]).toEqual([fuel, expect.objectContaining({ failure: "fuel" })]);
  });

  it.each([1_024, 2_097_152])("a context of %d characters is read, and one more is not", (most) => {
    const variables = { TOLLGATE_POLICY_CONTEXT_BYTES: String(most), TOLLGATE_POLICY_EVALUATION_FUEL: "40000000" };
    const of = (length: number) => JSON.stringify({ a: "x".repeat(length - 8) });
    expect(asked(variables, "return { allowed: c.a.length > 0 };", of(most)).result).toMatchObject({ value: { allowed: true } });
    expect(asked(variables, YES, of(most + 1))).toMatchObject({ fuel: 0, result: { failure: "memory" } });
  });

  it.each([256, 262_144])("a decision of %d bytes is one, and one more byte makes it none", (most) => {
    const variables = { TOLLGATE_POLICY_RESULT_BYTES: String(most), TOLLGATE_POLICY_LOGS_CHARACTERS: "0" };
    // What stands around the text in the answer: its kind, the length of the logs, and the decision's JSON.
    const frame = `d0:${JSON.stringify({ allowed: true, metadata: { a: "" } })}`.length;
    const body = (bytes: number) => `return { allowed: true, metadata: { a: "x".repeat(${bytes - frame}) } };`;
    expect(asked(variables, body(most)).result).toMatchObject({ value: { allowed: true } });
    expect(asked(variables, body(most + 1)).result).toMatchObject({
      failure: "invalid_decision",
      message: `holds more than ${most} bytes`,
    });
  });

  it.each([0, 8_192])("a console keeps %d characters", (most) => {
    const { logs = "" } = asked({ TOLLGATE_POLICY_LOGS_CHARACTERS: String(most) }, `console.log("x".repeat(9000)); ${YES}`);
    expect(logs).toHaveLength(most);
  });

  it.each([500_000, 40_000_000])("loading burns %d and no more", (fuel) => {
    const engine = new Engine(compiledEngine, limitsOf({ TOLLGATE_POLICY_LOAD_FUEL: String(fuel) }));
    const work = engine.registering({ hash: "p", source: "for (;;);" });
    expect(work.next()).toEqual({ done: false, value: fuel });
    expect(work.next().value).toMatchObject({ kind: "refused", message: expect.stringContaining("load: fuel") });
  });

  it.each([1_024, 262_144])("a source of %d bytes is read, and one more is not", (most) => {
    const of = (bytes: number) => "export default {};".padEnd(bytes, " ");
    const { sourceBytes } = limitsOf({ TOLLGATE_POLICY_SOURCE_BYTES: String(most) });
    expect(complaintsOf(of(most), sourceBytes)).toEqual([]);
    expect(complaintsOf(of(most + 1), sourceBytes)).toMatchObject([{ message: `the bundle has ${most + 1} bytes, and may have ${most}` }]);
  });

  it.each([10_000, 80_000_000])("tests burn %d together, and what one began", (fuel) => {
    const engine = new Engine(compiledEngine, limitsOf({ TOLLGATE_POLICY_TESTS_FUEL: String(fuel) }));
    const tests = Array.from({ length: 20 }, () => `{ expect: { allowed: true } }`);
    const source = `export default { name: "p", version: "1.0.0", evaluate() { for (;;); }, tests: [${tests.join()}] };`;
    const registration = engine.register({ hash: "p", source });
    if (registration.kind === "refused") throw new Error(registration.message);
    expect(registration.runs.at(-1)!.fault).toContain("that they have together");
    expect(registration.runs).toHaveLength(Math.ceil(fuel / LIMITS.evaluationFuel));
  });
});
