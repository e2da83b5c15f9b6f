import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { HOME_INSIDE, WORKSPACE_INSIDE } from "../protocol.ts";
import { seccompFilter } from "./seccomp.ts";
import { isRoot, type Volume } from "./volume.ts";
import type { Walls } from "./walls.ts";

/** Where the job sees the way to the gateway. */
export const GATEWAY_SOCKET = "/run/gw.sock";

/** What runs inside, and what of the outside it sees. */
export interface Inside {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly workspace: "none" | "readonly" | "readwrite";
  /** Files of ours that the job may read, by where it sees them. */
  readonly given: Readonly<Record<string, string>>;
}

const LAUNCHER: Record<string, string> = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const OPEN_FILES_MAX = 4096;
const FILTER_FD = 3;
/** The inside sees itself as this user, whoever it is on the machine. */
const INSIDE_ID = "1000";
/** What of /etc a program needs to find names, certificates and its libraries; nothing that says whose machine it is. */
const ETC = ["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl", "/etc/ca-certificates"];
const ACCOUNTS = { passwd: "agent:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n", group: "agent:x:1000:\n" };

/**
 * Starts a command in a sandbox of its own: no network, nothing writable but its volume, no privileges and none to be had. The launcher's
 * environment is empty, since the sandbox's first process shows whatever it was started with.
 */
export function start(inside: Inside, walls: Walls): ChildProcess {
  const filter = walls.seccomp === false ? null : seccompFilter();
  const command = [...dropped(walls), "bwrap", ...bubblewrap(inside, walls, filter !== null), "--", ...inside.argv];
  const doors = walls.cgroup?.doors ?? [];
  const entering = [doors.length, ...doors, openFiles(), Math.ceil(walls.limits.diskBytes / BLOCK_BYTES)].map(String);
  const options: SpawnOptions = {
    env: LAUNCHER as NodeJS.ProcessEnv,
    cwd: "/",
    stdio: ["pipe", "pipe", "pipe", filter ? "pipe" : "ignore", "pipe", "pipe"],
    detached: true,
  };
  const child = spawn("/bin/sh", ["-c", ENTER, "launch", ...entering, ...command], options);
  const handed = [filter, ACCOUNTS.passwd, ACCOUNTS.group];
  for (const [nth, bytes] of handed.entries()) if (bytes) hand(child.stdio[FILTER_FD + nth] as Writable, bytes);
  return child;
}

/** A launcher that ends before it has read what it is handed says why by its exit; the broken pipe says nothing more. */
function hand(pipe: Writable, bytes: string | Uint8Array): void {
  pipe.on("error", () => undefined).end(bytes);
}

/**
 * Steps into the job's cgroups first: what is started later belongs to them, whatever it does. Then it limits itself, which a shell can
 * without another program: no core dumps, `$1` open files, files of `$2` blocks.
 */
const ENTER = [
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; n=$((n-1)); done',
  'ulimit -c 0 && ulimit -n "$1" && ulimit -f "$2" || exit 125; shift 2; exec "$@"',
].join("; ");
/** What a shell counts the size of a file in. */
const BLOCK_BYTES = 512;

/** Gives up who we are, for good, before the sandbox is made: root that merely looks like another inside would still be root. */
function dropped({ owner, limits, cgroup }: Walls): string[] {
  // Per user, so only where each job has one; a cgroup counts better where there is one.
  const counted = isRoot() && !cgroup ? ["prlimit", `--nproc=${limits.processes}`] : [];
  const drop = isRoot() ? [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"] : [];
  return [...counted, "setpriv", ...drop, "--no-new-privs"];
}

/** No more than the runner may have itself: a container's limit cannot be raised from within. */
function openFiles(): number {
  const [, hard = "unlimited"] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return hard === "unlimited" ? OPEN_FILES_MAX : Math.min(OPEN_FILES_MAX, Number(hard));
}

function bubblewrap(inside: Inside, { volume }: Walls, filtered: boolean): string[] {
  const options = [
    ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL"],
    ["--uid", INSIDE_ID, "--gid", INSIDE_ID, "--hostname", "sandbox"],
    filtered ? ["--seccomp", String(FILTER_FD)] : [],
    ["--ro-bind", "/usr", "/usr"],
    ["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
    ETC.flatMap((path) => ["--ro-bind-try", path, path]),
    ["--ro-bind-data", String(FILTER_FD + 1), "/etc/passwd", "--ro-bind-data", String(FILTER_FD + 2), "/etc/group"],
    ["--proc", "/proc", "--dev", "/dev", "--dir", "/run", "--bind", volume.shm, "/dev/shm", "--remount-ro", "/dev"],
    workspaceOf(inside, volume),
    ["--bind", volume.tmp, HOME_INSIDE],
    Object.entries(inside.given).flatMap(([path, source]) => ["--ro-bind", source, path]),
    ["--remount-ro", "/", "--chdir", inside.workingDirectory === "." ? WORKSPACE_INSIDE : `${WORKSPACE_INSIDE}/${inside.workingDirectory}`],
    ["--clearenv"],
    Object.entries(environmentOf(inside)).flatMap(([name, value]) => ["--setenv", name, value]),
  ];
  return options.flat();
}

function workspaceOf({ workspace }: Inside, volume: Volume): string[] {
  if (workspace === "none") return ["--tmpfs", WORKSPACE_INSIDE, "--remount-ro", WORKSPACE_INSIDE];
  return [workspace === "readonly" ? "--ro-bind" : "--bind", volume.workspace, WORKSPACE_INSIDE];
}

function environmentOf({ env }: Inside): Record<string, string> {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: HOME_INSIDE,
    TMPDIR: HOME_INSIDE,
    LANG: "C.UTF-8",
    TERM: "dumb",
    USER: "agent",
    ...env,
  };
}
