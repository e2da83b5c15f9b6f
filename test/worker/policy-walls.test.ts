import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { walk } from "../../src/policy/chain.ts";
import type { Verdict } from "../../src/policy/contract.ts";
import type { Facts } from "../../src/policy/engine/contract.ts";
import module from "../../src/policy/engine/quickjs.wasm";
import { LIMITS } from "../../src/policy/engine/limits.ts";
import { wallsOf } from "../../src/policy/engine/walls.ts";
import { verdictOf } from "../../src/policy/verdict-text.ts";
import { stepOf } from "../support/step.ts";

const behindLoader = wallsOf({ module, walk, heard: verdictOf, loader: env.POLICIES });
const inOwn = wallsOf({ module, walk, heard: verdictOf });
const policy = (hash: string, body: string) => ({
  hash,
  source: `export default { name: "p", version: "1.0.0", evaluate(c) { ${body} } };`,
});
const NO_FACTS: Facts = { shared: {}, own: {} };

/** A loader of the platform's own, whose isolates run other code than asked for; it notes what was asked. */
function loading(source: (asked: WorkerLoaderWorkerCode) => string) {
  const asked: { id: string | null; code: WorkerLoaderWorkerCode }[] = [];
  const loader: WorkerLoader = {
    load: (code) => env.POLICIES.load(code),
    get(id, getCode) {
      const code = getCode() as WorkerLoaderWorkerCode;
      asked.push({ id, code });
      return env.POLICIES.load({ ...code, modules: { ...code.modules, [code.mainModule]: source(code) } });
    },
  };
  return { asked, loader };
}

const entrypoint = (judge: string) =>
  `import { WorkerEntrypoint } from "cloudflare:workers"; export class Isolate extends WorkerEntrypoint { async judge(asked) { ${judge} } }`;

describe.each([
  ["behind the Worker Loader", behindLoader],
  ["in the gateway's own isolate", inOwn],
])("policies %s", (_, walls) => {
  test("are walked in one call, each with the facts that it declared and no others", async () => {
    const plugins = ["a", "b"].map((hash) => policy(hash, `return { allowed: true, metadata: { by: "${hash}", given: c } };`));
    const steps = [stepOf("a", ["time", "counters:minute"]), stepOf("b", ["key"])];
    const facts: Facts = {
      shared: { key: { id: "k" }, time: { hour: 3 }, messages: "secret" },
      own: { a: { "counters:minute": { count: 2 }, time: { hour: 4 } }, b: { "counters:minute": { count: 9 } } },
    };
    const said = await walls.judge({ tenant: "t", stage: "evaluate", steps, plugins, facts });
    expect(said.findings.map(({ metadata }) => metadata)).toMatchObject([
      { by: "a", given: { time: { hour: 4 }, counters: { minute: { count: 2 } }, config: {} } },
      { by: "b", given: { key: { id: "k" }, config: {} } },
    ]);
    expect(JSON.stringify(said)).not.toContain("secret");
  });

  test("are sent their sources once: what is known is asked by its hash", async () => {
    const asked = { tenant: "t2", stage: "evaluate", steps: [stepOf("known")], facts: NO_FACTS } as const;
    const first = await walls.judge({ ...asked, plugins: [policy("known", "return { allowed: true };")] });
    expect(first.findings[0]!.outcome).toBe("allowed");
    expect(await walls.judge({ ...asked, plugins: [] })).toEqual(first);
  });

  test("that nobody has the source of fail, and the caller is not thrown at", async () => {
    const said = await walls.judge({ tenant: "t3", stage: "evaluate", steps: [stepOf("unknown")], plugins: [], facts: NO_FACTS });
    expect(said.findings).toMatchObject([{ fuel: 0, outcome: "failed", failure: "threw", reason: "the isolate that it runs in broke" }]);
  });

  test("are registered behind the same walls", async () => {
    expect(await walls.register(policy("r", "return { allowed: true };"))).toMatchObject({ kind: "described", described: { name: "p" } });
    expect(await walls.register(policy("s", "for (;;"))).toEqual({ kind: "refused", message: expect.stringContaining("SyntaxError") });
  });
});

test("D13: limits that a deployment sets hold in both places", async () => {
  const limits = { ...LIMITS, evaluationFuel: 12_345, chainFuel: 20_000 };
  const plugins = [policy("endless", "for (;;);"), policy("endless too", "for (;;); ")];
  const asked = { tenant: "t", stage: "evaluate", steps: plugins.map(({ hash }, at) => ({ ...stepOf(hash), priority: at, mode: "shadow" as const })), plugins, facts: NO_FACTS } as const; // prettier-ignore
  for (const loader of [env.POLICIES, undefined]) {
    const { findings } = await wallsOf({ module, walk, heard: verdictOf, loader, limits }).judge(asked);
    expect(findings.map(({ fuel, failure }) => [fuel, failure])).toEqual([
      [12_345, "fuel"],
      [20_000 - 12_345, "fuel"],
    ]);
  }
});

test("the same policy burns the same fuel in both places", async () => {
  const plugins = [policy("fuel", "return { allowed: true, metadata: { n: [3, 1, 2].sort().map((x) => x * 2).join() } };")];
  const asked = { tenant: "t", stage: "evaluate", steps: [stepOf("fuel")], plugins, facts: NO_FACTS } as const;
  expect(await behindLoader.judge(asked)).toEqual(await inOwn.judge(asked));
});

describe("the outer wall", () => {
  test("threat 33: whoever stood within would have no binding and no network", async () => {
    const { asked, loader } = loading(() =>
      entrypoint(`const reached = await fetch("http://127.0.0.1:1/").then(() => true, (error) => String(error));
        return JSON.stringify({ reached, env: Object.keys(this.env) });`),
    );
    const walls = wallsOf({ module, walk, heard: (text) => JSON.parse(text) as Verdict, loader });
    const outcome = (await walls.judge({ tenant: "t", stage: "evaluate", steps: [], plugins: [], facts: NO_FACTS })) as unknown;
    expect(outcome).toEqual({ reached: expect.stringContaining("not permitted to access the internet"), env: [] });
    expect(asked[0]!.code).toMatchObject({ env: {}, globalOutbound: null });
  });

  test("an isolate that does not answer is a timeout of each policy, after the time that was given", async () => {
    const { loader } = loading(() => entrypoint(`await new Promise((resolve) => setTimeout(resolve, 20_000));`));
    const walls = wallsOf({ module, walk, heard: verdictOf, loader, limits: { ...LIMITS, timeoutMs: 100 } });
    const said = await walls.judge({ tenant: "t", stage: "evaluate", steps: [stepOf("a")], plugins: [], facts: NO_FACTS });
    expect(said.findings).toMatchObject([{ fuel: 0, outcome: "failed", failure: "timeout", reason: "did not answer in time" }]);
  });

  test("an isolate that breaks is a failure of each policy", async () => {
    const { loader } = loading(() => entrypoint(`throw new Error("inner matters");`));
    const walls = wallsOf({ module, walk, heard: verdictOf, loader });
    const said = await walls.judge({ tenant: "t", stage: "evaluate", steps: [stepOf("a")], plugins: [], facts: NO_FACTS });
    expect(said.findings).toMatchObject([{ outcome: "failed", failure: "threw" }]);
    expect(JSON.stringify(said)).not.toContain("inner matters");
  });

  test("however many tenants there are, there are at most 32 isolates, and a tenant finds its own again", async () => {
    const { asked, loader } = loading(() => entrypoint(`return JSON.stringify({ findings: [], denial: null, obligations: [] });`));
    const walls = wallsOf({ module, walk, heard: verdictOf, loader });
    const ask = (tenant: string) => walls.judge({ tenant, stage: "evaluate", steps: [], plugins: [], facts: NO_FACTS });
    for (let nth = 0; nth < 200; nth++) await ask(`team_${nth}`);
    const ids = new Set(asked.map(({ id }) => id));
    expect(ids.size).toBeGreaterThan(16);
    expect(ids.size).toBeLessThanOrEqual(32);
    await ask("team_7");
    expect(asked.at(-1)!.id).toBe(asked[7]!.id);
  });
});
