import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Cgroups, cgroupKind } from "../../runner/sandbox/cgroup.ts";
import { raise, raze } from "../../runner/sandbox/walls.ts";
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
const cgroups = new Cgroups(await cgroupKind(), `tollgate-walls-${process.pid}`);
const site = { jobs, cgroups, mounts: true };
const tenant = (id: string) => ({ id, owner: { uid: 61_001, gid: 61_001 }, limits: LIMITS });
const mounted = (id: string) => readFileSync("/proc/self/mounts", "utf8").includes(`${jobs}/${id}/disk`);

afterAll(async () => {
  await cgroups.reap();
  rmSync(jobs, { recursive: true, force: true });
});

describe.skipIf(UNABLE)("A63: walls", () => {
  it("leave nothing where they are razed, though it be twice", async () => {
    const walls = await raise(site, tenant("once"));
    const doors = walls.cgroup!.doors;
    expect([mounted("once"), ...doors.map(existsSync)]).toEqual([true, ...doors.map(() => true)]);
    await raze(walls);
    expect([mounted("once"), existsSync(join(jobs, "once")), ...doors.map(existsSync)]).toEqual([false, false, ...doors.map(() => false)]);
    await walls.cgroup!.kill();
    await walls.cgroup!.remove();
  });

  it("are not raised a second time where they stand, and those that stand are left alone", async () => {
    const walls = await raise(site, tenant("taken"));
    await expect(raise(site, tenant("taken"))).rejects.toThrow();
    expect([mounted("taken"), ...walls.cgroup!.doors.map(existsSync)]).toEqual([true, ...walls.cgroup!.doors.map(() => true)]);
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

  it("of which the disk cannot be mounted leave no folder", async () => {
    const wrong = { ...tenant("disk"), limits: { ...LIMITS, files: -1 } };
    await expect(raise(site, wrong)).rejects.toThrow("mount");
    expect(existsSync(join(jobs, "disk"))).toBe(false);
    const again = await raise(site, tenant("disk"));
    await raze(again);
  });
});
