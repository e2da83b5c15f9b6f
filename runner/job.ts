import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import { join } from "node:path";
import { Egress, type Reach } from "./egress.ts";
import { EventLog } from "./event-log.ts";
import { openGatewaySocket } from "./gateway-socket.ts";
import { hostRuleOf } from "./host-rule.ts";
import { Incidents } from "./incidents.ts";
import { BRIDGE, type Machine } from "./machine.ts";
import { changesBetween, LIST, manifestOf, readManifest } from "./manifest.ts";
import { type ExitReason, type FileChange, GATEWAY_INSIDE, type JobSpec } from "./protocol.ts";
import type { Cgroup, Used } from "./sandbox/cgroup.ts";
import { GATEWAY_SOCKET, type Inside, start } from "./sandbox/sandbox.ts";
import { fill, makeVolume, type Owner, type Volume } from "./sandbox/volume.ts";

const BRIDGE_PORT = new URL(GATEWAY_INSIDE).port;
const COLLECT_MS = 60_000;
const UNLISTED = "what became of the workspace could not be listed";
const COLLECT_MEMORY_BYTES = 256 * 2 ** 20;

/** What a job is made of. */
interface Asked {
  readonly id: string;
  /** The digest of the body that it was made of. */
  readonly digest: string;
  readonly spec: JobSpec;
}

/** One command in one sandbox, from its making to the last trace of it. */
export class Job {
  readonly id: string;
  readonly digest: string;
  readonly events = new EventLog();
  readonly incidents = new Incidents(this.events);
  readonly #spec: JobSpec;
  readonly #machine: Machine;
  readonly #reach: Reach;
  readonly #owner: Owner;
  #volume: Volume | null = null;
  #child: ChildProcess | null = null;
  #outputLeft: number;
  #droppedBytes = 0;
  /** What ended it, where something of ours did. */
  #ended: ExitReason | null = null;
  #over: Promise<void>;

  constructor({ id, digest, spec }: Asked, machine: Machine, reach: Reach) {
    this.id = id;
    this.digest = digest;
    this.#spec = spec;
    this.#machine = machine;
    this.#reach = reach;
    this.#owner = machine.owners.take();
    this.#outputLeft = spec.limits.outputBytes;
    this.#over = this.#run();
  }

  /** Gives the command something to read; nothing more to come where `bytes` is empty. */
  write(bytes: Buffer): boolean {
    const stdin = this.#child?.stdin;
    if (!stdin?.writable) return false;
    if (bytes.length === 0) stdin.end();
    else stdin.write(bytes);
    return true;
  }

  /** Ends it, wherever it is. */
  cancel(): void {
    this.#end("cancelled");
  }

  /** Packs the workspace inside a sandbox; null before the end, and where there is nothing to pack. */
  async pack(): Promise<ChildProcess | null> {
    if (!this.events.ended || !this.#volume || this.#spec.filesystem === "none") return null;
    return this.#beside([
      "tar",
      "--create",
      "--file=-",
      "--one-file-system",
      "--sort=name",
      "--numeric-owner",
      "--ignore-failed-read",
      ".",
    ]);
  }

  /** Ends it and removes all that is left of it. */
  async remove(): Promise<void> {
    this.cancel();
    await this.#over;
    await this.#volume?.remove();
    this.#volume = null;
    this.#machine.owners.give(this.#owner);
  }

  /** When its exit has been said. */
  get over(): Promise<void> {
    return this.#over;
  }

  async #run(): Promise<void> {
    const { limits, files, home } = this.#spec;
    this.events.add({ type: "status", data: { status: "starting" } });
    let cgroup: Cgroup | null = null;
    let socket: Server | null = null;
    let status: Status = { code: null, signal: null, message: null };
    try {
      cgroup = await this.#machine.cgroups.make(this.id, limits);
      this.#volume = await makeVolume(join(this.#machine.jobs, this.id), this.#owner, this.#machine.mounts ? limits : null);
      await fill(this.#volume.workspace, files, this.#owner);
      await fill(this.#volume.tmp, home, this.#owner);
      if (this.#spec.gateway) socket = await openGatewaySocket(join(this.#volume.run, "gw.sock"), this.#spec.gateway, this.#egress());
      if (!this.#ended) status = await this.#command(this.#volume, cgroup);
    } catch (error) {
      this.#ended ??= "lost";
      status = { ...status, message: error instanceof Error ? error.message : "threw what cannot be told" };
    }
    socket?.closeAllConnections();
    socket?.close();
    await this.#finish(status, cgroup);
  }

  async #command(volume: Volume, cgroup: Cgroup | null): Promise<Status> {
    const { limits } = this.#spec;
    const child = start(this.#inside(volume), { volume, owner: this.#owner, cgroup, limits });
    this.#child = child;
    child.stdin!.on("error", () => undefined);
    this.#listen(child, "stdout");
    this.#listen(child, "stderr");
    this.events.add({ type: "status", data: { status: "running" } });
    const late = setTimeout(() => this.#end("timeout"), limits.wallMs);
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    clearTimeout(late);
    // Daemons may hold the pipes open: they die before the last of the output is waited for.
    await cgroup?.kill();
    if (child.stdout!.readable || child.stderr!.readable) await Promise.race([once(child, "close"), timeUp()]);
    return { code, signal, message: null };
  }

  #egress(): Egress {
    const rules = this.#spec.hosts.map(hostRuleOf).filter((rule) => rule !== null);
    return new Egress(rules, this.#reach, (denial) => this.incidents.tell(denial));
  }

  #inside({ run }: Volume): Inside {
    const { argv, env, workingDirectory, filesystem, gateway, agent } = this.#spec;
    const common = { env, workingDirectory, workspace: filesystem };
    const agents = this.#machine.agents.given(agent);
    if (!gateway) return { ...common, argv, given: agents };
    const { bridge } = this.#machine;
    const ours = (Object.keys(BRIDGE) as (keyof typeof BRIDGE)[]).map((name) => [BRIDGE[name], bridge[name]]);
    const given = { ...agents, ...Object.fromEntries(ours), [GATEWAY_SOCKET]: join(run, "gw.sock") };
    return { ...common, argv: [BRIDGE.node, BRIDGE.script, BRIDGE_PORT, GATEWAY_SOCKET, ...argv], given };
  }

  #listen(child: ChildProcess, name: "stdout" | "stderr"): void {
    const decoder = new TextDecoder();
    child[name]!.on("data", (bytes: Buffer) => {
      const kept = bytes.subarray(0, this.#outputLeft);
      this.#outputLeft -= kept.length;
      this.#droppedBytes += bytes.length - kept.length;
      const text = decoder.decode(kept, { stream: true });
      if (text !== "") this.events.add({ type: name, data: { text } });
    });
  }

  #end(reason: ExitReason): void {
    if (this.events.ended) return;
    this.#ended ??= reason;
    // The sandbox's first process takes all others along, and the cgroup those that have left it.
    if (this.#child?.pid !== undefined && this.#child.exitCode === null) this.#child.kill("SIGKILL");
  }

  async #finish(status: Status, cgroup: Cgroup | null): Promise<void> {
    const used = (await cgroup?.used()) ?? null;
    const files = await this.#changes().catch(() => null);
    const cleaned = await emptied(cgroup);
    this.events.add({
      type: "exit",
      data: {
        reason: this.#reason(status, used),
        code: status.code,
        signal: status.signal,
        cpuMs: used?.cpuMs ?? null,
        memoryPeakBytes: used?.memoryPeakBytes ?? null,
        droppedBytes: this.#droppedBytes,
        files: files ?? [],
        cleaned,
        message: [status.message, files ? null : UNLISTED].filter(Boolean).join("; ") || null,
      },
    });
  }

  /** By what the kernel counted, since a command may exit as it likes. */
  #reason({ code }: Status, used: Used | null): ExitReason {
    if (this.#ended) return this.#ended;
    if (used?.outOfMemory && code !== 0) return "oom";
    return code === 0 ? "ok" : "error";
  }

  async #changes(): Promise<FileChange[]> {
    if (!this.#volume || this.#spec.filesystem !== "readwrite") return [];
    const lister = await this.#beside(LIST);
    const parts: Buffer[] = [];
    for await (const part of lister.stdout!) parts.push(part as Buffer);
    return changesBetween(manifestOf(this.#spec.files), readManifest(Buffer.concat(parts)));
  }

  /** Runs a command of ours on what the job has left, in a sandbox that may only read it, and cleans up behind itself. */
  async #beside(argv: readonly string[]): Promise<ChildProcess> {
    const limits = { ...this.#spec.limits, memoryBytes: COLLECT_MEMORY_BYTES, cpuCores: 1, processes: 64 };
    const cgroup = await this.#machine.cgroups.make(`${this.id}-beside-${++this.#besides}`, limits);
    const inside = { argv, env: {}, workingDirectory: ".", workspace: "readonly", given: {} } as const;
    const child = start(inside, { volume: this.#volume!, owner: this.#owner, cgroup, limits });
    child.stdin!.end();
    child.stderr!.resume();
    const late = setTimeout(() => child.kill("SIGKILL"), COLLECT_MS);
    child.once("exit", () => {
      clearTimeout(late);
      void emptied(cgroup);
    });
    return child;
  }

  #besides = 0;
}

/** How a command ended; `message` where it never began. */
interface Status {
  readonly code: number | null;
  readonly signal: string | null;
  readonly message: string | null;
}

const CLOSE_MS = 2_000;

function timeUp(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
}

/** Whether nothing of a cgroup is left. */
async function emptied(cgroup: Cgroup | null): Promise<boolean> {
  try {
    await cgroup?.kill();
    await cgroup?.remove();
    return true;
  } catch {
    return false;
  }
}
