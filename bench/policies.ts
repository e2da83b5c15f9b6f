import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { bundlePolicy } from "../scripts/bundle-policy.ts";
import { Engine } from "../src/policy/engine/engine.ts";
import { compiledEngine } from "../test/support/policy-engine.ts";
import { load, type Round } from "./load.ts";

/**
 * `node bench/policies.ts`: what policies cost. In workerd, what a chain of them adds to a Worker that does nothing else, in the gateway's
 * own isolate and behind the Worker Loader, interleaved; and the engine alone, in Node. Writes bench/policies.json.
 */

const ROUNDS = 7;
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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === "object" ? address.port : 0));
    });
  });
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
  request: { requested: "fast", provider: "openai", model: "gpt-5", max_tokens: 20 },
  budget: [{ id: "bud_1", unit: "usd", limit: "100", spent: "1", reserved: "0", remaining: "99", resets_at: null }],
  estimate: { input_tokens: 20, max_output_tokens: 20, expected_usd: "0.0001", most_usd: "0.0002", price_state: "priced" },
  messages: [{ role: "user", text: "Say the word twenty times, please." }],
});

const results = { command: "node bench/policies.ts", node: process.version, workerd: await inWorkerd(), engine: await inNode() };
writeFileSync("bench/policies.json", `${JSON.stringify(results, null, 2)}\n`);
console.log(results);
