import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, inject } from "vitest";

const PROGRAM = resolve("cli/tollgate.ts");

/** What one run of the program left behind. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What a run differs in from that of an operator whose variables are set. An empty variable is as good as none. */
export interface Setting {
  readonly env?: Record<string, string>;
  readonly folder?: string;
  readonly stdin?: string;
}

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder without anything that the program might find in it. It is gone when the tests are. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-cli-"));
  folders.push(folder);
  return folder;
}

const NOWHERE = emptyFolder();

/** Starts the program as a process of its own, as an operator of the tests' gateway. */
export function start(argv: readonly string[], { env = {}, folder = NOWHERE }: Setting = {}) {
  const variables = { TOLLGATE_URL: inject("origin"), TOLLGATE_ADMIN_KEY: inject("adminKey"), TOLLGATE_KEY: "" };
  return spawn(process.execPath, [PROGRAM, ...argv], { env: { ...process.env, ...variables, ...env }, cwd: folder });
}

/** Runs the program to its end. */
export async function tollgate(argv: readonly string[], setting: Setting = {}): Promise<Ran> {
  const child = start(argv, setting);
  let out = "";
  let err = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString("utf8")));
  child.stderr.on("data", (part: Buffer) => (err += part.toString("utf8")));
  child.stdin.end(setting.stdin ?? "");
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out, err };
}

/** Runs it with `--json` and parses each line; throws where it ends badly. */
export async function rows<Row = Record<string, unknown>>(argv: readonly string[], setting: Setting = {}): Promise<Row[]> {
  const { code, out, err } = await tollgate([...argv, "--json"], setting);
  if (code !== 0) throw new Error(`tollgate ${argv.join(" ")} ended with ${code}: ${err}`);
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}
