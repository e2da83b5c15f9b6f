import { randomBytes } from "node:crypto";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** What a development gateway runs with beside what it is given. */
export interface Secrets {
  /** Absent in production unless given: the admin plane is then closed to it. */
  readonly TOLLGATE_ADMIN_KEY?: string;
  /** Only in development. */
  readonly TOLLGATE_DEV_KEY?: string;
  readonly TOLLGATE_PEPPER: string;
  readonly TOLLGATE_ENCRYPTION_KEY: string;
}

const DEV_VARS = ".dev.vars";
const PASSED = /^(TOLLGATE_|OPENAI_|ANTHROPIC_|OLLAMA_|RUNNER_URL$|RUNNER_SECRET$|RUNNER_AGENTS$|RUNNER_EGRESS)/;

/** Where a development gateway keeps everything that survives a restart. */
export function stateFolder(): string {
  const folder = resolve(process.env["TOLLGATE_STATE"] ?? ".tollgate");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Reads `NAME=value` lines, quotes allowed; a file that is not there is empty. */
function readVariables(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, "utf8").split("\n");
  const pairs = lines.map((line) => /^\s*([A-Z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line)).filter((match) => match !== null);
  return Object.fromEntries(pairs.map((match) => [match[1]!, match[2]!.replace(/^(["'])(.*)\1$/, "$2")]));
}

/** The deployment's variables that this process was given: `.dev.vars`, and the environment over it. */
export function givenVariables(): Record<string, string> {
  const given = Object.entries({ ...readVariables(DEV_VARS), ...process.env });
  return Object.fromEntries(given.filter((pair): pair is [string, string] => PASSED.test(pair[0]) && Boolean(pair[1])));
}

/**
 * The secrets of this state folder. What is neither given nor kept is generated once: the admin key into `.dev.vars`, where a
 * person looks for it, the rest beside the state that they belong to. `first` tells that this is the folder's first start.
 */
export function readSecrets(folder: string, given: Record<string, string>): { readonly secrets: Secrets; readonly first: boolean } {
  const file = join(folder, "secrets.env");
  const kept = readVariables(file);
  const own = {
    TOLLGATE_PEPPER: given["TOLLGATE_PEPPER"] ?? kept["TOLLGATE_PEPPER"] ?? letters(43),
    TOLLGATE_ENCRYPTION_KEY: given["TOLLGATE_ENCRYPTION_KEY"] ?? kept["TOLLGATE_ENCRYPTION_KEY"] ?? letters(43),
    ...(isDevelopment(given)
      ? { TOLLGATE_DEV_KEY: given["TOLLGATE_DEV_KEY"] ?? kept["TOLLGATE_DEV_KEY"] ?? `sk-tg-${letters(12).toLowerCase()}-${letters(43)}` }
      : {}),
  };
  const text = Object.entries({ ...kept, ...own }).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, text.join(""), { mode: 0o600 });
  const adminKey = given["TOLLGATE_ADMIN_KEY"] ?? (isDevelopment(given) ? writeAdminKey() : undefined);
  return {
    secrets: { ...own, ...(adminKey === undefined ? {} : { TOLLGATE_ADMIN_KEY: adminKey }) },
    first: kept["TOLLGATE_PEPPER"] === undefined,
  };
}

/** Development is what a start on a person's machine is, unless it is told otherwise. */
export function isDevelopment(given: Record<string, string>): boolean {
  return (given["TOLLGATE_ENV"] ?? "development") === "development";
}

function writeAdminKey(): string {
  const adminKey = `admin-${letters(43)}`;
  appendFileSync(DEV_VARS, `TOLLGATE_ADMIN_KEY=${adminKey}\n`, { mode: 0o600 });
  chmodSync(DEV_VARS, 0o600);
  return adminKey;
}

/** Random letters and digits: 43 of them carry 256 bits. */
function letters(count: number): string {
  let text = "";
  while (text.length < count)
    text += randomBytes(64)
      .toString("base64")
      .replace(/[^A-Za-z0-9]/g, "");
  return text.slice(0, count);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether a process is one of ours by its command line; true where the system does not tell. */
function runs(pid: number, what: string): boolean {
  if (!existsSync("/proc")) return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(what);
  } catch {
    return false;
  }
}

/** Whether a process holds a file or folder under `folder` open. */
function holds(pid: number, folder: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${folder}/`);
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Ids of workerd processes on this state folder: what `kill -9` of node alone leaves behind, serving and writing. */
function orphans(folder: string): number[] {
  const noted = join(folder, "workerd.pid");
  const known = existsSync(noted) ? readFileSync(noted, "utf8").split("\n").map(Number).filter(Boolean) : [];
  const all = existsSync("/proc") ? readdirSync("/proc").map(Number).filter(Boolean) : [];
  const found = all.filter((pid) => runs(pid, "workerd") && holds(pid, folder));
  return [...new Set([...found, ...known.filter((pid) => alive(pid) && runs(pid, "workerd"))])];
}

/** Makes the lock file in one step, so that of two starts at once only one gets it; a dead holder's lock is taken over. */
function lockFolder(folder: string): string {
  const lock = join(folder, "lock");
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      return lock;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number(readFileSync(lock, "utf8"));
    if (holder && holder !== process.pid && alive(holder) && (runs(holder, "start.ts") || runs(holder, "dev.ts"))) {
      throw new Error(`Another gateway (process ${holder}) is running on ${folder}. Stop it, or set TOLLGATE_STATE to another folder.`);
    }
    rmSync(lock, { force: true });
  }
}

/**
 * Takes the folder for this process, before anything else touches it: two processes on one ledger would each believe they own
 * it. A workerd left behind by a killed start is ended first, and waited for.
 * @throws Error where another gateway is running on the folder.
 */
export async function takeFolder(folder: string): Promise<{ release(): void; noteWorkerd(pids: readonly number[]): void }> {
  const lock = lockFolder(folder);
  for (const pid of orphans(folder)) {
    process.kill(pid, "SIGKILL");
    while (alive(pid) && runs(pid, "workerd")) await wait(20);
  }
  return {
    release: () => rmSync(lock, { force: true }),
    noteWorkerd: (pids) => writeFileSync(join(folder, "workerd.pid"), pids.join("\n")),
  };
}
