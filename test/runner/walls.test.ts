import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Cgroups, cgroupKind } from "../../runner/sandbox/cgroup.ts";
import { start } from "../../runner/sandbox/sandbox.ts";
import { raise, raze, type Walls } from "../../runner/sandbox/walls.ts";
import { UNABLE } from "../support/runner.ts";

const LIMITS = {
  wallMs: 5_000,
  cpuCores: 1,
  memoryBytes: 64 * 2 ** 20,
  processes: 32,
  diskBytes: 2 ** 20,
  files: 64,
  outputBytes: 4_096,
};
const jobs = mkdtempSync(join(tmpdir(), "tollgate-walls-"));
// The jobs' users walk through it.
chmodSync(jobs, 0o711);
const cgroups = new Cgroups(await cgroupKind(), `tollgate-walls-${process.pid}`);
const site = { jobs, cgroups, mounts: true };
const tenant = (id: string) => ({ id, owner: { uid: 61_001, gid: 61_001 }, limits: LIMITS });
const mounted = (id: string) => readFileSync("/proc/self/mounts", "utf8").includes(`${jobs}/${id}/disk`);
const standing = ({ cgroup }: Walls) => cgroup!.doors.filter(existsSync).length;

afterAll(async () => {
  await cgroups.reap();
  rmSync(jobs, { recursive: true, force: true });
});

describe.skipIf(UNABLE)("A63: walls", () => {
  it("hold every process of a job in every cgroup of it, from the launcher to the last daemon", async () => {
    const walls = await raise(site, tenant("held"));
    const argv = ["/bin/sh", "-c", "setsid sleep 993 & sleep 993 & echo here; wait"];
    const child = start({ argv, env: {}, workingDirectory: ".", workspace: "readwrite", given: {} }, walls);
    await once(child.stdout!, "data");
    const held = walls.cgroup!.doors.map((door) =>
      readFileSync(join(dirname(door), "cgroup.procs"), "utf8")
        .trim()
        .split("\n"),
    );
    expect(held[0]).toContain(String(child.pid));
    // The sandbox's two, the shell, and both that it has started.
    expect(held).toEqual(held.map(() => expect.objectContaining({ length: 5 })));
    expect(new Set(held.flat()).size).toBe(5);
    await raze(walls);
    expect(standing(walls)).toBe(0);
  });

  it("leave nothing where they are razed, though it be twice", async () => {
    const walls = await raise(site, tenant("once"));
    expect([mounted("once"), standing(walls)]).toEqual([true, walls.cgroup!.doors.length]);
    await raze(walls);
    expect([mounted("once"), existsSync(join(jobs, "once")), standing(walls)]).toEqual([false, false, 0]);
    await walls.cgroup!.kill();
    await walls.cgroup!.remove();
  });

  it("are not raised a second time where they stand, and those that stand are left alone", async () => {
    const walls = await raise(site, tenant("taken"));
    await expect(raise(site, tenant("taken"))).rejects.toThrow();
    expect([mounted("taken"), standing(walls)]).toEqual([true, walls.cgroup!.doors.length]);
    await raze(walls);
  });

  it("of which one cannot be made leave none of the others", async () => {
    mkdirSync(join(jobs, "volume"));
    await expect(raise(site, tenant("volume"))).rejects.toThrow("EEXIST");
    const after = await cgroups.make("volume", LIMITS);
    await after!.remove();
    const before = await cgroups.make("cgroup", LIMITS);
    await expect(raise(site, tenant("cgroup"))).rejects.toThrow("already");
    expect([mounted("cgroup"), existsSync(join(jobs, "cgroup"))]).toEqual([false, false]);
    await before!.remove();
  });

  it("that a killed runner had only begun to raise are found by the next one", async () => {
    const walls = await raise(site, tenant("whole"));
    const begun = join(dirname(walls.cgroup!.doors[0]!), "../begun");
    mkdirSync(begun);
    await cgroups.reap();
    expect([existsSync(begun), standing(walls)]).toEqual([false, 0]);
    await raze(walls);
  });

  it("of which the disk cannot be mounted leave no folder", async () => {
    const wrong = { ...tenant("disk"), limits: { ...LIMITS, files: -1 } };
    await expect(raise(site, wrong)).rejects.toThrow("mount");
    expect(existsSync(join(jobs, "disk"))).toBe(false);
    const again = await raise(site, tenant("disk"));
    await raze(again);
  });
});
