import { execFile } from "node:child_process";
import { chmod, chown, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { JobSpec } from "../protocol.ts";

const run = promisify(execFile);

/** The host's side of what one job may write: `workspace`, `tmp` and `shm` on one filesystem of their own, and `run` for sockets. */
export interface Volume {
  readonly workspace: string;
  readonly tmp: string;
  readonly shm: string;
  readonly run: string;
  remove(): Promise<void>;
}

/** Who owns a volume. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What a volume may hold. */
export type Quota = Pick<JobSpec["limits"], "diskBytes" | "files">;

/**
 * Makes a job's volume. With a quota it is a tmpfs, which alone limits both bytes and the number of files; it holds nothing a set-uid bit
 * or a device file would be honoured on. Without, where nothing may be mounted, it is a plain folder, and the capability report says that
 * disk is not limited.
 */
export async function makeVolume(folder: string, owner: Owner, quota: Quota | null): Promise<Volume> {
  const [disk, sockets] = [join(folder, "disk"), join(folder, "run")];
  const [workspace, tmp, shm] = [join(disk, "workspace"), join(disk, "tmp"), join(disk, "shm")];
  // Others' jobs may walk through it, and read nothing: what lies in it is the owner's alone. One that is there already is another's.
  await mkdir(folder, { mode: 0o711 });
  let mounted = false;
  const remove = async () => {
    if (mounted) await unmounted(disk);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const each of [disk, sockets]) await mkdir(each, { mode: 0o711 });
    if (quota) await mountDisk(disk, owner, quota);
    mounted = quota !== null;
    for (const each of [workspace, tmp, shm]) {
      await mkdir(each, { mode: 0o700 });
      await own(each, owner);
    }
    return { workspace, tmp, shm, run: sockets, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function mountDisk(disk: string, { uid, gid }: Owner, { diskBytes, files }: Quota): Promise<void> {
  const options = `size=${diskBytes},nr_inodes=${files},nosuid,nodev,mode=0711,uid=${uid},gid=${gid}`;
  await run("mount", ["-t", "tmpfs", "-o", options, "tollgate", disk]);
}

/** Puts files into a fresh folder of a volume. Nothing of the job has run yet, so no link can lead the writing astray. */
export async function fill(inside: string, files: JobSpec["files"], owner: Owner): Promise<void> {
  for (const { path, base64, executable } of files) {
    const parents = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parents.length; depth++) {
      const folder = join(inside, ...parents.slice(0, depth));
      if (await mkdir(folder, { recursive: true, mode: 0o755 })) await own(folder, owner);
    }
    const target = join(inside, path);
    await writeFile(target, Buffer.from(base64, "base64"), { flag: "wx", mode: executable ? 0o755 : 0o644 });
    await own(target, owner);
  }
}

/** Unmounts and removes what a runner that died has left below its folder. */
export async function reapVolumes(state: string, jobs: string): Promise<void> {
  await unmountBelow(state);
  for (const id of await readdir(jobs)) await rm(join(jobs, id), { recursive: true, force: true });
}

/** Unmounts all that is mounted below a folder. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" ")[1] ?? "");
  for (const mount of mounts.filter((each) => each.startsWith(`${folder}/`))) await unmounted(mount);
}

/** Why nothing may be mounted here; null where it may. Tried: within a container root need not be allowed to. */
export async function unmountable(state: string): Promise<string | null> {
  if (!isRoot()) return "the runner is not root";
  const folder = join(state, "mount");
  await mkdir(folder, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "tollgate", folder]);
    await unmounted(folder);
    return null;
  } catch (error) {
    return error instanceof Error && "stderr" in error ? (String(error.stderr).split("\n")[0] ?? "") : "mounting fails";
  }
}

/** The folder that all jobs of a runner lie in. */
export async function makeJobsFolder(state: string): Promise<string> {
  const jobs = join(state, "jobs");
  await mkdir(dirname(jobs), { recursive: true });
  await mkdir(jobs, { recursive: true });
  for (const each of [state, jobs]) await chmod(each, 0o711);
  return jobs;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

async function own(path: string, { uid, gid }: Owner): Promise<void> {
  if (isRoot()) await chown(path, uid, gid);
}

/** Lazily: a process that is being killed may still stand in it, and nothing new can find it. */
async function unmounted(path: string): Promise<void> {
  await run("umount", ["--lazy", path]);
}
