import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { startBare } from "./bare/start.ts";
import { startGateway, started } from "./gateway.ts";
import { load, type Round, type Target } from "./load.ts";

/** `npm run bench`: the full gateway against a bare Worker and the provider itself, interleaved, in one run. Writes bench/results.json. */

const ROUNDS = Number(process.env["BENCH_ROUNDS"] || 5);
/** What a target leaves to be written when its round is over is written before the next one's begins. */
const QUIET_MS = 2_500;
const SCENARIOS = [
  { name: "json, 1 connection", stream: false, connections: 1, count: 300 },
  { name: "json, 16 connections", stream: false, connections: 16, count: 3_000 },
  { name: "stream, 1 connection", stream: true, connections: 1, count: 150 },
  { name: "stream, 16 connections", stream: true, connections: 16, count: 1_500 },
  { name: "stream with usage asked for, 16 connections", stream: true, connections: 16, count: 1_500, usage: true },
  { name: "the same of 200 chunks", stream: true, connections: 16, count: 400, usage: true, words: 200 },
] as const;

const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
const children: ChildProcess[] = [];

function bodyOf(scenario: (typeof SCENARIOS)[number], model: string): string {
  return JSON.stringify({
    model,
    max_tokens: "words" in scenario ? scenario.words : 20,
    messages: [{ role: "user", content: "Say the word twenty times, please." }],
    ...(scenario.stream ? { stream: true } : {}),
    ...("usage" in scenario ? { stream_options: { include_usage: true } } : {}),
  });
}

/** The ways a request may be paid: each held by the ledger before it is sent, or admitted from an isolate's float. */
const WAYS = { held: "strict", float: "tight" } as const;
type Way = keyof typeof WAYS;

/** What the bare Worker does besides, so that it could be a gateway: the limit for one that filters, ends and bills what it passes on. */
function floorOf(scenario: (typeof SCENARIOS)[number]): "whole" | "copied" | "edited" {
  if (!scenario.stream) return "whole";
  return "usage" in scenario ? "copied" : "edited";
}

/** Starts the gateway, with a key for each way to pay. */
async function gateway(upstream: string): Promise<{ port: number; keys: Record<Way, string> }> {
  const { port, newKey } = await startGateway(upstream, { state: join(folder, "state"), children });
  const keyOf = async (way: Way) => (await newKey(way, WAYS[way])).secret;
  return { port, keys: { held: await keyOf("held"), float: await keyOf("float") } };
}

function middle(rounds: readonly Round[], pick: (round: Round) => number): number {
  const sorted = rounds.map(pick).toSorted((a, b) => a - b);
  return Number((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN).toFixed(3));
}

interface Row {
  readonly target: string;
  readonly first_ms: number;
  readonly total_ms: number;
  readonly per_second: number;
}

/**
 * One target's round, in full swing: as many requests go before those that are measured, so that what they leave behind is written while the
 * others run, as it is under a load that lasts.
 */
async function inFullSwing(target: Target, { connections, count }: (typeof SCENARIOS)[number], body: string): Promise<Round> {
  await load(target, body, connections, count);
  const round = await load(target, body, connections, count);
  await wait(QUIET_MS);
  return round;
}

async function measure(scenario: (typeof SCENARIOS)[number], targets: readonly Target[]): Promise<Row[]> {
  const found = new Map<string, Round[]>(targets.map(({ name }) => [name, []]));
  const body = bodyOf(scenario, "gpt-4o-mini");
  for (let round = 0; round < ROUNDS; round++) {
    for (const target of targets) found.get(target.name)?.push(await inFullSwing(target, scenario, body));
  }
  return targets.map(({ name }) => {
    const rounds = found.get(name) ?? [];
    return {
      target: name,
      first_ms: middle(rounds, (round) => round.firstMs),
      total_ms: middle(rounds, (round) => round.totalMs),
      per_second: Math.round(middle(rounds, (round) => round.perSecond)),
    };
  });
}

/** The figures that the targets are about, each a ratio of this run. */
function ratios(rows: readonly Row[], way: Way | "short" | "floor" | "record", stream: boolean) {
  const of = (name: string) => rows.find((row) => row.target === name)!;
  const [direct, bareRow, full] = [of("direct"), of("bare"), of(way)];
  const time = (row: Row) => (stream ? row.first_ms : row.total_ms);
  return {
    way,
    added_by_bare_ms: Number((time(bareRow) - time(direct)).toFixed(3)),
    added_by_tollgate_ms: Number((time(full) - time(direct)).toFixed(3)),
    added_over_bares_own: Number(((time(full) - time(direct)) / (time(bareRow) - time(direct))).toFixed(2)),
    throughput_over_bare: Number((full.per_second / bareRow.per_second).toFixed(2)),
  };
}

try {
  const upstreamPort = Number(await started("bench/provider.ts", { env: {}, ready: /\d+/, children }));
  const upstream = `http://127.0.0.1:${upstreamPort}`;
  const { runtime, port: barePort } = await startBare(upstream, folder);
  const { port, keys } = await gateway(upstream);
  const targets: Target[] = [
    { name: "direct", port: upstreamPort, headers: {} },
    { name: "bare", port: barePort, headers: { authorization: "Bearer x" } },
    { name: "short", port: barePort, headers: { authorization: "Bearer x", "x-bench-out": "short" } },
    { name: "held", port, headers: { authorization: `Bearer ${keys.held}` } },
    { name: "float", port, headers: { authorization: `Bearer ${keys.float}` } },
  ];
  const results = [];
  for (const scenario of SCENARIOS) {
    const floor = floorOf(scenario);
    const rows = await measure(scenario, [
      ...targets,
      { name: "floor", port: barePort, headers: { "x-bench-floor": floor } },
      { name: "record", port: barePort, headers: { "x-bench-floor": floor, "x-bench-record": "kept" } },
    ]);
    const compared = (["short", "floor", "record", "held", "float"] as const).map((way) => ratios(rows, way, scenario.stream));
    console.log(`\n${scenario.name}`);
    console.table(rows);
    console.table(compared);
    results.push({ scenario: scenario.name, rows, compared });
  }
  const machine = { cpus: cpus().length, node: process.version, rounds: ROUNDS };
  writeFileSync("bench/results.json", `${JSON.stringify({ command: "npm run bench", machine, results }, null, 2)}\n`);
  await runtime.dispose();
} finally {
  for (const child of children) child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
