import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { Egress, type Reach } from "./egress.ts";
import { EventLog } from "./event-log.ts";
import { openGatewaySocket } from "./gateway-socket.ts";
import { hostRuleOf } from "./host-rule.ts";
import { Incidents } from "./incidents.ts";
import { BRIDGE, type Machine } from "./machine.ts";
import { changesBetween, LIST, manifestOf, readManifest } from "./manifest.ts";
import { Output } from "./output.ts";
import { type ExitReason, type FileChange, GATEWAY_INSIDE, type JobSpec } from "./protocol.ts";
import { reasonOf, report } from "./report.ts";
import type { Cgroup, Used } from "./sandbox/cgroup.ts";
import { GATEWAY_SOCKET, type Inside, start } from "./sandbox/sandbox.ts";
import { fill, type Owner, type Volume } from "./sandbox/volume.ts";
import { raise, type Walls } from "./sandbox/walls.ts";

const BRIDGE_PORT = new URL(GATEWAY_INSIDE).port;
const COLLECT_MS = 60_000;
const COLLECT_MEMORY_BYTES = 256 * 2 ** 20;
const PACK = ["tar", "--create", "--file=-", "--one-file-system", "--sort=name", "--numeric-owner", "--ignore-failed-read", "."];

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
  #walls: Walls | null = null;
  #child: ChildProcess | null = null;
  readonly #output: Output;
  /** What ended it, where something of ours did. */
  #ended: ExitReason | null = null;
  /** What of it could not be done or found out. */
  readonly #faults: string[] = [];
  #cleaned = true;
  #besides = 0;
  #over: Promise<void>;

  constructor({ id, digest, spec }: Asked, machine: Machine, reach: Reach) {
    this.id = id;
    this.digest = digest;
    this.#spec = spec;
    this.#machine = machine;
    this.#reach = reach;
    this.#owner = machine.owners.take();
    this.#output = new Output(this.events, spec.limits.outputBytes);
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
    if (!this.events.ended || !this.#walls || this.#spec.filesystem === "none") return null;
    const { child } = await this.#beside(this.#walls, PACK);
    return child;
  }

  /** Ends it and removes all that is left of it. */
  async remove(): Promise<void> {
    this.cancel();
    await this.#over;
    await this.#walls?.volume.remove();
    this.#walls = null;
    this.#machine.owners.give(this.#owner);
  }

  /** When its exit has been said. */
  get over(): Promise<void> {
    return this.#over;
  }

  async #run(): Promise<void> {
    const { limits, files, home, gateway } = this.#spec;
    const owner = this.#owner;
    this.events.add({ type: "status", data: { status: "starting" } });
    const egress = this.#egress();
    let socket: Server | null = null;
    let exit: Exit = { code: null, signal: null };
    try {
      const walls = await raise(this.#machine, { id: this.id, owner, limits });
      this.#walls = walls;
      await fill(walls.volume.workspace, files, owner);
      await fill(walls.volume.tmp, home, owner);
      if (gateway) socket = await openGatewaySocket(join(walls.volume.run, "gw.sock"), gateway, egress);
      if (!this.#ended) exit = await this.#command(walls);
    } catch (error) {
      this.#ended ??= "lost";
      this.#tell("lost", error);
    }
    egress.close();
    socket?.closeAllConnections();
    socket?.close();
    await this.#finish(exit);
  }

  async #command(walls: Walls): Promise<Exit> {
    const child = start(this.#inside(walls.volume), walls);
    this.#child = child;
    child.stdin!.on("error", () => undefined);
    this.#output.listen("stdout", child.stdout!);
    this.#output.listen("stderr", child.stderr!);
    this.events.add({ type: "status", data: { status: "running" } });
    const late = setTimeout(() => this.#end("timeout"), walls.limits.wallMs);
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    clearTimeout(late);
    // Daemons may hold the pipes open: they die before the last of the output is waited for.
    await walls.cgroup?.kill();
    if (child.stdout!.readable || child.stderr!.readable) await Promise.race([once(child, "close"), timeUp()]);
    return { code, signal };
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

  #end(reason: ExitReason): void {
    if (this.events.ended) return;
    this.#ended ??= reason;
    // The sandbox's first process takes all others along, and the cgroup those that have left it.
    if (this.#child?.pid !== undefined && this.#child.exitCode === null) this.#child.kill("SIGKILL");
  }

  async #finish(exit: Exit): Promise<void> {
    const cgroup = this.#walls?.cgroup ?? null;
    const used = await this.#found("what it used", () => cgroup?.used());
    const [files] = await Promise.all([this.#found("what became of the workspace", () => this.#changes()), this.#empty(cgroup)]);
    this.#output.flush();
    this.events.add({
      type: "exit",
      data: {
        ...exit,
        reason: this.#reason(exit, used),
        cpuMs: used?.cpuMs ?? null,
        memoryPeakBytes: used?.memoryPeakBytes ?? null,
        droppedBytes: this.#output.droppedBytes,
        files: files ?? [],
        cleaned: this.#cleaned,
        message: this.#faults.join("; ") || null,
      },
    });
  }

  /** By what the kernel counted, since a command may exit as it likes. */
  #reason({ code }: Exit, used: Used | null): ExitReason {
    if (this.#ended) return this.#ended;
    if (used?.outOfMemory && code !== 0) return "oom";
    return code === 0 ? "ok" : "error";
  }

  async #changes(): Promise<FileChange[]> {
    if (!this.#walls || this.#spec.filesystem !== "readwrite") return [];
    const { child, over } = await this.#beside(this.#walls, LIST);
    const listed = await buffer(child.stdout!);
    await over;
    return changesBetween(manifestOf(this.#spec.files), readManifest(listed));
  }

  /** Runs a command of ours on what the job has left, in a sandbox that may only read it, and cleans up behind itself. */
  async #beside(walls: Walls, argv: readonly string[]): Promise<{ readonly child: ChildProcess; readonly over: Promise<void> }> {
    const limits = { ...walls.limits, memoryBytes: COLLECT_MEMORY_BYTES, cpuCores: 1, processes: 64 };
    const cgroup = await this.#machine.cgroups.make(`${this.id}-beside-${++this.#besides}`, limits);
    const inside = { argv, env: {}, workingDirectory: ".", workspace: "readonly", given: {} } as const;
    const child = start(inside, { ...walls, cgroup, limits });
    child.stdin!.end();
    child.stderr!.resume();
    const late = setTimeout(() => child.kill("SIGKILL"), COLLECT_MS);
    const over = once(child, "exit")
      .catch((error: unknown) => this.#tell("what was run beside it", error))
      .then(() => {
        clearTimeout(late);
        return this.#empty(cgroup);
      });
    return { child, over };
  }

  /** Leaves nothing of a cgroup. */
  async #empty(cgroup: Cgroup | null): Promise<void> {
    try {
      await cgroup?.kill();
      await cgroup?.remove();
    } catch (error) {
      this.#cleaned = false;
      this.#tell("what it left", error);
    }
  }

  /** What is found out at the end; what cannot be is told instead, and keeps no job from its exit. */
  async #found<T>(what: string, find: () => Promise<T> | undefined): Promise<T | null> {
    try {
      return (await find()) ?? null;
    } catch (error) {
      this.#tell(what, error);
      return null;
    }
  }

  /** With the exit; after that, to whoever runs the runner. */
  #tell(what: string, error: unknown): void {
    const fault = `${what}: ${reasonOf(error)}`;
    if (this.events.ended) report(`${this.id}: ${fault}`);
    else this.#faults.push(fault);
  }
}

/** How a command ended; neither where it never began. */
interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

const CLOSE_MS = 2_000;

function timeUp(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
}
