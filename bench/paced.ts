import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { workerdChildren } from "../scripts/runtime.ts";
import { processorMs } from "../test/support/processor.ts";
import { startBare } from "./bare/start.ts";
import { startGateway, started } from "./gateway.ts";
import { load, type Target } from "./load.ts";

/**
 * `node bench/paced.ts`: processor time of streams that come at a model's own pace, many at once on a machine that has time for them, for the
 * bare Worker and through the whole gateway, what each leaves to be written included. Writes bench/paced.json.
 */

const ROUNDS = Number(process.env["BENCH_ROUNDS"] || 5);
const WORDS = 20;
const PACE_MS = 20;
const CONNECTIONS = 32;
const COUNT = 640;
const QUIET_MS = 2_500;

interface Way extends Target {
  readonly usage: boolean;
  readonly pid: number;
}

const bodyOf = (usage: boolean) =>
  JSON.stringify({
    model: "gpt-4o-mini",
    max_tokens: WORDS,
    stream: true,
    messages: [{ role: "user", content: "Say the word twenty times, please." }],
    ...(usage ? { stream_options: { include_usage: true } } : {}),
  });

/** Milliseconds of processor time for each stream. */
async function measured({ usage, pid, ...target }: Way): Promise<number> {
  const before = processorMs(pid)!;
  await load(target, bodyOf(usage), CONNECTIONS, COUNT);
  await wait(QUIET_MS);
  return (processorMs(pid)! - before) / COUNT;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const folder = mkdtempSync(join(tmpdir(), "tollgate-paced-"));
const children: ChildProcess[] = [];
try {
  const upstream = `http://127.0.0.1:${await started("bench/provider.ts", { env: {}, ready: /\d+/, children })}`;
  const bare = await startBare(upstream, folder);
  const [barePid] = workerdChildren();
  const gateway = await startGateway(upstream, { state: join(folder, "state"), children });
  const { secret } = await gateway.newKey("paced", "tight");
  const pace = { "x-bench-pace-ms": String(PACE_MS) };
  const ours = { port: gateway.port, headers: { authorization: `Bearer ${secret}`, ...pace }, pid: gateway.pid };
  const theirs = { port: bare.port, headers: { authorization: "Bearer x", ...pace }, pid: barePid!, usage: true };
  const ways: Way[] = [
    { name: "bare", ...theirs },
    { name: "short", ...theirs, headers: { ...theirs.headers, "x-bench-out": "short" } },
    { name: "gateway, left whole", ...ours, usage: true },
    { name: "gateway, usage chunk cut out", ...ours, usage: false },
  ];
  const found = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  for (let round = -1; round < ROUNDS; round++)
    for (const way of ways) {
      const ms = await measured(way);
      if (round >= 0) found.get(way.name)!.push(ms);
    }
  const base = median(found.get("bare")!);
  const rows = ways.map(({ name }) => {
    const ms = median(found.get(name)!);
    return { name, processor_ms: Number(ms.toFixed(2)), over_bare: Number((ms / base).toFixed(2)) };
  });
  console.table(rows);
  const run = { command: "node bench/paced.ts", node: process.version, rounds: ROUNDS, count: COUNT, pace_ms: PACE_MS, words: WORDS };
  writeFileSync("bench/paced.json", `${JSON.stringify({ ...run, rows }, null, 2)}\n`);
  await bare.runtime.dispose();
} finally {
  for (const child of children) child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
