import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { JobSpec } from "../../runner/protocol.ts";
import { CONTAINER_GATEWAY, OwnRunner } from "../../src/tasks/container.ts";
import { RunnerJob, RunnerRefusal } from "../../src/tasks/runner.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";

type Platform = ConstructorParameters<typeof OwnRunner>[0];

/** What stands for the platform, which there is none of here: a container is a process, and what runs in it is the real runner. */
class Machine {
  readonly started: ContainerStartupOptions[] = [];
  readonly opened: string[] = [];
  runner: TestRunner | null = null;
  #starting: Promise<unknown> | null = null;

  get running(): boolean {
    return this.#starting !== null;
  }

  start(options: ContainerStartupOptions): void {
    this.started.push(options);
    const here = { RUNNER_HOST: "127.0.0.1", RUNNER_PORT: "0" };
    this.#starting = TestRunner.start(undefined, { ...options.env, ...here }).then((runner) => (this.runner = runner));
  }

  async destroy(): Promise<void> {
    await this.#starting;
    await this.runner?.stop();
    this.runner = null;
    this.#starting = null;
  }

  getTcpPort(): Fetcher {
    const fetch = async (url: string, init: RequestInit) => {
      if (!this.runner) throw new Error("The container is not listening in the TCP address");
      return globalThis.fetch(url.replace("http://runner", this.runner.url), init as object);
    };
    return { fetch } as unknown as Fetcher;
  }

  interceptOutboundHttp(address: string): Promise<void> {
    this.opened.push(address);
    return Promise.resolve();
  }
}

const machines: Machine[] = [];
afterAll(() => Promise.all(machines.map((machine) => machine.destroy())));

function owning(secret: string): { machine: Machine; own: OwnRunner } {
  const machine = new Machine();
  machines.push(machine);
  return { machine, own: new OwnRunner(machine as unknown as Platform, {} as Fetcher, () => secret) };
}

const SECRET = "of-one-task-alone-0123456789-0123456789";
const spec: JobSpec = {
  v: 1,
  argv: ["sh", "-c", "echo said; echo left > left.txt"],
  env: {},
  files: [],
  home: [],
  workingDirectory: ".",
  filesystem: "readwrite",
  limits: {
    wallMs: 10_000,
    cpuCores: 1,
    memoryBytes: 64 * 2 ** 20,
    processes: 64,
    diskBytes: 2 ** 20,
    files: 100,
    outputBytes: 10_000,
  },
  gateway: null,
  hosts: [],
  agent: null,
  strict: false,
};

describe.skipIf(UNABLE)("threat 45: a runner of a task's own, in a container", () => {
  it("A28: is started once, without the internet, with a secret of its own, and with a way to the gateway alone", async () => {
    const { machine, own } = owning(SECRET);
    await own.start();
    await own.start();
    expect(machine.started).toEqual([
      { enableInternet: false, env: { RUNNER_SECRET: SECRET, RUNNER_HOST: "0.0.0.0", RUNNER_PORT: "8790", RUNNER_JOBS_MAX: "1" } },
    ]);
    expect(new Set(machine.opened)).toEqual(new Set([new URL(CONTAINER_GATEWAY).host]));
  });

  it("A27: is away until it listens, runs its job through the same protocol, takes no second, and is gone with all of it", async () => {
    const { machine, own } = owning(SECRET);
    await own.start();
    const job = new RunnerJob(own.at, "task_own");
    await expect(job.create(spec)).rejects.toThrow("not listening");
    while (!machine.runner) await wait(20);
    await job.create({ ...spec, argv: ["sh", "-c", "cat; echo left > left.txt"] });
    const second = await new RunnerJob(own.at, "task_second").create(spec).catch((error: unknown) => error);
    expect(second instanceof RunnerRefusal && second.status).toBe(503);
    while (
      !(await job.write(new TextEncoder().encode("said\n")).then(
        () => true,
        (error: unknown) => refusedBy(error),
      ))
    )
      await wait(20);
    await job.write(new Uint8Array());
    const events = await Array.fromAsync(job.events(0, AbortSignal.timeout(10_000)));
    expect(events.flatMap(({ type, data }) => (type === "stdout" ? [data.text] : [])).join("")).toBe("said\n");
    expect(events.at(-1)).toMatchObject({ type: "exit", data: { reason: "ok", files: [{ path: "left.txt" }] } });
    expect(Buffer.from(await new Response(await job.artifacts()).arrayBuffer()).includes("left.txt")).toBe(true);
    await own.end();
    expect(machine.running).toBe(false);
    await expect(job.events(0, AbortSignal.timeout(1_000)).next()).rejects.toThrow("not listening");
    // What is gone is not started again to be ended.
    await own.end();
    expect(machine.started).toHaveLength(1);
  });
});

/** Not there to be read yet; anything else is no reason to ask again. */
function refusedBy(error: unknown): false {
  if (error instanceof RunnerRefusal && error.status === 409) return false;
  throw error;
}
