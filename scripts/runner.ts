import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A runner that a gateway on this machine has, and what the Worker is told of it. */
export interface LocalRunner {
  readonly variables: Record<string, string>;
  /** Why there is none; null where there is one. */
  readonly why: string | null;
  /** Tells it to end; for the last moment of a process. */
  stop(): void;
}

/** What stands beside the state of which runner serves it. */
interface Noted {
  readonly pid: number;
  readonly port: number;
}

const MAIN = join(import.meta.dirname, "../runner/main.ts");
/** Before it listens it runs each agent that it is to offer. */
const READY_MS = 60_000;
const LOOK_MS = 500;
const END_MS = 10_000;

/** What of a gateway's settings its own runner is given. */
const PASSED_ON = /^RUNNER_(AGENTS$|EGRESS)/;

/** What is missing where it could simply be installed. */
export const NOT_INSTALLED = "bubblewrap is not installed";

/**
 * Why this machine cannot run tasks; null where it can. Tried rather than guessed: within a container root may be forbidden the
 * namespaces and mounts that a sandbox is made of.
 */
export function unable(): string | null {
  if (process.platform !== "linux") return "a sandbox needs Linux";
  if (process.getuid?.() !== 0) return "a user of its own for each task needs root";
  const walls = spawnSync("bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"], { encoding: "utf8" });
  if (walls.error) return NOT_INSTALLED;
  const disk = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/tmp"], { encoding: "utf8" });
  const refused = [walls, disk].find(({ status }) => status !== 0);
  return refused ? `this machine does not let a sandbox be made: ${refused.stderr.trim().slice(0, 200)}` : null;
}

/**
 * Gives a gateway its runner: the one it was given, the one that a killed start has left, or a new one. It stands beside the gateway's
 * processes and not among them, so that tasks outlive a gateway that is killed; one that nobody takes up again ends by itself.
 */
export async function startRunner(folder: string, given: Record<string, string>, gatewayPort: number): Promise<LocalRunner> {
  if (given["RUNNER_URL"]) return { variables: {}, why: null, stop: () => undefined };
  const why = unable();
  if (why !== null) return { variables: {}, why, stop: () => undefined };
  const secret = secretOf(folder, given);
  const file = join(folder, "runner.json");
  const left = readNoted(file);
  const serves = left !== null && isRunner(left.pid) && (await answers(left.port));
  if (left !== null && !serves) await end(left.pid);
  let launching: Promise<void> | null = null;
  const settings = { RUNNER_SECRET: secret, ...Object.fromEntries(Object.entries(given).filter(([name]) => PASSED_ON.test(name))) };
  let noted = serves ? left : await launch(folder, settings, await freePort());
  // One that dies is started again at the same port: what it ran is lost, what comes is not.
  const watch = setInterval(() => {
    if (launching || isRunner(noted.pid)) return;
    launching = launch(folder, settings, noted.port)
      .then((next) => void (noted = next))
      .catch((error: unknown) => console.error(error instanceof Error ? error.message : error))
      .finally(() => (launching = null));
  }, LOOK_MS);
  watch.unref();
  const stop = () => {
    clearInterval(watch);
    // It ends what it runs and takes its mounts along; the next start waits for that.
    if (isRunner(noted.pid)) process.kill(noted.pid, "SIGTERM");
  };
  const variables = {
    RUNNER_URL: `http://127.0.0.1:${noted.port}`,
    RUNNER_SECRET: secret,
    TOLLGATE_URL: `http://127.0.0.1:${gatewayPort}`,
  };
  return { variables, why: null, stop };
}

function secretOf(folder: string, given: Record<string, string>): string {
  if (given["RUNNER_SECRET"]) return given["RUNNER_SECRET"];
  const file = join(folder, "runner.secret");
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}

function readNoted(file: string): Noted | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Noted) : null;
}

function isRunner(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("runner/main.ts");
  } catch {
    return false;
  }
}

async function answers(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
  return answer?.ok ?? false;
}

async function launch(folder: string, settings: Record<string, string>, port: number): Promise<Noted> {
  const log = openSync(join(folder, "runner.log"), "a", 0o600);
  // Its mounts stand outside of the state, which a person may want to remove while something is left of them.
  const state = `/run/tollgate-runner-${createHash("sha256").update(folder).digest("hex").slice(0, 12)}`;
  const child: ChildProcess = spawn(process.execPath, [MAIN], {
    // It gets nothing of the gateway's environment: no secret of it is its business.
    env: {
      PATH: process.env["PATH"] ?? "",
      ...settings,
      RUNNER_PORT: String(port),
      RUNNER_STATE: state,
      RUNNER_FOR: join(folder, "lock"),
    } as Record<string, string> as NodeJS.ProcessEnv,
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  child.unref();
  const noted = { pid: child.pid!, port };
  writeFileSync(join(folder, "runner.json"), JSON.stringify(noted), { mode: 0o600 });
  for (const until = Date.now() + READY_MS; Date.now() < until && child.exitCode === null; await wait(20))
    if (await answers(port)) return noted;
  throw new Error(`The runner did not start; see ${join(folder, "runner.log")}`);
}

/** Ends one that does not serve, or waits for one that is ending. */
async function end(pid: number): Promise<void> {
  for (const until = Date.now() + END_MS; isRunner(pid) && Date.now() < until;) await wait(20);
  if (isRunner(pid)) process.kill(pid, "SIGKILL");
  while (isRunner(pid)) await wait(20);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
