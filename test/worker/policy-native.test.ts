import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { ActiveStep } from "../../src/policy/active.ts";
import type { Finding, Step } from "../../src/policy/contract.ts";
import module from "../../src/policy/engine/quickjs.wasm";
import { bench } from "../../src/policy/judge.ts";
import { hashOf } from "../../src/policy/signature.ts";
import { stepOf } from "../support/step.ts";

const FACTS = { shared: { request: { model: "gpt-5" } }, own: {} };
const source = (name: string, members: string, before = "") =>
  `${before}\nexport default { name: "${name}", version: "1.0.0", needs: ["request"], ${members} };`;
const deployedOf = (sources: readonly string[]) => Promise.all(sources.map(async (text) => ({ hash: await hashOf(text), source: text })));

/** The platform's loader, which notes what it is asked for. */
function watching() {
  const asked: { name: string | null; code: WorkerLoaderWorkerCode }[] = [];
  const loader: WorkerLoader = {
    load: (code) => env.POLICIES.load(code),
    get(name, getCode) {
      asked.push({ name, code: getCode() as WorkerLoaderWorkerCode });
      return env.POLICIES.get(name, getCode);
    },
  };
  return { asked, loader };
}

async function active(text: string, more: Partial<Step> = {}): Promise<ActiveStep> {
  const hash = await hashOf(text);
  const step = { ...stepOf(hash, ["request"]), ...more };
  return { step, plugin: { hash, source: text }, scope: { scopeKind: "deployment", scopeId: "" }, activatedAs: "enforce" };
}

async function judged(chain: readonly ActiveStep[], native: readonly string[], { loader = env.POLICIES, policyLimits = {} } = {}) {
  const { judge } = bench(module, loader, { policyLimits, deployed: await deployedOf(native) });
  return judge({ tenant: "t", stage: "evaluate", chain, facts: FACTS });
}

const came = ({ outcome, failure, metadata }: Finding) => ({ came: failure ?? outcome, metadata });
const YES = "{ allowed: true }";

const MODERN = source(
  "modern",
  `config: { type: "object", properties: { zone: { default: "Asia/Tokyo" } } },
   onLoad({ zone }) { this.day = new Intl.DateTimeFormat("en-US", { timeZone: zone, weekday: "long" }); },
   evaluate({ request }) {
     let turns = 0;
     for (let at = 0; at < 5_000_000; at++) turns += at % 2;
     return { allowed: true, metadata: { turns, day: this.day.format(0), path: new URL("https://x.example/" + request.model).pathname } };
   }`,
);

describe("the native tier", () => {
  test("runs a policy that was deployed for it at full speed, with Intl and URL, which the metered engine has not", async () => {
    const natively = await judged([await active(MODERN)], [MODERN]);
    expect(natively.findings.map(came)).toEqual([{ came: "allowed", metadata: { turns: 2_500_000, day: "Thursday", path: "/gpt-5" } }]);
    expect(natively.findings[0]!.fuel).toBe(0);
    expect((await judged([await active(MODERN)], [])).findings.map(came)).toEqual([{ came: "threw", metadata: {} }]);
  });

  test("never runs what was uploaded: another source is metered, and of a hash that was deployed it is the deployed source that runs", async () => {
    const uploaded = `${MODERN} `;
    expect((await judged([await active(uploaded)], [MODERN])).findings.map(came)).toEqual([{ came: "threw", metadata: {} }]);
    const tampered = await active(MODERN);
    const chain = [{ ...tampered, plugin: { ...tampered.plugin, source: source("modern", `evaluate: () => ({ allowed: false })`) } }];
    expect((await judged(chain, [MODERN])).findings.map(came)).toMatchObject([{ came: "allowed", metadata: { turns: 2_500_000 } }]);
  });

  test("asks all native policies of a chain in one call, and the metered ones in one more, in the chain's own order", async () => {
    const at = (name: string, more = "") =>
      source(name, `evaluate: () => ({ allowed: ${name !== "last"}, metadata: { by: "${name}" } })${more}`);
    const [first, second, third, last] = [at("first"), at("second"), at("third"), at("last")];
    const { asked, loader } = watching();
    const chain = await Promise.all([last, third, second, first].map((text, nth) => active(text, { priority: 10 - nth })));
    const { findings, denial } = await judged(chain, [first, third], { loader });
    expect(findings.map(({ metadata }) => metadata["by"])).toEqual(["first", "second", "third", "last"]);
    expect(denial?.metadata).toEqual({ by: "last" });
    expect(asked.map(({ name }) => name?.split("-")[0])).toEqual(["natives", "policies"]);
    asked.length = 0;
    await judged([chain[1]!, chain[3]!], [first, third], { loader });
    expect(asked.map(({ name }) => name?.split("-")[0])).toEqual(["natives"]);
  });

  test("a metered policy that denies ends the chain before a native one is heard", async () => {
    const no = source("no", `evaluate: () => ({ allowed: false, reason: "no" })`);
    const chain = [await active(MODERN, { priority: 2 }), await active(no, { priority: 1 })];
    const { findings, denial } = await judged(chain, [MODERN]);
    expect([findings.length, denial?.reason]).toEqual([1, "no"]);
  });

  test.each([
    ["throws", `evaluate() { throw new TypeError("a fault"); }`, "threw", "TypeError: a fault"],
    ["answers nothing", `evaluate() {}`, "invalid_decision", "must be an object"],
    ["answers what is none", `evaluate: () => ({ allowed: 1 })`, "invalid_decision", "must be true or false"],
    ["answers too much", `evaluate: () => ({ allowed: true, metadata: { a: "x".repeat(70_000) } })`, "invalid_decision", "65536 bytes"],
    ["answers itself", `evaluate() { const a = { allowed: true }; a.metadata = a; return a; }`, "threw", "circular"],
    [
      "asks for what no chain grants",
      `evaluate: () => ({ allowed: true, obligations: [{ type: "reboot" }] })`,
      "invalid_decision",
      "type: must be one of",
    ],
    ["is late", `async evaluate() { await new Promise((resolve) => setTimeout(resolve, 20_000)); return ${YES}; }`, "timeout", "in time"],
    ["fails as it is loaded", `onLoad() { throw new Error("no settings"); }, evaluate: () => (${YES})`, "threw", "no settings"],
  ])("denies where a policy %s", async (_, members, failure, reason) => {
    const text = source("faulty", members);
    const { findings, denial } = await judged([await active(text)], [text], { policyLimits: { timeoutMs: 150 } });
    expect(findings).toMatchObject([{ outcome: "failed", failure, reason: expect.stringContaining(reason) }]);
    expect(denial).toBe(findings[0]);
  });

  test("denies where there is no Worker Loader", async () => {
    const { judge, register } = bench(module, undefined, { policyLimits: {}, deployed: await deployedOf([MODERN]) });
    const { denial } = await judge({ tenant: "t", stage: "evaluate", chain: [await active(MODERN)], facts: FACTS });
    expect(denial).toMatchObject({ outcome: "failed", reason: expect.stringContaining("no Worker Loader") });
    await expect(register(MODERN)).rejects.toThrow("no Worker Loader");
  });

  test("threat 33: has no binding and no network, and the limits that the platform keeps", async () => {
    const { asked, loader } = watching();
    const text = source(
      "outward",
      `async evaluate() { return { allowed: true, metadata: { reached: await fetch("http://127.0.0.1:1/").then(() => true, (error) => String(error)) } }; }`,
    );
    const { findings } = await judged([await active(text)], [text], { loader, policyLimits: { nativeCpuMs: 77 } });
    expect(findings.map(came)).toEqual([
      { came: "allowed", metadata: { reached: expect.stringContaining("not permitted to access the internet") } },
    ]);
    expect(asked[0]!.code).toMatchObject({ env: {}, globalOutbound: null, limits: { cpuMs: 77, subRequests: 0 } });
  });

  test("a class has an instance for each of its settings, and what is done to settings no other evaluation sees", async () => {
    const text = `export default class { name = "per"; version = "1.0.0"; onLoad({ list }) { this.first = list[0]; }
      evaluate({ config }) { config.list.push(9); return { allowed: true, metadata: { first: this.first, list: config.list } }; } };`;
    const settings = (...list: number[]) => ({ settings: { list } });
    const chain = [await active(text, settings(1)), await active(text, settings(2)), await active(text, settings(1))];
    const { findings } = await judged(chain, [text]);
    expect(findings.map(({ metadata }) => metadata)).toEqual([1, 2, 1].map((first) => ({ first, list: [first, 9] })));
  });

  test("registers a policy natively: its tests run, and its onUnload", async () => {
    const tests = `tests: [{ name: "a zone", context: { request: { model: "m" } }, expect: { metadata: { path: "/m" } } }]`;
    const good = MODERN.replace("evaluate(", `${tests}, evaluate(`);
    const bad = good.replace('"/m"', '"/n"');
    const stuck = good.replace("evaluate(", `onUnload() { throw new Error("stuck"); }, evaluate(`);
    const { register } = bench(module, env.POLICIES, { policyLimits: {}, deployed: await deployedOf([good, bad, stuck]) });
    expect(await register(good)).toMatchObject({ name: "modern", stages: ["evaluate"], loadFuel: 0, tests: { passed: 1, failed: 0 } });
    await expect(register(bad)).rejects.toThrow("a zone: metadata: is");
    await expect(register(stuck)).rejects.toThrow("onUnload: Error: stuck");
    await expect(register(`${good} `)).rejects.toThrow("a zone");
  });
});

test("no policy runs natively unless the operator says so", async () => {
  const { default: natives } = await import("../../src/policy/engine/natives.json");
  expect(natives).toEqual([]);
});
