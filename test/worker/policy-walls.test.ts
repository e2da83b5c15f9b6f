import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { walk } from "../../src/policy/chain.ts";
import { clockTime } from "../../src/policy/engine/clock.ts";
import type { Facts } from "../../src/policy/engine/contract.ts";
import module from "../../src/policy/engine/quickjs.wasm";
import { LIMITS } from "../../src/policy/engine/limits.ts";
import { wallsOf } from "../../src/policy/engine/walls.ts";
import { stepOf } from "../support/step.ts";

const behindLoader = wallsOf({ module, walk, loader: env.POLICIES });
const inOwn = wallsOf({ module, walk });
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

/** What an isolate answers where one step allows. */
const allowed = (fuel = 1) => ({
  kind: "judged",
  evaluations: [{ fuel, result: { kind: "decision", value: { allowed: true, reason: "", metadata: {}, obligations: [] } } }],
});

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
    const asked = { tenant: "t2", stage: "evaluate", steps: [stepOf("known", ["time"])], facts: NO_FACTS } as const;
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
    const { findings } = await wallsOf({ module, walk, loader, limits }).judge(asked);
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

describe("what comes again as it was", () => {
  const request = (model: string): Facts => ({ shared: { request: { model }, time: { hour: 3 }, messages: [] }, own: {} });

  test("is asked once, and answered as it was: by the same facts, of the same policy with the same settings, for the same tenant", async () => {
    const { asked, loader } = loading(() => entrypoint(`return JSON.stringify(${JSON.stringify(allowed(77))});`));
    const walls = wallsOf({ module, walk, loader });
    const step = stepOf("a", ["request"]);
    const ask = (tenant: string, model: string, steps = [step]) => walls.judge({ tenant, stage: "evaluate", steps, plugins: [], facts: request(model) }); // prettier-ignore
    const first = await ask("t", "fast");
    expect(first.findings).toMatchObject([{ outcome: "allowed", fuel: 77 }]);
    for (let turn = 0; turn < 3; turn++) expect(await ask("t", "fast")).toEqual(first);
    expect(asked).toHaveLength(1);
    await ask("t", "slow");
    await ask("t2", "fast");
    await ask("t", "fast", [{ ...step, settings: { max: 1 } }]);
    await ask("t", "fast", [{ ...step, hash: "b" }]);
    await walls.judge({ tenant: "t", stage: "onResponse", steps: [step], plugins: [], facts: request("fast") });
    expect(asked).toHaveLength(6);
  });

  test.each(["time", "messages", "response", "budget", "estimate", "counters:minute"])(
    "is asked each time by a policy that is given %s",
    async (need) => {
      const { asked, loader } = loading(() => entrypoint(`return JSON.stringify(${JSON.stringify(allowed())});`));
      const walls = wallsOf({ module, walk, loader });
      const chain = {
        tenant: "t",
        stage: "evaluate",
        steps: [stepOf("a", ["request", need])],
        plugins: [],
        facts: request("fast"),
      } as const;
      for (let turn = 0; turn < 3; turn++) await walls.judge(chain);
      expect(asked).toHaveLength(3);
    },
  );

  test("is asked once a minute by a policy that is given the clock", async () => {
    const { asked, loader } = loading(() => entrypoint(`return JSON.stringify(${JSON.stringify(allowed())});`));
    const walls = wallsOf({ module, walk, loader });
    const minute = Date.UTC(2026, 0, 5, 10, 30);
    const ask = (now: number) =>
      walls.judge({
        tenant: "t",
        stage: "evaluate",
        steps: [stepOf("a", ["clock"])],
        plugins: [],
        facts: { shared: {}, own: { a: { clock: clockTime(now, "Asia/Tokyo") } } },
      });
    for (const ms of [0, 1, 30_000, 59_999]) await ask(minute + ms);
    expect(asked).toHaveLength(1);
    for (const ms of [60_000, 60_001, 0]) await ask(minute + ms);
    expect(asked).toHaveLength(2);
  });

  test("is asked again where it failed", async () => {
    const failure = { kind: "judged", evaluations: [{ fuel: 9, result: { kind: "failed", failure: "threw", message: "m" } }] };
    const { asked, loader } = loading(() => entrypoint(`return JSON.stringify(${JSON.stringify(failure)});`));
    const walls = wallsOf({ module, walk, loader });
    const chain = { tenant: "t", stage: "evaluate", steps: [stepOf("a", ["request"])], plugins: [], facts: request("fast") } as const;
    for (let turn = 0; turn < 2; turn++) expect((await walls.judge(chain)).findings).toMatchObject([{ failure: "threw", fuel: 9 }]);
    expect(asked).toHaveLength(2);
  });

  test("stands in its place among those that are asked, and where it denies first nobody is asked", async () => {
    let calls = 0;
    const get: WorkerLoader["get"] = (id, code) => {
      calls++;
      return env.POLICIES.get(id, code);
    };
    const walls = wallsOf({ module, walk, loader: { load: (code) => env.POLICIES.load(code), get } });
    const plugins = [
      policy("model", `return { allowed: c.request.model !== "never", reason: "model" };`),
      policy("hour", `return { allowed: c.time.hour > 8, reason: "hour", metadata: c };`),
    ];
    const steps = [stepOf("model", ["request"]), { ...stepOf("hour", ["time"]), priority: 200 }];
    const ask = async (model: string, hour: number) => {
      const facts = { shared: { request: { model }, time: { hour } }, own: {} };
      const before = calls;
      const { denial, findings } = await walls.judge({ tenant: "t", stage: "evaluate", steps, plugins, facts });
      return { denial: denial?.reason ?? null, burnt: findings.map(({ fuel }) => fuel > 0), calls: calls - before };
    };
    for (const known of [false, true]) {
      expect(await ask("fast", 9)).toEqual({ denial: null, burnt: [true, true], calls: 1 });
      expect(await ask("fast", 7)).toEqual({ denial: "hour", burnt: [true, true], calls: 1 });
      expect(await ask("never", 9)).toEqual({ denial: "model", burnt: [true], calls: known ? 0 : 1 });
    }
  });
});

describe("the outer wall", () => {
  test("threat 33: whoever stood within would have no binding and no network", async () => {
    const { asked, loader } = loading(() =>
      entrypoint(`const reached = await fetch("http://127.0.0.1:1/").then(() => true, (error) => String(error));
        const value = { allowed: true, reason: "", metadata: { reached, env: Object.keys(this.env) }, obligations: [] };
        return JSON.stringify({ kind: "judged", evaluations: [{ fuel: 0, result: { kind: "decision", value } }] });`),
    );
    const walls = wallsOf({ module, walk, loader });
    const { findings } = await walls.judge({ tenant: "t", stage: "evaluate", steps: [stepOf("a")], plugins: [], facts: NO_FACTS });
    expect(findings[0]!.metadata).toEqual({ reached: expect.stringContaining("not permitted to access the internet"), env: [] });
    expect(asked[0]!.code).toMatchObject({ env: {}, globalOutbound: null });
  });

  test("an isolate that does not answer is a timeout of each policy, after the time that was given", async () => {
    const { loader } = loading(() => entrypoint(`await new Promise((resolve) => setTimeout(resolve, 20_000));`));
    const walls = wallsOf({ module, walk, loader, limits: { ...LIMITS, timeoutMs: 100 } });
    const said = await walls.judge({ tenant: "t", stage: "evaluate", steps: [stepOf("a")], plugins: [], facts: NO_FACTS });
    expect(said.findings).toMatchObject([{ fuel: 0, outcome: "failed", failure: "timeout", reason: "did not answer in time" }]);
  });

  test("an isolate that breaks is a failure of each policy", async () => {
    const { loader } = loading(() => entrypoint(`throw new Error("inner matters");`));
    const walls = wallsOf({ module, walk, loader });
    const said = await walls.judge({ tenant: "t", stage: "evaluate", steps: [stepOf("a")], plugins: [], facts: NO_FACTS });
    expect(said.findings).toMatchObject([{ outcome: "failed", failure: "threw" }]);
    expect(JSON.stringify(said)).not.toContain("inner matters");
  });

  test("however many tenants there are, there are at most 32 isolates, and a tenant finds its own again", async () => {
    const { asked, loader } = loading(() => entrypoint(`return JSON.stringify(${JSON.stringify(allowed())});`));
    const walls = wallsOf({ module, walk, loader });
    const ask = (tenant: string) =>
      walls.judge({ tenant, stage: "evaluate", steps: [stepOf("a", ["time"])], plugins: [], facts: NO_FACTS });
    for (let nth = 0; nth < 200; nth++) await ask(`team_${nth}`);
    const ids = new Set(asked.map(({ id }) => id));
    expect(ids.size).toBeGreaterThan(16);
    expect(ids.size).toBeLessThanOrEqual(32);
    await ask("team_7");
    expect(asked.at(-1)!.id).toBe(asked[7]!.id);
  });
});
