import { readdirSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signClaim } from "../../runner/claim.ts";
import { health } from "../../runner/protocol.ts";
import { NOT_INSTALLED } from "../../scripts/runner.ts";
import { SECRET, TestRunner, UNABLE } from "../support/runner.ts";

let runner: TestRunner;
beforeAll(async () => {
  if (UNABLE === null) runner = await TestRunner.start();
});
afterAll(() => runner?.stop());

it("is tried wherever the machine lets it, with what it needs installed before a change lands", () => {
  if (UNABLE !== null) console.warn(`The sandbox is not tried on this machine: ${UNABLE}`);
  expect(process.env["CI"] ? UNABLE : null).not.toBe(NOT_INSTALLED);
});

/** What of a runner's jobs is left on this machine. */
function left(): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${runner.state}/jobs/`));
  return [...mounts, ...readdirSync(`${runner.state}/jobs`)];
}

describe.skipIf(UNABLE)("a job", () => {
  it("A18: says what it does in numbered events without a gap, and its exit last", async () => {
    const { events, exit, stdout, stderr } = await runner.sh("echo one; echo two >&2; exit 3");
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, nth) => nth + 1));
    expect([stdout, stderr]).toEqual(["one\n", "two\n"]);
    expect(exit).toMatchObject({ reason: "error", code: 3, cleaned: true });
  });

  it("A19: tells what it added, changed and deleted, by digest", async () => {
    const given = ["keep", "change", "drop"].map((name) => ({ path: `in/${name}.txt`, base64: Buffer.from(name).toString("base64") }));
    const { exit } = await runner.sh("echo -n new > out.txt; echo -n other > in/change.txt; rm in/drop.txt", { files: given });
    expect(exit.files).toEqual([
      { path: "in/change.txt", change: "modified", bytes: 5, sha256: "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa" },
      { path: "in/drop.txt", change: "deleted", bytes: null, sha256: null },
      { path: "out.txt", change: "added", bytes: 3, sha256: "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437" },
    ]);
  });

  it("A19: says that it cannot tell what became of a workspace it has locked, and calls nothing deleted", async () => {
    const files = [{ path: "kept.txt", base64: Buffer.from("kept").toString("base64") }];
    const { exit } = await runner.sh("chmod 000 .", { files });
    expect(exit).toMatchObject({ reason: "ok", files: [], cleaned: true });
    expect(exit.message).toBe("what became of the workspace: the list of files was broken off");
  });

  it("reads what it is given on stdin, and its end", async () => {
    const id = runner.id();
    await runner.create(id, { argv: ["cat"] });
    for await (const { type, data } of runner.events(id)) if (type === "status" && data.status === "running") break;
    expect((await runner.call("POST", `/${id}/stdin`, { op: "stdin", body: "hello " })).status).toBe(204);
    expect((await runner.call("POST", `/${id}/stdin`, { op: "stdin", body: "there" })).status).toBe(204);
    expect((await runner.call("POST", `/${id}/stdin`, { op: "stdin", body: "" })).status).toBe(204);
    expect(await runner.outcome(id)).toMatchObject({ stdout: "hello there", exit: { reason: "ok" } });
  });

  it("is the same job when it is made again, and another one's id is refused", async () => {
    const id = runner.id();
    expect((await runner.create(id, { argv: ["echo", "once"] })).status).toBe(201);
    expect((await runner.create(id, { argv: ["echo", "once"] })).status).toBe(200);
    expect((await runner.create(id, { argv: ["echo", "twice"] })).status).toBe(409);
    expect((await runner.outcome(id)).stdout).toBe("once\n");
  });

  it("gives a reader who comes back what it lacks, and keeps nothing that it has", async () => {
    const id = runner.id();
    await runner.create(id, { argv: ["/bin/sh", "-c", "for n in 1 2 3 4 5; do echo $n; sleep 0.05; done"] });
    const first = [];
    for await (const event of runner.events(id)) if (first.push(event) === 3) break;
    const rest = await Array.fromAsync(runner.events(id, 3));
    expect(rest[0]!.seq).toBe(4);
    expect(rest.at(-1)!.type).toBe("exit");
    const again = await Array.fromAsync(runner.events(id, 0));
    expect(again[0]!.seq).toBe(4);
  });

  it("A23: leaves nothing once its data is deleted", async () => {
    const id = runner.id();
    await runner.create(id, { argv: ["/bin/sh", "-c", "echo x > f"] });
    await runner.outcome(id);
    const tar = await runner.call("GET", `/${id}/artifacts.tar`, { op: "artifacts" });
    expect(Buffer.from(await tar.arrayBuffer()).includes("./f")).toBe(true);
    expect((await runner.call("DELETE", `/${id}/data`, { op: "delete" })).status).toBe(204);
    expect((await runner.call("GET", `/${id}/events`, { op: "events" })).status).toBe(404);
    expect(left().filter((each) => each.includes(id))).toEqual([]);
  });

  it("A48: changes nothing of a workspace it may only read, and sees none where it may not", async () => {
    const files = [{ path: "a.txt", base64: Buffer.from("a").toString("base64") }];
    const readonly = await runner.sh("cat a.txt; echo b > b.txt", { filesystem: "readonly", files });
    expect(readonly).toMatchObject({ stdout: "a", exit: { reason: "error", files: [] } });
    const none = await runner.sh("ls -A; echo b > b.txt", { filesystem: "none", files });
    expect(none).toMatchObject({ stdout: "", exit: { reason: "error", files: [] } });
  });
});

describe.skipIf(UNABLE)("a limit holds", () => {
  it("A20: of time, whatever the job does with signals", async () => {
    const { exit } = await runner.sh("trap '' TERM INT HUP; while :; do :; done", { limits: { wallMs: 500 } });
    expect(exit).toMatchObject({ reason: "timeout", cleaned: true });
  });

  it("A31: of memory, told apart from other deaths by the kernel's own count", async () => {
    const { exit } = await runner.sh("tail /dev/zero", { limits: { memoryBytes: 64 * 2 ** 20 } });
    expect(exit).toMatchObject({ reason: "oom", cleaned: true });
    expect(exit.memoryPeakBytes).toBeLessThanOrEqual(64 * 2 ** 20);
  });

  it("A32: of processes, against one that forks without end", async () => {
    const { exit, stderr } = await runner.sh("f() { f | f & }; f; sleep 1", { limits: { processes: 32, wallMs: 5_000 } });
    expect(stderr).toContain("Resource temporarily unavailable");
    expect(exit.cleaned).toBe(true);
  });

  it("A30: of CPU, by the kernel's clock", async () => {
    const { exit } = await runner.sh("while :; do :; done", { limits: { cpuCores: 0.2, wallMs: 2_000 } });
    expect(exit.reason).toBe("timeout");
    expect(exit.cpuMs).toBeGreaterThan(100);
    expect(exit.cpuMs).toBeLessThan(800);
  });

  it("A33: of disk and of the number of files", async () => {
    const disk = await runner.sh("head -c 64M /dev/zero > big; stat -c %s big", { limits: { diskBytes: 4 * 2 ** 20 } });
    expect(Number(disk.stdout)).toBeLessThanOrEqual(4 * 2 ** 20);
    const files = await runner.sh("for n in $(seq 500); do : > f$n || break; done 2>/dev/null; ls | wc -l", { limits: { files: 100 } });
    expect(Number(files.stdout)).toBeLessThan(100);
    const shared = await runner.sh("head -c 64M /dev/zero > /dev/shm/big; stat -c %s /dev/shm/big", { limits: { diskBytes: 4 * 2 ** 20 } });
    expect(Number(shared.stdout)).toBeLessThanOrEqual(4 * 2 ** 20);
  });

  it("A33: of one file's size, of open files and of core dumps, and none can be raised", async () => {
    const script = "ulimit -c 1; ulimit -n 5000; ulimit -f unlimited; grep -E 'core|open files|file size' /proc/self/limits";
    const { stdout } = await runner.sh(script, { limits: { diskBytes: 4 * 2 ** 20 } });
    const limits = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/ {2,}/).slice(0, 3));
    expect(limits).toEqual([
      ["Max file size", String(4 * 2 ** 20), String(4 * 2 ** 20)],
      ["Max core file size", "0", "0"],
      ["Max open files", "4096", "4096"],
    ]);
  });

  it("of output: what is over is dropped and counted", async () => {
    const { exit, stdout } = await runner.sh("head -c 5000000 /dev/zero | tr '\\0' x", { limits: { outputBytes: 100_000 } });
    expect(stdout).toHaveLength(100_000);
    expect(exit).toMatchObject({ reason: "ok", droppedBytes: 4_900_000 });
  });

  it("A42: on what a job leaves behind: daemons die with it", async () => {
    const { exit } = await runner.sh("setsid nohup sleep 777 >/dev/null 2>&1 & disown; (setsid sleep 778 &) ; echo done");
    expect(exit).toMatchObject({ reason: "ok", cleaned: true });
    const alive = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8");
        } catch {
          return "";
        }
      });
    expect(alive.filter((line) => /sleep\0(777|778)/.test(line))).toEqual([]);
  });

  it("of cancelling: it ends at once, and again is no fault", async () => {
    const id = runner.id();
    await runner.create(id, { argv: ["sleep", "60"] });
    for await (const { type, data } of runner.events(id)) if (type === "status" && data.status === "running") break;
    expect((await runner.call("DELETE", `/${id}`, { op: "cancel" })).status).toBe(202);
    expect((await runner.call("DELETE", `/${id}`, { op: "cancel" })).status).toBe(202);
    expect((await runner.outcome(id)).exit).toMatchObject({ reason: "cancelled", cleaned: true });
  });
});

describe.skipIf(UNABLE)("the gateway's socket", () => {
  it("A28: carries a job's calls with a credential that is nowhere inside, and carries none of its own", async () => {
    const seen: { url: string; headers: Record<string, unknown> }[] = [];
    const gateway = createServer((request, answer) => {
      seen.push({ url: request.url!, headers: request.headers });
      answer.end("from the gateway");
    });
    await new Promise<void>((resolve) => gateway.listen(0, "127.0.0.1", resolve));
    const { port } = gateway.address() as { port: number };
    const script = `
      exec 3<>/dev/tcp/127.0.0.1/8787
      printf 'GET /v1/models HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer forged\\r\\nx-api-key: forged\\r\\nconnection: close\\r\\n\\r\\n' >&3
      tail -n 1 <&3
      (exec 4<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached the host
      cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c 'task-[c]redential'`;
    const ran = await runner.sh(script, { gateway: { url: `http://127.0.0.1:${port}`, authorization: "Bearer task-credential" } });
    gateway.close();
    expect(ran.stdout).toBe("from the gateway0\n");
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ url: "/v1/models", headers: { authorization: "Bearer task-credential" } });
    expect(JSON.stringify(seen)).not.toContain("forged");
  });

  it("tells a gateway that cannot be reached from one that broke off, so that nothing is paid twice unknowingly", async () => {
    const server = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const gateway = { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, authorization: "x" };
    const ask =
      "exec 3<>/dev/tcp/127.0.0.1/8787; printf 'GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n' >&3; head -n 1 <&3";
    const broken = await runner.sh(ask, { gateway });
    await new Promise((resolve) => server.close(resolve));
    const unreached = await runner.sh(ask, { gateway });
    expect([broken.stdout, unreached.stdout]).toEqual(["HTTP/1.1 502 Bad Gateway\r\n", "HTTP/1.1 503 Service Unavailable\r\n"]);
  });
});

describe.skipIf(UNABLE)("a call to the runner", () => {
  it("threat 45: is refused without a claim for this very thing", async () => {
    const body = JSON.stringify({});
    const id = runner.id();
    const wrong = [
      "nonsense",
      await signClaim("another-secret-that-is-long-enough-0123", { job: id, op: "cancel" }),
      await signClaim(SECRET, { job: "other", op: "cancel" }),
      await signClaim(SECRET, { job: id, op: "events" }),
    ];
    for (const claim of wrong) expect((await runner.call("DELETE", `/${id}`, { op: "cancel", claim })).status).toBe(401);
    const forOther = await signClaim(SECRET, { job: id, op: "create", spec: "of-another-body" });
    expect((await runner.call("PUT", `/${id}`, { op: "create", body, claim: forOther })).status).toBe(401);
    expect((await fetch(`${runner.url}/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(401);
  });

  it.each([
    ["files.0.path", { files: [{ path: "../x", base64: "" }] }],
    ["files.0.path", { files: [{ path: "/etc/x", base64: "" }] }],
    ["files.0.path", { files: [{ path: "a//b", base64: "" }] }],
    ["argv", { argv: [] }],
    ["argv.0", { argv: ["a\0b"] }],
    ["workingDirectory", { workingDirectory: "a/../.." }],
    ["limits.memoryBytes", { limits: { memoryBytes: -1 } }],
    ["gateway.url", { gateway: { url: "file:///etc/passwd", authorization: "x" } }],
  ])("names the field of a spec that is wrong: %s", async (field, asked) => {
    const answer = await runner.create(runner.id(), asked as never);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: { message: string } }).error.message).toContain(field);
  });

  it("of no path is refused as what it is, and is no failure of the runner's", async () => {
    const { hostname, port } = new URL(runner.url);
    const statusOf = (path: string) =>
      new Promise((resolve, reject) => {
        request({ hostname, port, path }, (answer) => resolve(answer.resume().statusCode))
          .once("error", reject)
          .end();
      });
    expect(await Promise.all(["//", "//a:b", "http://["].map(statusOf))).toEqual([400, 400, 400]);
  });

  it("says what the machine can enforce", async () => {
    const said = health.parse(await (await fetch(`${runner.url}/healthz`)).json());
    expect(said).toMatchObject({ ok: true, capabilities: { sandbox: true, seccomp: true, uidPerJob: true } });
  });
});
