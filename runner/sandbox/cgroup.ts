import { existsSync } from "node:fs";
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { JobLimits } from "../protocol.ts";
import { reasonOf } from "../report.ts";

const ROOT = "/sys/fs/cgroup";
const PERIOD_US = 100_000;
const KILL_TRIES = 200;
const KILL_WAIT_MS = 10;

export type CgroupKind = "v2" | "v1" | "none";

/** What a cgroup saw of its processes. */
export interface Used {
  readonly cpuMs: number | null;
  /** Null where the kernel does not tell: cgroup v2 before Linux 5.19. */
  readonly memoryPeakBytes: number | null;
  readonly outOfMemory: boolean;
}

/** The kernel's own account of one job: what it may use, and who belongs to it. */
export interface Cgroup {
  /** Files that a process of one thread writes `0` into, itself, before it becomes the job. */
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

  /** Makes the cgroup of a job; null where there are none. @throws Error where there is one of this name, or it cannot be limited. */
  async make(id: string, limits: JobLimits): Promise<Cgroup | null> {
    if (this.kind === "none") return null;
    const cgroup = this.#named(id);
    await cgroup.claim();
    try {
      await cgroup.limit(limits);
      return cgroup;
    } catch (error) {
      await cgroup.remove();
      throw error;
    }
  }

  /** Ends whatever a runner that died has left. */
  async reap(): Promise<void> {
    if (this.kind === "none") return;
    const family = join(ROOT, this.kind === "v2" ? "" : "pids", this.#family);
    const entries = await readdir(family, { withFileTypes: true }).catch(emptyIfGone([]));
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      const cgroup = this.#named(name);
      await cgroup.kill();
      await cgroup.remove();
    }
    const families = this.kind === "v2" ? [family] : V1.map((controller) => join(ROOT, controller, this.#family));
    for (const each of families) await removed(each);
  }

  #named(id: string): First | Second {
    const name = join(this.#family, id);
    return this.kind === "v2" ? new Second(name) : new First(name);
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

/** Takes what is not there for empty, and no other fault. */
function emptyIfGone<T>(empty: T): (error: unknown) => T {
  return (error) => {
    if (hasCode(error, "ENOENT", "ENODEV")) return empty;
    throw error;
  };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** What a file of a cgroup says; empty where the cgroup is gone, or this kernel has no such file. */
async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch(emptyIfGone(""));
}

/** A number that stands alone in its file, or behind a name; null where this kernel does not tell it. */
async function numberIn(file: string, name?: string): Promise<number | null> {
  const lines = (await textOf(file)).split("\n");
  const told = name === undefined ? lines[0] : lines.find((line) => line.startsWith(`${name} `))?.slice(name.length);
  const number = Number.parseInt(told ?? "", 10);
  return Number.isNaN(number) ? null : number;
}

async function processesIn(folder: string): Promise<number[]> {
  const text = await textOf(join(folder, "cgroup.procs"));
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
  let fault: unknown;
  for (let tries = 0; tries < KILL_TRIES && existsSync(folder); tries++) {
    fault = await rmdir(folder).catch((error: unknown) => error);
    if (fault === undefined) return;
    await wait(KILL_WAIT_MS);
  }
  if (existsSync(folder)) throw new Error(`${folder} cannot be removed: ${reasonOf(fault)}`, { cause: fault });
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
      if (!hasCode(error, "ESRCH")) throw error;
    });
  }
}

class Second implements Cgroup {
  readonly #folder: string;

  constructor(name: string) {
    this.#folder = join(ROOT, name);
  }

  async claim(): Promise<void> {
    const family = dirname(this.#folder);
    await mkdir(family, { recursive: true });
    await handDown(ROOT).catch(async (error: unknown) => {
      if (!hasCode(error, "EBUSY")) throw error;
      await stepAside();
      await handDown(ROOT);
    });
    await handDown(family);
    await mkdir(this.#folder);
  }

  async limit({ memoryBytes, processes, cpuCores }: JobLimits): Promise<void> {
    const swap = this.#file("memory.swap.max");
    await writeFile(this.#file("memory.max"), String(memoryBytes));
    if (existsSync(swap)) await writeFile(swap, "0");
    await writeFile(this.#file("pids.max"), String(processes));
    await writeFile(this.#file("cpu.max"), `${Math.round(cpuCores * PERIOD_US)} ${PERIOD_US}`);
  }

  get doors(): readonly string[] {
    return [this.#file("cgroup.procs")];
  }

  async used(): Promise<Used> {
    const cpuUs = await numberIn(this.#file("cpu.stat"), "usage_usec");
    return {
      cpuMs: cpuUs === null ? null : cpuUs / 1_000,
      memoryPeakBytes: await numberIn(this.#file("memory.peak")),
      outOfMemory: ((await numberIn(this.#file("memory.events"), "oom_kill")) ?? 0) > 0,
    };
  }

  async kill(): Promise<void> {
    await untilEmpty(this.#folder, () => writeFile(this.#file("cgroup.kill"), "1"));
  }

  async remove(): Promise<void> {
    await removed(this.#folder);
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }
}

/**
 * No more than are needed: each is one more to make, to step into and to remove. `pids` is the first that is made and the last that is
 * removed: where there is none there is nothing of the job, and whoever is in any of them is in it.
 */
const V1 = ["pids", "memory", "cpu", "cpuacct"] as const;

class First implements Cgroup {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async claim(): Promise<void> {
    const made = await mkdir(this.#of("pids"), { recursive: true });
    if (made === undefined) throw new Error(`there is a cgroup ${this.#name} already`);
  }

  async limit({ memoryBytes, processes, cpuCores }: JobLimits): Promise<void> {
    for (const controller of V1.slice(1)) await mkdir(this.#of(controller), { recursive: true });
    const withSwap = join(this.#of("memory"), "memory.memsw.limit_in_bytes");
    await writeFile(join(this.#of("pids"), "pids.max"), String(processes));
    await writeFile(join(this.#of("memory"), "memory.limit_in_bytes"), String(memoryBytes));
    if (existsSync(withSwap)) await writeFile(withSwap, String(memoryBytes));
    else await writeFile(join(this.#of("memory"), "memory.swappiness"), "0");
    await writeFile(join(this.#of("cpu"), "cpu.cfs_period_us"), String(PERIOD_US));
    await writeFile(join(this.#of("cpu"), "cpu.cfs_quota_us"), String(Math.max(1_000, Math.round(cpuCores * PERIOD_US))));
  }

  /** By `tasks`, which moves the one thread that asks: `cgroup.procs` stops the forks of the whole machine first, and waits for each core. */
  get doors(): readonly string[] {
    return V1.map((name) => join(this.#of(name), "tasks"));
  }

  async used(): Promise<Used> {
    const cpuNs = await numberIn(join(this.#of("cpuacct"), "cpuacct.usage"));
    return {
      cpuMs: cpuNs === null ? null : cpuNs / 1e6,
      memoryPeakBytes: await numberIn(join(this.#of("memory"), "memory.max_usage_in_bytes")),
      outOfMemory: ((await numberIn(join(this.#of("memory"), "memory.oom_control"), "oom_kill")) ?? 0) > 0,
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
    for (const controller of V1.toReversed()) await removed(this.#of(controller));
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
    if (!hasCode(error, "ESRCH")) throw error;
  }
}
