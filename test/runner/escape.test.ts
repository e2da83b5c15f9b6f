import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cgroups, cgroupKind } from "../../runner/sandbox/cgroup.ts";
import { start } from "../../runner/sandbox/sandbox.ts";
import { raise, raze } from "../../runner/sandbox/walls.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";
import { type Probe, probesOf, scriptOf } from "./probes.ts";

const folder = mkdtempSync("/tmp/tollgate-bait-");
// Open to everybody: only the walls stand between the bait and the job's user.
chmodSync(folder, 0o755);
const servers: Server[] = [];
let runner: TestRunner;
let probes: Probe[] = [];

const listening = (where: string | number) =>
  new Promise<Server>((resolve) => {
    const server = createServer((call) => call.end()).listen(where, () => resolve(server));
    servers.push(server);
  });

beforeAll(async () => {
  if (UNABLE !== null) return;
  runner = await TestRunner.start();
  const abstract = `tollgate-probe-${process.pid}`;
  const secret = join(folder, "secret");
  writeFileSync(secret, "secret of the host", { mode: 0o644 });
  await listening(`\0${abstract}`);
  await listening(join(folder, "socket"));
  chmodSync(join(folder, "socket"), 0o777);
  const { port } = (await listening(0)).address() as { port: number };
  probes = probesOf({ port, abstract, secret, socket: join(folder, "socket"), pid: process.pid });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await runner?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The probes that got through, by name. */
function through(printed: string): string[] {
  const exits = printed
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  expect(exits.map(([nth]) => nth)).toEqual(probes.map((_, nth) => nth));
  return exits.flatMap(([nth, exit]) => (exit === 0 ? [probes[nth!]!.name] : []));
}

it.skipIf(UNABLE)("A43, A62: none of the tries gets out of the sandbox", async () => {
  expect(probes.length).toBeGreaterThanOrEqual(60);
  const { stdout } = await runner.sh(scriptOf(probes));
  expect(through(stdout)).toEqual([]);
});

it.skipIf(UNABLE)("A43: each try succeeds outside on this machine, or says why it may not", () => {
  const printed = execFileSync("bash", ["-c", scriptOf(probes)], { encoding: "utf8" });
  const got = new Set(through(printed));
  const unexplained = probes.filter(({ name, outside }) => !got.has(name) && outside === undefined).map(({ name }) => name);
  expect(unexplained).toEqual([]);
});

it.skipIf(UNABLE)("A43: without the filter of system calls the tries that only it holds get through", async () => {
  const limits = {
    wallMs: 60_000,
    cpuCores: 1,
    memoryBytes: 128 * 2 ** 20,
    processes: 64,
    diskBytes: 2 ** 20,
    files: 100,
    outputBytes: 2 ** 20,
  };
  const cgroups = new Cgroups(await cgroupKind(), `tollgate-bare-${process.pid}`);
  const owner = { uid: 61_000, gid: 61_000 };
  const walls = await raise({ jobs: folder, cgroups, mounts: true }, { id: "bare", owner, limits });
  const inside = { argv: ["bash", "-c", scriptOf(probes)], env: {}, workingDirectory: ".", workspace: "readwrite", given: {} } as const;
  const child = start(inside, { ...walls, seccomp: false });
  let printed = "";
  child.stdout!.on("data", (bytes: Buffer) => (printed += bytes.toString()));
  child.stdin!.end();
  await new Promise((resolve) => child.once("close", resolve));
  await raze(walls);
  await cgroups.reap();
  const got = new Set(through(printed));
  const outside = new Set(through(execFileSync("bash", ["-c", scriptOf(probes)], { encoding: "utf8" })));
  const held = probes.filter(({ name, filtered }) => filtered && outside.has(name) && !got.has(name)).map(({ name }) => name);
  expect(held).toEqual([]);
  expect(got.size).toBeGreaterThanOrEqual(9);
});
