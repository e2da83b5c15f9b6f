import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { health } from "../../runner/protocol.ts";
import { Image, NO_PODMAN, unbuildable } from "../support/image.ts";
import type { TestRunner } from "../support/runner.ts";
import { probesOf, scriptOf } from "./probes.ts";

const WHY = unbuildable();
/** What runner/README.md says that a container must be run with, in podman's words. */
const NAMESPACES = ["--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"];
const EVERYTHING = [...NAMESPACES, "--cap-add=SYS_ADMIN", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"];

let image: Image | null = null;
const running: TestRunner[] = [];

async function start(rights: readonly string[]): Promise<{ runner: TestRunner; name: string }> {
  const started = await image!.start(rights);
  running.push(started.runner);
  return started;
}

async function healthOf({ url }: TestRunner) {
  return health.parse(await (await fetch(`${url}/healthz`)).json());
}

beforeAll(() => {
  if (WHY !== null) return;
  image = new Image();
  image.build();
}, 600_000);
afterAll(async () => {
  await Promise.all(running.map((runner) => runner.stop()));
  image?.remove();
}, 300_000);

it("the image is built before a change lands, and says where it is not", () => {
  if (WHY !== null) console.warn(`The runner's image is not built here: ${WHY}`);
  expect(process.env["CI"] ? WHY : null).not.toBe(NO_PODMAN);
});

describe.skipIf(WHY)("A41: the runner's image", () => {
  it("A40: as containers are run by default makes no sandbox, says each thing that is missing, and runs nothing", async () => {
    const { runner } = await start([]);
    const { ok, capabilities, agents } = await healthOf(runner);
    expect([ok, capabilities.sandbox, capabilities.memory, capabilities.disk, agents]).toEqual([false, false, false, false, []]);
    expect(capabilities.missing.map((each) => each.split(":")[0])).toEqual([
      "sandbox",
      "a limit of disk",
      "limits of memory, processes and CPU",
    ]);
    const answer = await runner.create(runner.id(), { argv: ["true"] });
    expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining("sandbox: bwrap:")]);
  });

  it("A27: with user namespaces alone has a sandbox, and refuses strict jobs for what it cannot limit", async () => {
    const { runner } = await start(NAMESPACES);
    const { ok, capabilities } = await healthOf(runner);
    expect([ok, capabilities.sandbox, capabilities.cgroup, capabilities.memory, capabilities.disk]).toEqual([
      true,
      true,
      "none",
      false,
      false,
    ]);
    const strict = await runner.create(runner.id(), { argv: ["true"], strict: true });
    expect([strict.status, await strict.text()]).toEqual([422, expect.stringContaining("limits of memory, processes and CPU")]);
    const { stdout, exit } = await runner.sh("id -u; cat in.txt > out.txt; cat out.txt", {
      files: [{ path: "in.txt", base64: Buffer.from("read\n").toString("base64") }],
    });
    expect([stdout, exit.reason, exit.files.map(({ path }) => path), exit.memoryPeakBytes]).toEqual([
      "1000\nread\n",
      "ok",
      ["out.txt"],
      null,
    ]);
  });

  it("A27, A31, A33, A42: with all that it asks for enforces everything, runs strict jobs and leaves no process behind", async () => {
    const { runner, name } = await start(EVERYTHING);
    const { capabilities } = await healthOf(runner);
    expect(capabilities).toMatchObject({
      sandbox: true,
      memory: true,
      cpu: true,
      processes: true,
      disk: true,
      uidPerJob: true,
      missing: [],
    });
    const tools = await runner.sh("git --version && rg --version && curl --version", { strict: true });
    expect([tools.exit.reason, tools.exit.cleaned]).toEqual(["ok", true]);
    const hungry = await runner.sh("tail /dev/zero", { strict: true, limits: { memoryBytes: 64 * 2 ** 20 } });
    expect(hungry.exit).toMatchObject({ reason: "oom", cleaned: true });
    const full = await runner.sh("head -c 64M /dev/zero > big; stat -c %s big", { strict: true, limits: { diskBytes: 4 * 2 ** 20 } });
    expect(Number(full.stdout)).toBeLessThanOrEqual(4 * 2 ** 20);
    const late = await runner.sh("(setsid sleep 771 &) ; sleep 60", { strict: true, limits: { wallMs: 500 } });
    expect(late.exit).toMatchObject({ reason: "timeout", cleaned: true });
    const first = image!.podman("inspect", "--format={{.State.Pid}}", name).trim();
    // The init and the runner, and no child of a job that nobody has waited for.
    expect(readFileSync(`/proc/${first}/task/${first}/children`, "utf8").trim().split(" ")).toHaveLength(1);
  });

  it("A43: lets no more out of its sandbox in a container than on a machine", async () => {
    const { runner } = await start(EVERYTHING);
    const port = Number(new URL(runner.url).port);
    const probes = probesOf({ port, abstract: "tollgate-none", socket: "/run/none", secret: "/etc/hostname", pid: process.pid });
    const { stdout } = await runner.sh(scriptOf(probes));
    const exits = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    expect(exits).toHaveLength(probes.length);
    expect(exits.flatMap(([nth, exit]) => (exit === 0 ? [probes[nth!]!.name] : []))).toEqual([]);
  });
});
