import { existsSync } from "node:fs";
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { JobLimits } from "../protocol.ts";

const ROOT = "/sys/fs/cgroup";
const PERIOD_US = 100_000;
const KILL_TRIES = 200;
const KILL_WAIT_MS = 10;

export type CgroupKind = "v2" | "v1" | "none";

/** What a cgroup saw of its processes. */
export interface Used {
  readonly cpuMs: number;
  /** Null where the kernel does not tell: cgroup v2 before Linux 5.19. */
  readonly memoryPeakBytes: number | null;
  readonly outOfMemory: boolean;
}

/** The kernel's own account of one job: what it may use, and who belongs to it. */
export interface Cgroup {
  /** Files that a process writes itself into before it becomes the job. */
  readonly doors: readonly string[];
  used(): Promise<Used>;
  /** Kills all there are, daemons included. @throws Error where some will not die. */
  kill(): Promise<void>;
  remove(): Promise<void>;
}

/** The cgroups of one runner's jobs: below a name of its own, so that the next one finds what it left, and no other runner's. */
export class Cgroups {
  readonly kind: CgroupKind;
  readonly #family: string;

  constructor(kind: CgroupKind, family: string) {
    this.kind = kind;
    this.#family = family;
  }

  /** Makes the cgroup of a job; null where there are none. */
  async make(id: string, limits: JobLimits): Promise<Cgroup | null> {
    const name = join(this.#family, id);
    if (this.kind === "none") return null;
    return this.kind === "v2" ? makeSecond(name, limits) : makeFirst(name, limits);
  }

  /** Ends whatever a runner that died has left. */
  async reap(): Promise<void> {
    if (this.kind === "none") return;
    const family = join(ROOT, this.kind === "v2" ? "" : "pids", this.#family);
    const entries = await readdir(family, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      const left = join(this.#family, name);
      const cgroup = this.kind === "v2" ? new Second(join(ROOT, left)) : new First(left);
      await cgroup.kill();
      await cgroup.remove();
    }
    const families = this.kind === "v2" ? [family] : V1.map((controller) => join(ROOT, controller, this.#family));
    for (const each of families) await removed(each);
  }
}

/** Which cgroups this machine lets us make. */
export async function cgroupKind(): Promise<CgroupKind> {
  const controllers = await readFile(join(ROOT, "cgroup.controllers"), "utf8").catch(() => "");
  if (["memory", "pids", "cpu"].every((name) => controllers.split(/\s/).includes(name))) return (await writable(ROOT)) ? "v2" : "none";
  const folders = V1.map((name) => join(ROOT, name));
  return (await Promise.all(folders.map(writable))).every(Boolean) ? "v1" : "none";
}

async function writable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function numberIn(file: string, name?: string): Promise<number> {
  const text = await readFile(file, "utf8").catch(() => "");
  const line =
    name === undefined
      ? text
      : (text
          .split("\n")
          .find((each) => each.startsWith(`${name} `))
          ?.slice(name.length) ?? "");
  return Number.parseInt(line.trim(), 10) || 0;
}

async function processesIn(folder: string): Promise<number[]> {
  const text = await readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "");
  return text.split("\n").filter(Boolean).map(Number);
}

/** Asks for death until nobody is left. */
async function untilEmpty(folder: string, strike: (processes: readonly number[]) => Promise<void>): Promise<void> {
  for (let tries = 0; tries < KILL_TRIES; tries++) {
    const processes = await processesIn(folder);
    if (processes.length === 0) return;
    await strike(processes);
    await wait(KILL_WAIT_MS);
  }
  throw new Error(`processes of ${folder} do not die`);
}

/** A cgroup can be removed a moment after its last process is gone. */
async function removed(folder: string): Promise<void> {
  for (let tries = 0; tries < KILL_TRIES && existsSync(folder); tries++) {
    const fault: unknown = await rmdir(folder).catch((error: unknown) => error);
    if (fault === undefined) return;
    await wait(KILL_WAIT_MS);
  }
  if (existsSync(folder)) throw new Error(`${folder} cannot be removed`);
}

async function makeSecond(name: string, limits: JobLimits): Promise<Cgroup> {
  const folder = join(ROOT, name);
  await mkdir(dirname(folder), { recursive: true });
  await handDown(ROOT).catch(async (error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EBUSY")) throw error;
    await stepAside();
    await handDown(ROOT);
  });
  await handDown(dirname(folder));
  await mkdir(folder);
  await writeFile(join(folder, "memory.max"), String(limits.memoryBytes));
  if (existsSync(join(folder, "memory.swap.max"))) await writeFile(join(folder, "memory.swap.max"), "0");
  await writeFile(join(folder, "pids.max"), String(limits.processes));
  await writeFile(join(folder, "cpu.max"), `${Math.round(limits.cpuCores * PERIOD_US)} ${PERIOD_US}`);
  return new Second(folder);
}

async function handDown(folder: string): Promise<void> {
  await writeFile(join(folder, "cgroup.subtree_control"), "+memory +pids +cpu");
}

/** In a container the root that we see is none, and one that holds processes hands nothing down: they go into a leaf of their own. */
async function stepAside(): Promise<void> {
  const aside = join(ROOT, "tollgate-aside");
  await mkdir(aside, { recursive: true });
  for (const process_ of await processesIn(ROOT)) {
    await writeFile(join(aside, "cgroup.procs"), String(process_)).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    });
  }
}

class Second implements Cgroup {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get doors(): readonly string[] {
    return [join(this.#folder, "cgroup.procs")];
  }

  async used(): Promise<Used> {
    return {
      cpuMs: (await numberIn(join(this.#folder, "cpu.stat"), "usage_usec")) / 1000,
      memoryPeakBytes: (await numberIn(join(this.#folder, "memory.peak"))) || null,
      outOfMemory: (await numberIn(join(this.#folder, "memory.events"), "oom_kill")) > 0,
    };
  }

  async kill(): Promise<void> {
    await untilEmpty(this.#folder, () => writeFile(join(this.#folder, "cgroup.kill"), "1"));
  }

  async remove(): Promise<void> {
    await removed(this.#folder);
  }
}

/** No more than are needed: stepping into each of them costs a start some milliseconds, and more where the machine is busy. */
const V1 = ["memory", "pids", "cpu", "cpuacct"] as const;

async function makeFirst(name: string, limits: JobLimits): Promise<Cgroup> {
  const of = (controller: (typeof V1)[number]) => join(ROOT, controller, name);
  for (const controller of V1) await mkdir(of(controller), { recursive: true });
  const memory = String(limits.memoryBytes);
  await writeFile(join(of("memory"), "memory.limit_in_bytes"), memory);
  const withSwap = join(of("memory"), "memory.memsw.limit_in_bytes");
  if (existsSync(withSwap)) await writeFile(withSwap, memory);
  else await writeFile(join(of("memory"), "memory.swappiness"), "0");
  await writeFile(join(of("pids"), "pids.max"), String(limits.processes));
  await writeFile(join(of("cpu"), "cpu.cfs_period_us"), String(PERIOD_US));
  await writeFile(join(of("cpu"), "cpu.cfs_quota_us"), String(Math.max(1_000, Math.round(limits.cpuCores * PERIOD_US))));
  return new First(name);
}

class First implements Cgroup {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  get doors(): readonly string[] {
    return V1.map((name) => join(this.#of(name), "cgroup.procs"));
  }

  async used(): Promise<Used> {
    return {
      cpuMs: (await numberIn(join(this.#of("cpuacct"), "cpuacct.usage"))) / 1e6,
      memoryPeakBytes: await numberIn(join(this.#of("memory"), "memory.max_usage_in_bytes")),
      outOfMemory: (await numberIn(join(this.#of("memory"), "memory.oom_control"), "oom_kill")) > 0,
    };
  }

  /** Forbidden to fork first: what forks faster than it is killed would never end. */
  async kill(): Promise<void> {
    const pids = this.#of("pids");
    await untilEmpty(pids, async (processes) => {
      await writeFile(join(pids, "pids.max"), "0");
      for (const process_ of processes) end(process_);
    });
  }

  async remove(): Promise<void> {
    for (const controller of V1) await removed(this.#of(controller));
  }

  #of(controller: (typeof V1)[number]): string {
    return join(ROOT, controller, this.#name);
  }
}

/** A process that is gone already is as dead as it should be. */
function end(process_: number): void {
  try {
    process.kill(process_, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
