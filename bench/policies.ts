import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { bundlePolicy } from "../scripts/bundle-policy.ts";
import { Engine } from "../src/policy/engine/engine.ts";
import { processorMs } from "../test/support/processor.ts";
import { compiledEngine } from "../test/support/policy-engine.ts";
import { freePort, startGateway, started } from "./gateway.ts";
import { load, type Round, type Target } from "./load.ts";

/**
 * `node bench/policies.ts`, the end of `npm run bench`: what policies cost. What they add to a request through the whole gateway; in workerd,
 * what a chain of them adds to a Worker that does nothing else, in the gateway's own isolate and behind the Worker Loader; and the engine
 * alone, in Node. What is compared is interleaved. Writes bench/policies.json.
 */

const ROUNDS = Number(process.env["BENCH_ROUNDS"] || 7);
const COUNT = 400;
const WAYS = [
  { name: "no policy", where: "own", policies: 0 },
  { name: "1 policy, own isolate", where: "own", policies: 1 },
  { name: "5 policies, own isolate", where: "own", policies: 5 },
  { name: "1 policy, Worker Loader", where: "loader", policies: 1 },
  { name: "5 policies, Worker Loader", where: "loader", policies: 5 },
] as const;

/** The first five of the examples, with what they need. */
async function plugins() {
  const engine = new Engine(compiledEngine);
  const names = readdirSync("plugins", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const five = names.slice(0, 5).map(async ({ name }) => {
    const plugin = { hash: name, source: await bundlePolicy(`plugins/${name}/index.ts`) };
    const registered = engine.register(plugin);
    if (registered.kind === "refused") throw new Error(registered.message);
    return { ...plugin, needs: [...registered.described.needs] };
  });
  return Promise.all(five);
}

async function boot(): Promise<{ runtime: Miniflare; port: number }> {
  const external = ["cloudflare:workers", "*.wasm"];
  const bundled = await build({ entryPoints: ["bench/policies/worker.ts"], bundle: true, format: "esm", external, write: false });
  const source = bundled.outputFiles[0]!.text;
  const [, wasm = ""] = /from "([^"]*quickjs\.wasm)"/.exec(source) ?? [];
  const port = await freePort();
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "policies",
          compatibilityDate: "2026-08-15",
          modules: [
            { type: "ESModule", path: "index.js", contents: source.replace(wasm, "./quickjs.wasm") },
            { type: "CompiledWasm", path: "quickjs.wasm", contents: readFileSync("src/policy/engine/quickjs.wasm") },
          ],
          bindings: { PLUGINS: await plugins() },
          workerLoaders: { POLICIES: {} },
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        },
      ],
    }),
  );
  await runtime.ready;
  return { runtime, port };
}

const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const rounded = (value: number) => Number(value.toFixed(3));

async function inWorkerd() {
  const { runtime, port } = await boot();
  const rounds = new Map<string, Round[]>(WAYS.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++)
    for (const { name, where, policies } of WAYS) {
      const target = { name, port, headers: { "x-where": where, "x-policies": String(policies) } };
      const found = await load(target, "{}", 1, COUNT);
      // The first round loads isolates and images.
      if (round > 0) rounds.get(name)!.push(found);
    }
  await runtime.dispose();
  const bare = middle(rounds.get("no policy")!.map(({ totalMs }) => totalMs));
  return Object.fromEntries([...rounds].map(([name, found]) => [name, { added_p50_ms: rounded(middle(found.map(({ totalMs }) => totalMs)) - bare) }])); // prettier-ignore
}

/**
 * Chains of five, by what they judge and who has to be asked for what they need, with settings that let the bench's requests pass. The
 * examples but one judge requests alone; where answers are to be left out, one of the bench's own takes its place.
 */
const CHAINS = {
  "five that judge requests": ["business-hours", "max-tokens-cap", "model-allowlist", "project-names", "prompt-injection-heuristics"],
  "five, of which one judges answers too": [
    "business-hours",
    "max-tokens-cap",
    "model-allowlist",
    "pii-redact",
    "prompt-injection-heuristics",
  ],
  "five that need a budget and a counter": ["business-hours", "cost-aware", "max-tokens-cap", "model-allowlist", "rate-limit"],
} as const;
const OWN = "project-names";
const SETTINGS: Readonly<Record<string, unknown>> = { "business-hours": { models: ["none"] }, "rate-limit": { requests: 1_000_000 } };
const BODY = JSON.stringify({
  model: "gpt-4o-mini",
  max_tokens: 20,
  messages: [{ role: "user", content: "Say the word twenty times, please." }],
});

/**
 * What policies add to a request through the gateway, at one connection. Two gateways: to one no policy was ever shown; in the other, policies
 * stand for two keys, and for a third none does.
 */
async function throughGateway() {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
  const children: ChildProcess[] = [];
  try {
    const upstream = `http://127.0.0.1:${await started("bench/provider.ts", { env: {}, ready: /\d+/, children })}`;
    const [bare, full] = [
      await startGateway(upstream, { state: join(folder, "bare"), children }),
      await startGateway(upstream, { state: join(folder, "full"), children }),
    ];
    const targetOf = async (name: string, { port, newKey, pid }: typeof bare): Promise<Judged & { readonly key: string }> => {
      const { id, secret } = await newKey(name, "tight");
      return { name, port, headers: { authorization: `Bearer ${secret}` }, key: id, pid };
    };
    const ids = new Map<string, string>();
    for (const name of new Set(Object.values(CHAINS).flat())) {
      const source = await bundlePolicy(name === OWN ? `bench/policies/${OWN}.ts` : `plugins/${name}/index.ts`);
      ids.set(name, (await full.admin<{ id: string }>("POST", "/policies", { name, version: "1.0.0", source })).id);
    }
    const targets: Judged[] = [await targetOf("no policy anywhere", bare), await targetOf("policies of others", full)];
    for (const [name, chain] of Object.entries(CHAINS)) {
      const target = await targetOf(name, full);
      for (const policy of chain)
        await full.admin("PUT", `/policies/${ids.get(policy)}/activation`, {
          scope: { kind: "key", id: target.key },
          mode: "enforce",
          config: SETTINGS[policy] ?? {},
        });
      targets.push(target);
    }
    return await compared(targets);
  } finally {
    for (const child of children) child.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where a load goes, and whose processor time it takes. */
type Judged = Target & { readonly pid: number };

/**
 * Rounds in turns; medians of them, and what each adds to the first: on the clock, and of the gateway's processor time, in which whatever a
 * request leaves to be written stands as well, and which does not grow by what else the machine does.
 */
async function compared(targets: readonly Judged[]) {
  const rounds = new Map<string, { ms: number; processorMs: number }[]>(targets.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++)
    for (const target of targets) {
      const before = processorMs(target.pid) ?? Number.NaN;
      const { totalMs } = await load(target, BODY, 1, COUNT);
      // What is written a second later is of this round, and not of the next.
      await pause(1_500);
      const spent = (processorMs(target.pid) ?? Number.NaN) - before;
      if (round > 0) rounds.get(target.name)!.push({ ms: totalMs, processorMs: spent / COUNT });
    }
  const rows = [...rounds].map(([name, found]) => ({
    name,
    ms: middle(found.map(({ ms }) => ms)),
    processorMs: middle(found.map((each) => each.processorMs)),
  }));
  const [base] = rows;
  return Object.fromEntries(
    rows.map(({ name, ms, processorMs: spent }) => [
      name,
      {
        added_p50_ms: rounded(ms - base!.ms),
        over_no_policy: rounded(ms / base!.ms),
        added_processor_ms: rounded(spent - base!.processorMs),
        processor_over_no_policy: rounded(spent / base!.processorMs),
      },
    ]),
  );
}

async function inNode() {
  const engine = new Engine(compiledEngine);
  const found: Record<string, { fuel: number; ms: number; load_ms: number }> = {};
  for (const plugin of await plugins()) {
    const start = performance.now();
    const registered = engine.register(plugin);
    const loadMs = performance.now() - start;
    if (registered.kind === "refused") throw new Error(registered.message);
    const question = { hash: plugin.hash, stage: "evaluate", settings: {}, context: CONTEXT } as const;
    const times: number[] = [];
    for (let call = 0; call < 3_000; call++) {
      const from = performance.now();
      engine.evaluate(question);
      times.push(performance.now() - from);
    }
    found[plugin.hash] = { fuel: engine.evaluate(question).fuel, ms: rounded(middle(times)), load_ms: rounded(loadMs) };
  }
  return found;
}

const CONTEXT = JSON.stringify({
  time: { now: 1_767_607_200_000, time_zone: "UTC", weekday: 1, hour: 10, minute: 0, second: 0 },
  clock: { now: 1_767_607_200_000, time_zone: "UTC", weekday: 1, hour: 10, minute: 0, second: 0 },
  request: { requested: "fast", provider: "openai", model: "gpt-5", max_tokens: 20 },
  budget: [{ id: "bud_1", unit: "usd", limit: "100", spent: "1", reserved: "0", remaining: "99", resets_at: null }],
  estimate: { input_tokens: 20, max_output_tokens: 20, expected_usd: "0.0001", most_usd: "0.0002", price_state: "priced" },
  messages: [{ role: "user", text: "Say the word twenty times, please." }],
});

const results = {
  command: "node bench/policies.ts",
  node: process.version,
  gateway: await throughGateway(),
  workerd: await inWorkerd(),
  engine: await inNode(),
};
writeFileSync("bench/policies.json", `${JSON.stringify(results, null, 2)}\n`);
console.log(results);
