import { join } from "node:path";
import type { JobLimits } from "../protocol.ts";
import type { Cgroup, Cgroups } from "./cgroup.ts";
import { makeVolume, type Owner, type Volume } from "./volume.ts";

/** Where walls are raised. */
export interface Site {
  /** The folder that volumes lie in. */
  readonly jobs: string;
  readonly cgroups: Cgroups;
  /** Whether anything may be mounted: what limits the disk of a job. */
  readonly mounts: boolean;
}

/** Whom walls are raised around, and how much there is to be between them. */
export interface Tenant {
  readonly id: string;
  readonly owner: Owner;
  readonly limits: JobLimits;
}

/** What holds a command. */
export interface Walls {
  readonly volume: Volume;
  readonly owner: Owner;
  readonly cgroup: Cgroup | null;
  readonly limits: JobLimits;
  /** Off only to show what the filter is there for. */
  readonly seccomp?: boolean;
}

/** Makes a volume and a cgroup, at once since neither needs the other. @throws Error where either cannot be; then none is left. */
export async function raise({ jobs, cgroups, mounts }: Site, { id, owner, limits }: Tenant): Promise<Walls> {
  const making = [makeVolume(join(jobs, id), owner, mounts ? limits : null), cgroups.make(id, limits)] as const;
  try {
    const [volume, cgroup] = await Promise.all(making);
    return { volume, owner, cgroup, limits };
  } catch (error) {
    for (const made of await Promise.allSettled(making)) if (made.status === "fulfilled") await made.value?.remove();
    throw error;
  }
}

/** Ends all that is between them, and leaves nothing. @throws Error where something cannot be removed. */
export async function raze({ volume, cgroup }: Walls): Promise<void> {
  await cgroup?.kill();
  await cgroup?.remove();
  await volume.remove();
}
