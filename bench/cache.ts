import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { startBare } from "./bare/start.ts";
import { startGateway, started } from "./gateway.ts";
import { load, type Round, type Target } from "./load.ts";

/**
 * `node bench/cache.ts`: an answer out of the cache beside one by the bare Worker, from a provider that answers at once, and beside the
 * gateway's own without a cache; interleaved, in one run. Writes bench/cache.json.
 */

const ROUNDS = Number(process.env["BENCH_ROUNDS"] || 5);
const SCENARIOS = [
  { name: "json, 1 connection", stream: false, connections: 1, count: 300 },
  { name: "json, 16 connections", stream: false, connections: 16, count: 1_000 },
  { name: "stream, 1 connection", stream: true, connections: 1, count: 150 },
  { name: "stream, 16 connections", stream: true, connections: 16, count: 400 },
] as const;

const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
const children: ChildProcess[] = [];
const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const rounded = (value: number) => Number(value.toFixed(2));

async function measure({ name, stream, connections, count }: (typeof SCENARIOS)[number], targets: readonly Target[]) {
  const body = JSON.stringify({
    model: "gpt-4o-mini",
    max_tokens: 20,
    messages: [{ role: "user", content: "Say the word twenty times, please." }],
    ...(stream ? { stream: true } : {}),
  });
  const found = new Map<string, Round[]>(targets.map((target) => [target.name, []]));
  for (const target of targets) await load(target, body, connections, 200);
  for (let round = 0; round < ROUNDS; round++)
    for (const target of targets) found.get(target.name)!.push(await load(target, body, connections, count));
  const of = (target: string, pick: (round: Round) => number) => middle(found.get(target)!.map(pick));
  const [total, perSecond] = [(round: Round) => round.totalMs, (round: Round) => round.perSecond];
  return {
    scenario: name,
    bare_ms: rounded(of("bare", total)),
    hit_over_bare: rounded(of("hit", total) / of("bare", total)),
    without_cache_over_bare: rounded(of("full", total) / of("bare", total)),
    hit_throughput_over_bare: rounded(of("hit", perSecond) / of("bare", perSecond)),
    without_cache_throughput_over_bare: rounded(of("full", perSecond) / of("bare", perSecond)),
  };
}

try {
  const upstream = `http://127.0.0.1:${await started("bench/provider.ts", { env: {}, ready: /\d+/, children })}`;
  const { runtime, port: barePort } = await startBare(upstream, folder);
  const { port, admin, newKey } = await startGateway(upstream, { state: join(folder, "state"), children });
  const [plain, cached] = [await newKey("plain", "strict"), await newKey("cached", "strict")];
  await admin("PATCH", `/keys/${cached.id}`, { cache: "key" });
  const targets: Target[] = [
    { name: "bare", port: barePort, headers: { authorization: "Bearer x" } },
    { name: "full", port, headers: { authorization: `Bearer ${plain.secret}` } },
    { name: "hit", port, headers: { authorization: `Bearer ${cached.secret}` } },
  ];
  const results = [];
  for (const scenario of SCENARIOS) results.push(await measure(scenario, targets));
  console.table(results);
  const machine = { cpus: cpus().length, node: process.version, rounds: ROUNDS };
  writeFileSync("bench/cache.json", `${JSON.stringify({ command: "node bench/cache.ts", machine, results }, null, 2)}\n`);
  await runtime.dispose();
} finally {
  for (const child of children) child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
