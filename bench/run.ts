import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { workerdChildren } from "../scripts/runtime.ts";
import { processorMs } from "../test/support/processor.ts";
import { startBare } from "./bare/start.ts";
import { startGateway, started } from "./gateway.ts";
import { load, type Round, type Target } from "./load.ts";

/** `npm run bench`: the full gateway against a bare Worker and the provider itself, interleaved, in one run. Writes bench/results.json. */

const ROUNDS = Number(process.env["BENCH_ROUNDS"] || 9);
/** What a target leaves to be written when its round is over is written before the next one's begins. */
const QUIET_MS = { leaves: 2_000, "leaves nothing": 200 } as const;
const SCENARIOS = [
  { name: "json, 1 connection", stream: false, connections: 1, count: 200 },
  { name: "json, 16 connections", stream: false, connections: 16, count: 1_500 },
  { name: "stream, 1 connection", stream: true, connections: 1, count: 120 },
  { name: "stream, 16 connections", stream: true, connections: 16, count: 800 },
  { name: "stream with usage asked for, 16 connections", stream: true, connections: 16, count: 800, usage: true },
  { name: "the same of 200 chunks", stream: true, connections: 16, count: 240, usage: true, words: 200 },
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
async function gateway(upstream: string): Promise<{ port: number; pid: number; keys: Record<Way, string> }> {
  const { port, newKey, pid } = await startGateway(upstream, { state: join(folder, "state"), children });
  const keyOf = async (way: Way) => (await newKey(way, WAYS[way])).secret;
  return { port, pid, keys: { held: await keyOf("held"), float: await keyOf("float") } };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits));

/** A target, the process that does its work, and whether it leaves something to be written when it has answered. */
interface Measured extends Target {
  readonly pid: number | null;
  readonly leaves: boolean;
}

/** What one round found of one target. */
interface Found extends Round {
  /** Milliseconds of processor time for each answer; NaN where nobody asks. */
  readonly processorMs: number;
}

/** A round: what was found of each target, one behind the other. */
type Lap = ReadonlyMap<string, Found>;

/**
 * One target's part of a round, in full swing: half as many requests go before those that are measured, so that what they leave behind is
 * written while the others run, as it is under a load that lasts.
 */
async function inFullSwing(target: Measured, { connections, count }: (typeof SCENARIOS)[number], body: string): Promise<Found> {
  await load(target, body, connections, count / 2);
  const before = processorOf(target);
  const round = await load(target, body, connections, count);
  const found = { ...round, processorMs: (processorOf(target) - before) / count };
  await wait(QUIET_MS[target.leaves ? "leaves" : "leaves nothing"]);
  return found;
}

function processorOf({ pid }: Measured): number {
  return (pid === null ? null : processorMs(pid)) ?? Number.NaN;
}

async function measure(scenario: (typeof SCENARIOS)[number], targets: readonly Measured[]): Promise<Lap[]> {
  const body = bodyOf(scenario, "gpt-4o-mini");
  const laps: Lap[] = [];
  for (let at = 0; at < ROUNDS; at++) {
    const lap = new Map<string, Found>();
    // Nobody is always behind the same neighbour.
    const order = [...targets.slice(at % targets.length), ...targets.slice(0, at % targets.length)];
    for (const target of order) lap.set(target.name, await inFullSwing(target, scenario, body));
    laps.push(lap);
  }
  return laps;
}

function rowOf(target: string, laps: readonly Lap[]) {
  const of = (pick: (found: Found) => number) => middle(laps.map((lap) => pick(lap.get(target)!)));
  return {
    target,
    first_ms: rounded(
      of(({ firstMs }) => firstMs),
      3,
    ),
    total_ms: rounded(
      of(({ totalMs }) => totalMs),
      3,
    ),
    per_second: Math.round(of(({ perSecond }) => perSecond)),
    processor_ms: rounded(
      of((found) => found.processorMs),
      3,
    ),
  };
}

/**
 * The figures that the targets are about. Each is a ratio within one round, of seconds that lie close together, and the middle one of all
 * rounds: a machine that others share changes its pace between rounds more than within one. `range` is the lowest and the highest.
 */
function ratios(laps: readonly Lap[], way: Way | "short" | "floor" | "record", stream: boolean) {
  const time = ({ firstMs, totalMs }: Found) => (stream ? firstMs : totalMs);
  const added = (lap: Lap, name: string) => time(lap.get(name)!) - time(lap.get("direct")!);
  const throughput = laps.map((lap) => lap.get(way)!.perSecond / lap.get("bare")!.perSecond);
  return {
    way,
    added_by_bare_ms: rounded(middle(laps.map((lap) => added(lap, "bare"))), 3),
    added_by_tollgate_ms: rounded(middle(laps.map((lap) => added(lap, way))), 3),
    added_over_bares_own: rounded(middle(laps.map((lap) => added(lap, way) / added(lap, "bare"))), 2),
    throughput_over_bare: rounded(middle(throughput), 2),
    range: [Math.min(...throughput), Math.max(...throughput)].map((value) => rounded(value, 2)),
    processor_over_bare: rounded(middle(laps.map((lap) => lap.get(way)!.processorMs / lap.get("bare")!.processorMs)), 2),
  };
}

try {
  const upstreamPort = Number(await started("bench/provider.ts", { env: {}, ready: /\d+/, children }));
  const upstream = `http://127.0.0.1:${upstreamPort}`;
  const { runtime, port: barePort } = await startBare(upstream, folder);
  const [barePid = null] = workerdChildren();
  const { port, keys, pid } = await gateway(upstream);
  const bare = { port: barePort, pid: barePid, leaves: false };
  const full = { port, pid, leaves: true };
  const targets: Measured[] = [
    { name: "direct", port: upstreamPort, headers: {}, pid: null, leaves: false },
    { ...bare, name: "bare", headers: { authorization: "Bearer x" } },
    { ...bare, name: "short", headers: { authorization: "Bearer x", "x-bench-out": "short" } },
    { ...full, name: "held", headers: { authorization: `Bearer ${keys.held}` } },
    { ...full, name: "float", headers: { authorization: `Bearer ${keys.float}` } },
  ];
  const results = [];
  for (const scenario of SCENARIOS) {
    const floor = floorOf(scenario);
    const all: Measured[] = [
      ...targets,
      { ...bare, name: "floor", headers: { "x-bench-floor": floor } },
      { ...bare, name: "record", headers: { "x-bench-floor": floor, "x-bench-record": "kept" }, leaves: true },
    ];
    const laps = await measure(scenario, all);
    const rows = all.map(({ name }) => rowOf(name, laps));
    const compared = (["short", "floor", "record", "held", "float"] as const).map((way) => ratios(laps, way, scenario.stream));
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
