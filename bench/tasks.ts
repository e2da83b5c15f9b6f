import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Cgroups, cgroupKind } from "../runner/sandbox/cgroup.ts";
import { start } from "../runner/sandbox/sandbox.ts";
import { unmountBelow } from "../runner/sandbox/volume.ts";
import { raise, raze } from "../runner/sandbox/walls.ts";
import { startGateway } from "./gateway.ts";

/**
 * `node bench/tasks.ts`: how long a task takes to be accepted, to begin and to be cancelled, and a sandbox to start, beside what this machine
 * needs for the emptiest sandbox that there is. As root, with bubblewrap. Writes bench/tasks.json.
 */

const TASKS = Number(process.env["BENCH_TASKS"] || 100);
const CANCELS = Number(process.env["BENCH_CANCELS"] || 30);
const SANDBOXES = Number(process.env["BENCH_SANDBOXES"] || 100);
const LANES = 8;

const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-tasks-"));
// Sandboxes' users walk through it.
chmodSync(folder, 0o711);

function middle(times: readonly number[], share = 0.5): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1));
}

/** A key of a gateway that was started as a user does, with a runner beside it. */
async function client() {
  const { port, admin } = await startGateway("http://127.0.0.1:1", { state: join(folder, "state"), children });
  await admin("POST", "/profiles", { name: "bench", max_concurrent_tasks: 16 });
  const { secret } = await admin<{ secret: string }>("POST", "/keys", {
    name: "bench",
    profile: "bench",
    limits: { rpm: null, tpm: null, concurrency: null },
  });
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  const call = (method: string, path: string, body?: unknown) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { call };
}

type Client = Awaited<ReturnType<typeof client>>;

/** The types of a task's events, with the time that each came at. */
async function* eventsOf(
  { call }: Client,
  id: string,
): AsyncGenerator<{ readonly type: string; readonly data: string; readonly at: number }> {
  const { body } = await call("GET", `/v1/task/${id}/events`);
  let text = "";
  for await (const part of body!.pipeThrough(new TextDecoderStream())) {
    const at = performance.now();
    const frames = (text + part).split("\n\n");
    text = frames.pop()!;
    for (const frame of frames) yield { type: /^event: (.*)$/m.exec(frame)?.[1] ?? "", data: frame, at };
  }
}

async function begun(api: Client, argv: readonly string[]): Promise<{ readonly id: string; readonly ms: number }> {
  const before = performance.now();
  const answer = await api.call("POST", "/v1/task", { engine: "command", argv });
  const ms = performance.now() - before;
  if (answer.status !== 202) throw new Error(`a task was refused: ${answer.status} ${await answer.text()}`);
  return { id: ((await answer.json()) as { id: string }).id, ms };
}

/** One task after the other: until it is accepted, until its first event is here, until it has ended. */
async function tasks(api: Client, count: number) {
  const times = { accepted: [] as number[], first: [] as number[], ended: [] as number[] };
  for (let nth = 0; nth < count; nth++) {
    const before = performance.now();
    const { id, ms } = await begun(api, ["true"]);
    let first: number | null = null;
    for await (const { at } of eventsOf(api, id)) {
      first ??= at - before;
      times.ended[nth] = at - before;
    }
    times.accepted.push(ms);
    times.first.push(first ?? Number.NaN);
  }
  return times;
}

/** From asking for it until the exit is here. */
async function cancels(api: Client, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let nth = 0; nth < count; nth++) {
    const { id } = await begun(api, ["sleep", "60"]);
    let asked = Number.NaN;
    for await (const { type, data, at } of eventsOf(api, id)) {
      if (data.includes('"running"')) {
        asked = performance.now();
        await api.call("DELETE", `/v1/task/${id}`);
      }
      if (type === "exit") times.push(at - asked);
    }
  }
  return times;
}

const LIMITS = {
  wallMs: 10_000,
  cpuCores: 1,
  memoryBytes: 128 * 2 ** 20,
  processes: 64,
  diskBytes: 16 * 2 ** 20,
  files: 1_000,
  outputBytes: 4_096,
};

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a sandbox ended with ${code}`))));
  });
}

/** The machine's own: namespaces, and nothing of what makes them a sandbox for strangers. */
async function floor(): Promise<number> {
  const before = performance.now();
  await exited(spawn("bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"], { stdio: "ignore" }));
  return performance.now() - before;
}

let made = 0;

/** A whole sandbox with its cgroup and its volume, from nothing until its command has ended; what is left of it is removed untimed. */
async function sandbox(cgroups: Cgroups): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const id = `bench-${++made}`;
  const owner = { uid: 61_000 + (made % 1_000), gid: 61_000 + (made % 1_000) };
  const before = performance.now();
  const walls = await raise({ jobs: folder, cgroups, mounts: true }, { id, owner, limits: LIMITS });
  const inside = { argv: ["true"], env: {}, workingDirectory: ".", workspace: "readwrite", given: {} } as const;
  const child = start(inside, walls);
  child.stdin!.end();
  await exited(child);
  const ms = performance.now() - before;
  const cpuMs = (await walls.cgroup?.used())?.cpuMs ?? Number.NaN;
  await raze(walls);
  return { ms, cpuMs };
}

/** Sandbox and floor in turns. */
async function starts(cgroups: Cgroups, count: number) {
  const times = { sandbox: [] as number[], cpu: [] as number[], floor: [] as number[] };
  for (let nth = 0; nth < count; nth++) {
    times.floor.push(await floor());
    const { ms, cpuMs } = await sandbox(cgroups);
    times.sandbox.push(ms);
    times.cpu.push(cpuMs);
  }
  return times;
}

/** Whole sandboxes a second, their removal included. */
async function perSecond(cgroups: Cgroups, count: number): Promise<number> {
  const before = performance.now();
  let left = count;
  const lane = async () => {
    while (left-- > 0) await sandbox(cgroups);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return Math.round((count / (performance.now() - before)) * 1_000);
}

async function run() {
  const cgroups = new Cgroups(await cgroupKind(), `tollgate-bench-${process.pid}`);
  try {
    await starts(cgroups, 5);
    const { sandbox: whole, cpu, floor: bare } = await starts(cgroups, SANDBOXES);
    const rate = await perSecond(cgroups, SANDBOXES);
    const api = await client();
    await tasks(api, 5);
    const { accepted, first, ended } = await tasks(api, TASKS);
    const cancelled = await cancels(api, CANCELS);
    const beside = Number((middle(whole) - middle(bare)).toFixed(1));
    return [
      { measure: "accepted (202), median", value: middle(accepted), unit: "ms", target: "≤ 100" },
      { measure: "accepted (202), p99", value: middle(accepted, 0.99), unit: "ms", target: "" },
      { measure: "first event, median", value: middle(first), unit: "ms", target: "≤ 180" },
      { measure: "exit of `true`, median", value: middle(ended), unit: "ms", target: "" },
      { measure: "cancelled until its exit is told, median", value: middle(cancelled), unit: "ms", target: "≤ 100" },
      { measure: "sandbox, until `true` has ended, median", value: middle(whole), unit: "ms", target: "" },
      { measure: "the machine's floor: `bwrap --unshare-all … true`, median", value: middle(bare), unit: "ms", target: "" },
      { measure: "sandbox over the floor", value: beside, unit: "ms", target: "≤ 15" },
      { measure: "CPU that a sandbox takes, median", value: middle(cpu), unit: "ms", target: "" },
      { measure: `sandboxes, ${LANES} at once`, value: rate, unit: "a second", target: "" },
    ];
  } finally {
    await cgroups.reap();
  }
}

try {
  const results = await run();
  console.table(results);
  const machine = { cpus: cpus().length, node: process.version, tasks: TASKS, cancels: CANCELS, sandboxes: SANDBOXES };
  writeFileSync("bench/tasks.json", `${JSON.stringify({ command: "node bench/tasks.ts", machine, results }, null, 2)}\n`);
} finally {
  const ended = children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(ended);
  await unmountBelow(folder);
  rmSync(folder, { recursive: true, force: true });
}
