import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Evaluation, Judged } from "../../../src/policy/engine/contract.ts";
import { Engine } from "../../../src/policy/engine/engine.ts";
import { Inside } from "../../../src/policy/engine/inside.ts";
import { LIMITS } from "../../../src/policy/engine/limits.ts";
import { Steady } from "../../../src/policy/engine/steady.ts";
import { atOnce, counted } from "../../../src/policy/engine/turns.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

function* every(steps: readonly Judged[]): Generator<Judged, Evaluation[], Evaluation> {
  const found: Evaluation[] = [];
  for (const step of steps) found.push(yield step);
  return found;
}

const BOMB = { hash: "bomb", source: "export default { evaluate() { for (;;); } };" };
const bombs = (count: number) => Array.from({ length: count }, () => ({ policy: "bomb", hash: "bomb", needs: [], settings: {} }));
const NO_FACTS = { shared: {}, own: {} };

it("the policies of a chain burn one budget together, so that many bombs burn no more than two", async () => {
  const inside = new Inside(compiledEngine, every, LIMITS);
  const reply = await inside.judge({ stage: "evaluate", steps: bombs(5), plugins: [BOMB], facts: NO_FACTS });
  if (reply.kind === "missing") throw new Error("the source was there");
  expect(reply.evaluations.map((each) => each?.fuel)).toEqual([10_000_000, 10_000_000, 0, 0, 0]);
  expect(reply.evaluations.map((each) => each?.result)).toEqual(Array(5).fill(expect.objectContaining({ failure: "fuel" })));
});

it("what is known of a policy burns the fuel that it burnt, and fails where the others have left less", async () => {
  const inside = new Inside(compiledEngine, every, LIMITS);
  const known = (fuel: number) =>
    ({ fuel, result: { kind: "decision", value: { allowed: true, reason: "", metadata: {}, obligations: [] } } }) as const;
  const chain = { stage: "evaluate", steps: bombs(3), plugins: [BOMB], facts: NO_FACTS } as const;
  const fuelOf = async (fuel: number) => {
    const reply = await inside.judge({ ...chain, known: [null, known(fuel), null] });
    if (reply.kind === "missing") throw new Error("the source was there");
    return reply.evaluations.map((each) => [each?.fuel, each?.result.kind === "failed" ? each.result.failure : "decided"]);
  };
  expect(await fuelOf(4_000)).toEqual([[10_000_000, "fuel"], [4_000, "decided"], [9_996_000, "fuel"]]); // prettier-ignore
  expect(await fuelOf(10_000_001)).toEqual([[10_000_000, "fuel"], [10_000_000, "fuel"], [0, "fuel"]]); // prettier-ignore
});

it("what is kept of a chain is left out where it would burn more together than a chain may", () => {
  const steady = new Steady({ chainFuel: 10_000 });
  const steps = ["a", "b"].map((hash) => ({ policy: hash, hash, needs: ["request"], settings: {} }));
  const names = steady.namesOf({ tenant: "t", stage: "evaluate", steps, facts: { shared: { request: "{}" }, own: {} } });
  const said = (fuel: number) =>
    ({ fuel, result: { kind: "decision", value: { allowed: true, reason: "", metadata: {}, obligations: [] } } }) as const;
  expect(steady.recall(names, undefined)).toEqual([null, null]);
  steady.keep(names, [said(6_000), null]);
  expect(steady.recall(names, undefined)).toEqual([said(6_000), null]);
  steady.keep(names, [null, said(4_001)]);
  expect(steady.recall(names, undefined)).toEqual([null, null]);
  expect(steady.recall(names, [null, said(1)])).toEqual([said(6_000), said(1)]);
});

it("what is kept of a chain takes its room by all that policies said, not by how often they were asked", () => {
  const steady = new Steady({ chainFuel: 10_000 });
  const metadata = { nested: Array.from({ length: 20_000 }, () => []) };
  const wordy = { fuel: 1, result: { kind: "decision", value: { allowed: true, reason: "", metadata, obligations: [] } } } as const;
  const names = Array.from({ length: 100 }, (_, n) => `tenant\n${n}`);
  for (const name of names) steady.keep([name], [wordy]);
  const kept = names.flatMap((name) => steady.recall([name], undefined)).filter((each) => each !== null);
  expect(kept.length * JSON.stringify(wordy).length).toBeLessThan(2 * 1024 * 1024);
  expect(kept.at(-1)).toEqual(wordy);
});

it("of many bombs at once one goes off at a time: whatever else the thread has to do comes in between", async () => {
  const seen: string[] = [];
  function* watched(steps: readonly Judged[]): Generator<Judged, null, Evaluation> {
    for (const step of steps) seen.push((yield step).fuel > 1_000_000 ? "bomb" : "spent");
    return null;
  }
  const inside = new Inside(compiledEngine, watched, LIMITS);
  const work = { over: false };
  const other = (async () => {
    for (; !work.over; await new Promise((resolve) => setTimeout(resolve, 0))) seen.push("other");
  })();
  await Promise.all(
    Array.from({ length: 4 }, () => inside.judge({ stage: "evaluate", steps: bombs(3), plugins: [BOMB], facts: NO_FACTS })),
  );
  work.over = true;
  await other;
  expect(seen.filter((each) => each === "bomb")).toHaveLength(8);
  expect(seen.join(" ")).not.toMatch(/bomb( spent)* bomb/);
});

it("a policy is loaded, given its settings, tested and asked in turns of their own, each within its fuel", () => {
  const spin = (turns: number) => `for (let i = 0; i < ${turns}; i++);`;
  const source = `${spin(100_000)} export default { name: "slow", version: "1.0.0", onLoad() { ${spin(100_000)} }, evaluate() { ${spin(50_000)} return { allowed: true }; },
    tests: [{ config: { a: 1 }, expect: { allowed: true } }, { config: { a: 2 }, expect: { allowed: true } }] };`;
  const work = new Engine(compiledEngine).registering({ hash: "slow", source });
  const turns: number[] = [];
  for (let turn = work.next(); ; turn = work.next()) {
    if (turn.done) break;
    turns.push(turn.value);
  }
  // Loaded, described; for each test its settings and the question; unloaded.
  expect(turns.map((fuel) => Math.round(fuel / 800_000))).toEqual([2, 0, 2, 1, 2, 1, 0]);
  expect(Math.min(...turns)).toBeGreaterThan(0);
});

it("many tests with settings of their own burn no more than tests may together", () => {
  const tests = Array.from({ length: 100 }, (_, a) => `{ config: { a: ${a} }, expect: { allowed: true } }`);
  const source = `export default { name: "slow", version: "1.0.0", onLoad() { for (let i = 0; i < 1e6; i++); }, evaluate: () => ({ allowed: true }), tests: [${tests.join()}] };`;
  let burnt = 0;
  const registration = atOnce(counted(new Engine(compiledEngine).registering({ hash: "slow", source }), (fuel) => (burnt += fuel)));
  expect(registration).toMatchObject({ kind: "described", described: { tests: { failed: 1 } } });
  expect(registration.kind === "described" && registration.runs.at(-1)!.fault).toContain("that they have together");
  expect(burnt).toBeLessThan(LIMITS.testsFuel + 2 * LIMITS.loadFuel);
});

it("a fact that nobody gathered is null to the policy that declared it", async () => {
  const inside = new Inside(compiledEngine, every, LIMITS);
  const plugins = [{ hash: "h", source: "export default { evaluate: (c) => ({ allowed: true, metadata: { c } }) };" }];
  const steps = [{ policy: "p", hash: "h", needs: ["budget", "counters:day"], settings: { a: 1 } }];
  const reply = await inside.judge({ stage: "evaluate", steps, plugins, facts: NO_FACTS });
  expect(reply).toMatchObject({
    evaluations: [{ result: { value: { metadata: { c: { budget: null, counters: { day: null }, config: { a: 1 } } } } } }],
  });
});

it("what is loaded runs on the same date of the platform as the gateway", () => {
  const [, gateway] = /^compatibility_date = "([^"]+)"/m.exec(readFileSync("wrangler.toml", "utf8"))!;
  expect(readFileSync("src/policy/engine/walls.ts", "utf8")).toContain(`COMPATIBILITY_DATE = "${gateway}"`);
});
