import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Secrets of a development gateway: made at the first start, kept beside the state, readable by its owner only. */
export interface Secrets {
  readonly TOLLGATE_ADMIN_KEY: string;
  readonly TOLLGATE_PEPPER: string;
  readonly TOLLGATE_ENCRYPTION_KEY: string;
}

/** Where a development gateway keeps everything that survives a restart. */
export function stateFolder(): string {
  const folder = resolve(process.env["TOLLGATE_STATE"] ?? ".tollgate");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Reads `NAME=value` lines, quotes allowed; a file that is not there is empty. */
export function readVariables(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, "utf8").split("\n");
  const pairs = lines.map((line) => /^\s*([A-Z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line)).filter((match) => match !== null);
  return Object.fromEntries(pairs.map((match) => [match[1]!, match[2]!.replace(/^(["'])(.*)\1$/, "$2")]));
}

/** The secrets of this state folder; missing ones are generated once. */
export function readSecrets(folder: string): Secrets {
  const file = join(folder, "secrets.env");
  const known = readVariables(file);
  const fresh = (prefix: string) => prefix + randomBytes(32).toString("base64url");
  const secrets: Secrets = {
    TOLLGATE_ADMIN_KEY: known["TOLLGATE_ADMIN_KEY"] ?? fresh("admin-"),
    TOLLGATE_PEPPER: known["TOLLGATE_PEPPER"] ?? fresh(""),
    TOLLGATE_ENCRYPTION_KEY: known["TOLLGATE_ENCRYPTION_KEY"] ?? fresh(""),
  };
  const text = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, text.join(""), { mode: 0o600 });
  return secrets;
}

/** True while a process with this id is there. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ids of workerd processes that serve this state folder: what `kill -9` of node alone leaves behind. */
function orphans(folder: string): number[] {
  const file = join(folder, "workerd.pid");
  if (!existsSync(file)) return [];
  const pids = readFileSync(file, "utf8").split("\n").map(Number).filter(Boolean);
  return pids.filter((pid) => alive(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("workerd"));
}

/**
 * Takes the folder for this process, before anything else touches it: two processes on one ledger would each believe they own
 * it. A workerd left behind by a killed start is ended first.
 * @throws Error where another gateway is running on the folder.
 */
export function takeFolder(folder: string): { release(): void; noteWorkerd(pids: readonly number[]): void } {
  const lock = join(folder, "lock");
  const holder = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;
  if (holder && holder !== process.pid && alive(holder)) {
    throw new Error(`Another gateway (process ${holder}) is running on ${folder}. Stop it, or set TOLLGATE_STATE to another folder.`);
  }
  writeFileSync(lock, String(process.pid));
  for (const pid of orphans(folder)) process.kill(pid, "SIGKILL");
  return {
    release: () => rmSync(lock, { force: true }),
    noteWorkerd: (pids) => writeFileSync(join(folder, "workerd.pid"), pids.join("\n")),
  };
}
