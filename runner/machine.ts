import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, createServer as createSocket } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Agents, findAgents } from "./agents.ts";
import { Owners } from "./owners.ts";
import { type Capabilities, HOOK_INSIDE, NATIVE_INSIDE, NODE_INSIDE } from "./protocol.ts";
import { reasonOf } from "./report.ts";
import { Cgroups, cgroupKind } from "./sandbox/cgroup.ts";
import { seccompFilter } from "./sandbox/seccomp.ts";
import { isRoot, makeJobsFolder, reapVolumes, unmountable, unmountBelow } from "./sandbox/volume.ts";
import { type Ground, tryOut } from "./trial.ts";

const run = promisify(execFile);

/**
 * Where a job that talks to the gateway finds what lets it: Node, the bridge, what asks before a tool runs, and the native agent with the
 * one package that it uses.
 */
export const BRIDGE = {
  node: NODE_INSIDE,
  script: "/opt/tollgate/bridge.ts",
  hook: HOOK_INSIDE,
  native: NATIVE_INSIDE,
  zod: "/opt/tollgate/node_modules/zod",
} as const;

/** What jobs need of the machine that they run on, found and made ready once. */
export interface Machine extends Ground {
  readonly capabilities: Capabilities;
  /** The host's files for BRIDGE. */
  readonly bridge: Readonly<Record<keyof typeof BRIDGE, string>>;
  readonly agents: Agents;
  /** Gives back what was made ready. */
  release(): Promise<void>;
}

/** Ends what a runner before us has left in the same folder, makes the folder ready, and tries what this machine can enforce. */
export async function prepareMachine(state: string, agentFolder?: string): Promise<Machine> {
  const mark = createHash("sha256").update(state).digest();
  const jobs = await makeJobsFolder(state);
  await takeAlone(join(state, "lock"));
  const family = `tollgate-${mark.toString("hex", 0, 4)}`;
  const left = new Cgroups(await cgroupKind(), family);
  await left.reap();
  await reapVolumes(state, jobs);
  const unlimited = await triedOut(left);
  const cgroups = unlimited === null ? left : new Cgroups("none", family);
  const unmounted = await unmountable(state);
  const mounts = unmounted === null;
  const ground = { jobs, cgroups, mounts, owners: new Owners(mark.readUInt16LE(4)) };
  const bridge = await bridgeFiles(state, mounts);
  const walls = await probe(ground, { unlimited, unmounted });
  const agents = await findAgents(
    walls.sandbox ? agentFolder : undefined,
    ground,
    opener(join(state, "agents"), { mounts, kind: "folder" }),
  );
  const release = async () => {
    await cgroups.reap();
    await unmountBelow(state);
  };
  return { ...ground, bridge, release, agents, capabilities: { ...walls, missing: [...walls.missing, ...agents.missing] } };
}

/** Why no cgroup can limit a job; null where one can. */
async function triedOut(cgroups: Cgroups): Promise<string | null> {
  try {
    const cgroup = await cgroups.make(`trial-${process.pid}`, TRIAL_LIMITS);
    await cgroup?.remove();
    return cgroup ? null : "no cgroup can be made";
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Takes a folder for this process alone, by a socket that ends with it: a second runner in it would reap the first one's jobs.
 * @throws Error where another runner has it.
 */
async function takeAlone(path: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const call = connect(path, () => {
      call.destroy();
      resolve(true);
    }).once("error", () => resolve(false));
  });
  if (alive) throw new Error(`another runner has ${path}; RUNNER_STATE names a folder of one's own`);
  await rm(path, { force: true });
  const lock = createSocket((call) => call.destroy());
  await new Promise<void>((resolve, reject) => lock.once("error", reject).listen(path, resolve));
  lock.unref();
}

/** What BRIDGE names, where any job's user may read it. */
async function bridgeFiles(state: string, mounts: boolean): Promise<Machine["bridge"]> {
  const folder = join(state, "bridge");
  const [file, whole] = [opener(folder, { mounts, kind: "file" }), opener(folder, { mounts, kind: "folder" })];
  return {
    node: await file("node", process.execPath),
    script: await file("bridge.ts", join(import.meta.dirname, "bridge.ts")),
    hook: await file("hook.ts", join(import.meta.dirname, "hook.ts")),
    native: await whole("native", join(import.meta.dirname, "native")),
    zod: await whole("zod", dirname(fileURLToPath(import.meta.resolve("zod/package.json")))),
  };
}

/**
 * Binds what is the host's below a folder of ours: the one that it comes from may be closed to a job's user. Where nothing may be mounted
 * it is taken where it is.
 */
function opener(folder: string, { mounts, kind }: { readonly mounts: boolean; readonly kind: "file" | "folder" }) {
  return async (name: string, from: string): Promise<string> => {
    if (!mounts) return from;
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o711);
    const to = join(folder, name);
    await rm(to, { recursive: true, force: true });
    await (kind === "file" ? writeFile(to, "") : mkdir(to));
    await run("mount", ["--bind", "-o", "ro", from, to]);
    return to;
  };
}

/** What could not be made, in words; null for what could. */
interface Failures {
  readonly unlimited: string | null;
  readonly unmounted: string | null;
}

/** Tries the walls, rather than to believe what the machine says of itself: a sandbox that can see the host's network is none. */
async function probe(ground: Ground, { unlimited, unmounted }: Failures): Promise<Capabilities> {
  const sandboxed = await trial(ground).catch(reasonOf);
  const filtered = seccompFilter() !== null;
  const limited = unlimited === null;
  const missing = [
    ...(sandboxed === null ? [] : [`sandbox: ${sandboxed}`]),
    ...(isRoot() ? [] : ["a user for each job: the runner is not root"]),
    ...(unmounted === null ? [] : [`a limit of disk: ${unmounted}`]),
    ...(filtered ? [] : [`seccomp: there is no filter for ${process.arch}`]),
    ...(limited ? [] : [`limits of memory, processes and CPU: ${unlimited}`]),
  ];
  return {
    sandbox: sandboxed === null,
    uidPerJob: isRoot(),
    seccomp: filtered,
    cgroup: ground.cgroups.kind,
    memory: limited,
    processes: limited || isRoot(),
    cpu: limited,
    disk: unmounted === null,
    missing,
  };
}

const TRIAL_LIMITS = {
  wallMs: 5_000,
  cpuCores: 1,
  memoryBytes: 64 * 2 ** 20,
  processes: 32,
  diskBytes: 2 ** 20,
  files: 64,
  outputBytes: 4_096,
};

/** Runs a command that must not reach a server of ours on the host; null where all is as it should be, else what is not. */
async function trial(ground: Ground): Promise<string | null> {
  const host = createServer().listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => host.once("listening", resolve));
    const address = host.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const script = `(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo leak; touch /usr/leak 2>/dev/null && echo leak; echo held`;
    const { out, err } = await tryOut(ground, { name: "probe", argv: ["/bin/bash", "-c", script], given: {}, limits: TRIAL_LIMITS });
    if (out === "held\n") return null;
    return err.trim().slice(0, 500) || `a trial said ${JSON.stringify(out.slice(0, 100))}`;
  } finally {
    host.close();
  }
}
