import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestRunner, UNABLE } from "../support/runner.ts";

let runner: TestRunner;
beforeAll(async () => {
  if (UNABLE !== null) return;
  runner = await TestRunner.start();
});
afterAll(() => runner?.stop());

const mountsBelow = (folder: string) =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${folder}/jobs/`));

/** Cgroups of jobs, of whichever hierarchy there is. */
function cgroupsOf(id: RegExp): string[] {
  const roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory"];
  return roots.flatMap((root) => {
    try {
      const families = readdirSync(root).filter((name) => name.startsWith("tollgate-"));
      return families.flatMap((family) => readdirSync(`${root}/${family}`).filter((name) => id.test(name)));
    } catch {
      return [];
    }
  });
}

/** Processes whose command line says something. */
function saying(what: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(what);
      } catch {
        return false;
      }
    });
}

it.skipIf(UNABLE)(
  "A63: a thousand jobs in a row leave no process, mount or cgroup",
  async () => {
    const ran = { ok: 0, cleaned: 0 };
    const some = async (count: number) => {
      for (let nth = 0; nth < count; nth++) {
        const { exit } = await runner.sh("(setsid sleep 991 &) ; echo x", { filesystem: "none" });
        if (exit.reason === "ok") ran.ok++;
        if (exit.cleaned) ran.cleaned++;
      }
    };
    await Promise.all([some(250), some(250), some(250), some(250)]);
    expect(ran).toEqual({ ok: 1_000, cleaned: 1_000 });
    expect(saying("sleep\u0000991")).toEqual([]);
    expect(mountsBelow(runner.state)).toEqual([]);
    expect(cgroupsOf(new RegExp(`^t${process.pid}-`))).toEqual([]);
  },
  300_000,
);

it.skipIf(UNABLE)("A42: what a runner that was killed leaves is gone when the next one starts", async () => {
  const first = await TestRunner.start();
  const id = first.id();
  await first.create(id, { argv: ["/bin/sh", "-c", "setsid sleep 992 & sleep 992"] });
  for await (const { type, data } of first.events(id)) if (type === "status" && data.status === "running") break;
  await first.kill();
  expect(mountsBelow(first.state)).toHaveLength(1);
  const second = await TestRunner.start(first.state);
  expect(mountsBelow(first.state)).toEqual([]);
  expect(saying("sleep\u0000992")).toEqual([]);
  expect(cgroupsOf(new RegExp(`^${id}$`))).toEqual([]);
  expect((await second.call("GET", `/${id}/events`, { op: "events" })).status).toBe(404);
  await second.stop();
});

it.skipIf(UNABLE)("a second runner in one folder does not start", async () => {
  await expect(TestRunner.start(runner.state)).rejects.toThrow("ended with 1");
  expect((await runner.sh("echo still here")).stdout).toBe("still here\n");
});

it.skipIf(UNABLE)("A19: artifacts hold what the job wrote and nothing that it points at", async () => {
  const id = runner.id();
  const script = `ln -s /etc/passwd link; ln -s / root; mkfifo pipe; printf '' > "$(printf 'new\\nline')"; printf '' > -rf; truncate -s 8M sparse; chmod 000 sparse; echo x > plain`;
  await runner.create(id, { argv: ["/bin/bash", "-c", script] });
  const { exit } = await runner.outcome(id);
  expect(exit).toMatchObject({ reason: "ok", cleaned: true, message: null });
  expect(exit.files.map(({ path }) => path)).toEqual(["-rf", "new\nline", "plain", "sparse"]);
  expect(exit.files.find(({ path }) => path === "sparse")).toMatchObject({ bytes: 8 * 2 ** 20, sha256: null });
  const tar = Buffer.from(await (await runner.call("GET", `/${id}/artifacts.tar`, { op: "artifacts" })).arrayBuffer());
  expect(tar.includes("./plain")).toBe(true);
  expect(tar.includes("root:x:0")).toBe(false);
  await runner.call("DELETE", `/${id}/data`, { op: "delete" });
});
