import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, signClaim } from "../../runner/claim.ts";
import { cgroupKind } from "../../runner/sandbox/cgroup.ts";
import { unable } from "../../scripts/runner.ts";
import { type Capabilities, type JobEvent, jobEvent, type JobExit, type JobSpec, type Operation } from "../../runner/protocol.ts";

/** Why the sandbox is not tried here; null where it is. A machine may forbid it; what can be installed is installed where changes land. */
export const UNABLE = unable() ?? ((await cgroupKind()) === "none" ? "no cgroup can be made" : null);

/** Signs the claims of the tests. */
export const SECRET = "runner-secret-of-the-tests-0123456789abcdef";

/** A job that says little: what a test does not name. */
const QUIET: JobSpec = {
  v: 1,
  argv: ["true"],
  env: {},
  files: [],
  home: [],
  workingDirectory: ".",
  filesystem: "readwrite",
  limits: {
    wallMs: 20_000,
    cpuCores: 1,
    memoryBytes: 128 * 2 ** 20,
    processes: 64,
    diskBytes: 16 * 2 ** 20,
    files: 1_000,
    outputBytes: 2 ** 20,
  },
  gateway: null,
  hosts: [],
  agent: null,
  strict: false,
};

type Asked = Partial<Omit<JobSpec, "limits">> & { readonly limits?: Partial<JobSpec["limits"]> };

/** How a job ended, and all it said. */
export interface Ran {
  readonly exit: JobExit;
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly JobEvent[];
}

/** A real runner in a process of its own, on loopback. */
export class TestRunner {
  readonly state: string;
  readonly child: ChildProcess;
  readonly url: string;
  readonly capabilities: Capabilities;
  #jobs = 0;

  private constructor(state: string, child: ChildProcess, said: { listening: string; capabilities: Capabilities }) {
    this.state = state;
    this.child = child;
    this.url = said.listening;
    this.capabilities = said.capabilities;
  }

  static start(state = mkdtempSync(join(tmpdir(), "tollgate-runner-")), more: Record<string, string> = {}): Promise<TestRunner> {
    return TestRunner.startAs([process.execPath, "runner/main.ts"], state, more);
  }

  /** One that another command starts, such as a container's. */
  static async startAs(command: readonly string[], state: string, more: Record<string, string> = {}): Promise<TestRunner> {
    const own = { RUNNER_SECRET: SECRET, RUNNER_PORT: "0", RUNNER_STATE: state, CANARY: "canary-of-the-launcher" };
    const [file = "", ...args] = command;
    const child = spawn(file, args, { env: { ...process.env, ...own, ...more }, stdio: ["ignore", "pipe", "inherit"] });
    const line = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (text.includes("\n")) resolve(text);
      });
      child.once("exit", (code) => reject(new Error(`the runner ended with ${code}`)));
    });
    return new TestRunner(state, child, JSON.parse(line) as { listening: string; capabilities: Capabilities });
  }

  /** Ends it as an operator does. */
  async stop(): Promise<void> {
    await ended(this.child, "SIGTERM");
    rmSync(this.state, { recursive: true, force: true });
  }

  /** Ends it as a failing machine does. */
  async kill(): Promise<void> {
    await ended(this.child, "SIGKILL");
  }

  id(): string {
    return `t${process.pid}-${++this.#jobs}`;
  }

  /** Any call, with the claim that it needs unless another is given. */
  async call(
    method: string,
    path: string,
    { op, body, claim }: { op: Operation; body?: string | Buffer; claim?: string },
  ): Promise<Response> {
    const job = path.split("/")[1] ?? "";
    const bytes = body === undefined ? null : Buffer.from(body);
    const spec = op === "create" && bytes ? { spec: await digestOf(bytes) } : {};
    const authorization = `Bearer ${claim ?? (await signClaim(SECRET, { job, op, ...spec }))}`;
    return fetch(`${this.url}/v1/jobs${path}`, { method, headers: { authorization }, ...(bytes ? { body: bytes } : {}) });
  }

  async create(id: string, asked: Asked): Promise<Response> {
    const spec = { ...QUIET, ...asked, limits: { ...QUIET.limits, ...asked.limits } };
    return this.call("PUT", `/${id}`, { op: "create", body: JSON.stringify(spec) });
  }

  /** A job's events after one of them, until its exit. */
  async *events(id: string, after = 0): AsyncGenerator<JobEvent> {
    const answer = await this.call("GET", `/${id}/events?after=${after}`, { op: "events" });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    let text = "";
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) yield jobEvent.parse(JSON.parse(line));
    }
  }

  async outcome(id: string): Promise<Ran> {
    const events = await Array.fromAsync(this.events(id));
    const said = (type: "stdout" | "stderr") => events.flatMap((each) => (each.type === type ? [each.data.text] : [])).join("");
    const last = events.at(-1);
    if (last?.type !== "exit") throw new Error(`job ${id} did not say its exit`);
    return { exit: last.data, stdout: said("stdout"), stderr: said("stderr"), events };
  }

  /** Runs a job to its end; its data is removed. */
  async run(asked: Asked): Promise<Ran> {
    const id = this.id();
    const made = await this.create(id, asked);
    if (made.status !== 201) throw new Error(`${made.status} ${await made.text()}`);
    const ran = await this.outcome(id);
    await this.call("DELETE", `/${id}/data`, { op: "delete" });
    return ran;
  }

  sh(script: string, asked: Asked = {}): Promise<Ran> {
    return this.run({ ...asked, argv: ["/bin/bash", "-c", script] });
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}
