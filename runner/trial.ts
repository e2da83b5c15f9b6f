import { join } from "node:path";
import type { Owners } from "./owners.ts";
import type { JobLimits } from "./protocol.ts";
import type { Cgroups } from "./sandbox/cgroup.ts";
import { start } from "./sandbox/sandbox.ts";
import { makeVolume } from "./sandbox/volume.ts";

/** What a command of ours said before it ended, or was ended. */
export interface Said {
  readonly out: string;
  readonly err: string;
}

/** What a trial needs of a machine that is not ready yet. */
export interface Ground {
  readonly jobs: string;
  readonly cgroups: Cgroups;
  readonly mounts: boolean;
  readonly owners: Owners;
}

/** What is tried, by which name, and with how much. */
export interface Trial {
  readonly name: string;
  readonly argv: readonly string[];
  readonly given: Readonly<Record<string, string>>;
  readonly limits: JobLimits;
}

/** Runs a command in a sandbox such as jobs have, and leaves nothing of it. */
export async function tryOut({ jobs, cgroups, mounts, owners }: Ground, { name, argv, given, limits }: Trial): Promise<Said> {
  const owner = owners.take();
  const id = `${name}-${process.pid}`;
  const cgroup = await cgroups.make(id, limits);
  const volume = await makeVolume(join(jobs, id), owner, mounts ? limits : null);
  try {
    const inside = { argv, env: {}, workingDirectory: ".", workspace: "readwrite", given } as const;
    const child = start(inside, { volume, owner, cgroup, limits });
    const said = { out: "", err: "" };
    child.stdout!.on("data", (bytes: Buffer) => (said.out += bytes.toString()));
    child.stderr!.on("data", (bytes: Buffer) => (said.err += bytes.toString()));
    child.stdin!.end();
    const late = setTimeout(() => child.kill("SIGKILL"), limits.wallMs);
    await new Promise((resolve) => child.once("close", resolve));
    clearTimeout(late);
    return said;
  } finally {
    await cgroup?.kill();
    await cgroup?.remove();
    await volume.remove();
    owners.give(owner);
  }
}
