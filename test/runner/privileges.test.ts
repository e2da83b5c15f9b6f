import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { TestRunner, UNABLE } from "../support/runner.ts";

let runner: TestRunner;
beforeAll(async () => {
  if (UNABLE === null) runner = await TestRunner.start();
});
afterAll(() => runner?.stop());

/** The users of this machine that processes of a command line run as; those that have ended meanwhile are none. */
function usersOf(line: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, "utf8") !== line) return [];
        return [Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1])];
      } catch {
        return [];
      }
    });
}

describe.skipIf(UNABLE)("what a job can do by what it is", () => {
  it("A29: of all folders and files it can write to its workspace, its home and its memory, and to nothing else", async () => {
    // Devices are no files, and in the folder of terminals, which says that it can be written to, nobody can make one.
    const written = `
      find / -path /proc -prune -o -path '/dev/*' -prune -o -type f -writable -print 2>/dev/null
      find / -path /proc -prune -o -type d -writable -print 2>/dev/null | while read -r folder; do
        { : > "$folder/made"; } 2>/dev/null && echo "$folder" && rm "$folder/made"
      done`;
    const files = [{ path: "in/a.txt", base64: "" }];
    const { stdout } = await runner.sh(written, { files });
    expect(stdout.trim().split("\n").sort()).toEqual(["/dev/shm", "/tmp", "/workspace", "/workspace/in", "/workspace/in/a.txt"]);
    const readonly = await runner.sh(written, { files, filesystem: "readonly" });
    expect(readonly.stdout.trim().split("\n").sort()).toEqual(["/dev/shm", "/tmp"]);
  });

  it("A33: what it can write to holds no program that is another user's, and no device", async () => {
    const { stdout } = await runner.sh("grep -E ' (/workspace|/tmp|/dev/shm) ' /proc/self/mounts | cut -d' ' -f2,4");
    const mounts = stdout.trim().split("\n");
    expect(mounts.map((line) => line.split(" ")[0]).sort()).toEqual(["/dev/shm", "/tmp", "/workspace"]);
    for (const line of mounts) expect(line).toMatch(/nosuid.*nodev/);
  });

  it("A34, A35: it has no privilege, none to give, and none to be had", async () => {
    const { stdout } = await runner.sh("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
    const said = Object.fromEntries(stdout.trim().split("\n").map((line) => line.split(":\t") as [string, string])); // prettier-ignore
    const none = "0".repeat(16);
    expect(said).toEqual({ CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none, NoNewPrivs: "1", Seccomp: "2" });
  });

  it("A39: it sees itself as user 1000, and is on the machine a user that no other job is, nor anybody else", async () => {
    const { stdout } = await runner.sh("id -u; id -g; id -G; touch a; stat -c '%u %g' a");
    expect(stdout).toBe("1000\n1000\n1000\n1000 1000\n");
    const ids = [runner.id(), runner.id()];
    for (const [nth, id] of ids.entries()) await runner.create(id, { argv: ["sleep", `${7_871 + nth}`] });
    const users = await vi.waitFor(() => {
      const found = ids.map((_, nth) => usersOf(`sleep\0${7_871 + nth}\0`));
      expect(found.map((each) => each.length)).toEqual([1, 1]);
      return found.flat();
    }, 10_000);
    for (const id of ids) await runner.call("DELETE", `/${id}`, { op: "cancel" });
    expect(new Set(users).size).toBe(2);
    for (const user of users) expect(user).toBeGreaterThanOrEqual(20_000);
    for (const user of users) expect(readFileSync("/etc/passwd", "utf8")).not.toContain(`:${user}:`);
  });
});
