import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Evaluation, Judged } from "../../../src/policy/engine/contract.ts";
import { Inside } from "../../../src/policy/engine/inside.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

const every = (steps: readonly Judged[], evaluate: (step: Judged) => Evaluation) => steps.map(evaluate);

it("the policies of a chain burn one budget together, so that many bombs delay others no longer than two", () => {
  const inside = new Inside(compiledEngine, every);
  const plugins = [{ hash: "bomb", source: "export default { evaluate() { for (;;); } };" }];
  const steps = Array.from({ length: 5 }, () => ({ policy: "bomb", hash: "bomb", needs: [], settings: {} }));
  const reply = inside.judge({ stage: "evaluate", steps, plugins, facts: { shared: {}, own: {} } });
  if (reply.kind === "missing") throw new Error("the source was there");
  expect(reply.outcome.map(({ fuel }) => fuel)).toEqual([10_000_000, 10_000_000, 0, 0, 0]);
  expect(reply.outcome.map(({ result }) => result)).toEqual(Array(5).fill(expect.objectContaining({ failure: "fuel" })));
});

it("a fact that nobody gathered is null to the policy that declared it", () => {
  const inside = new Inside(compiledEngine, every);
  const plugins = [{ hash: "h", source: "export default { evaluate: (c) => ({ allowed: true, metadata: { c } }) };" }];
  const steps = [{ policy: "p", hash: "h", needs: ["budget", "counters:day"], settings: { a: 1 } }];
  const reply = inside.judge({ stage: "evaluate", steps, plugins, facts: { shared: {}, own: {} } });
  expect(reply).toMatchObject({
    outcome: [{ result: { value: { metadata: { c: { budget: null, counters: { day: null }, config: { a: 1 } } } } } }],
  });
});

it("what is loaded runs on the same date of the platform as the gateway", () => {
  const [, gateway] = /^compatibility_date = "([^"]+)"/m.exec(readFileSync("wrangler.toml", "utf8"))!;
  expect(readFileSync("src/policy/engine/walls.ts", "utf8")).toContain(`COMPATIBILITY_DATE = "${gateway}"`);
});
