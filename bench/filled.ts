import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { prepare } from "../scripts/prepare.ts";
import { boot, build } from "../scripts/runtime.ts";
import { processorMs } from "../test/support/processor.ts";

const ROUNDS = 5;
const ASKED = 100;
const ADMIN = "admin-key-of-the-bench-000000000000";
const secrets = { TOLLGATE_ADMIN_KEY: ADMIN, TOLLGATE_PEPPER: "p".repeat(40), TOLLGATE_ENCRYPTION_KEY: "e".repeat(40) };

/** The same numbers on every run (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What is measured over a database that has been filled. */
interface Bench<Filled> {
  /** The script's own name in bench/, and that of its figures. */
  readonly name: string;
  readonly fill: (database: DatabaseSync) => Filled;
  /** Paths below the admin plane, with other values each time. */
  readonly questions: Readonly<Record<string, () => string>>;
}

/**
 * Fills the database of a gateway that is not there yet, through its own schema, triggers included; then asks over HTTP, as the console
 * does, and writes the figures.
 */
export async function benchFilled<Filled extends object>({ name, fill, questions }: Bench<Filled>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), `tollgate-${name}-`));
  try {
    build(join(folder, "dist"));
    const bundle = join(folder, "dist/index.js");
    const variables = { TOLLGATE_ENV: "development", ...secrets };
    await prepare(folder, bundle, variables, secrets);
    const filled = fillIn(folder, fill);
    const port = await freePort();
    const runtime = await boot(folder, bundle, variables, port);
    const results = await asked(port, questions);
    await runtime.dispose();
    console.table(results);
    const machine = { cpus: cpus().length, node: process.version, rounds: ROUNDS, asked: ASKED };
    writeFileSync(`bench/${name}.json`, `${JSON.stringify({ command: `node bench/${name}.ts`, machine, filled, results }, null, 2)}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fills the file that the runtime left behind; answers what was filled, and how big it became. */
function fillIn<Filled extends object>(folder: string, fill: (database: DatabaseSync) => Filled): Filled & { readonly megabytes: number } {
  const place = join(folder, "v3/d1");
  const files = readdirSync(place, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sqlite"));
  const file = files.map((name) => join(place, name)).find(holdsRecords);
  if (!file) throw new Error("the runtime left no database behind");
  const database = new DatabaseSync(file);
  database.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000");
  const filled = fill(database);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return { ...filled, megabytes: Math.round(statSync(file).size / 1_000_000) };
}

function holdsRecords(file: string): boolean {
  const database = new DatabaseSync(file);
  const found = database.prepare("SELECT name FROM sqlite_master WHERE name = 'cost_records'").get();
  database.close();
  return found !== undefined;
}

/** Asks everything in rounds; the first warms up, and is not counted. */
async function asked(port: number, questions: Bench<object>["questions"]) {
  const rounds = new Map<string, Round[]>(Object.keys(questions).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, path] of Object.entries(questions)) {
      const before = runtimeMs();
      const ms: number[] = [];
      for (let call = 0; call < ASKED; call++) ms.push(await askedOnce(port, path()));
      if (round > 0) rounds.get(name)?.push({ ms: ms.toSorted((a, b) => a - b), processorMs: (runtimeMs() - before) / ASKED });
    }
  }
  return Object.fromEntries(
    [...rounds].map(([name, found]) => {
      const ms = found.map((each) => each.ms);
      return [name, { p50_ms: middle(ms, 0.5), p99_ms: middle(ms, 0.99), processor_ms: middle([sorted(found)], 0.5) }];
    }),
  );
}

/** What a round of one question took: on the clock, sorted, and of the runtime's processor time, for each call. */
interface Round {
  readonly ms: readonly number[];
  readonly processorMs: number;
}

const sorted = (rounds: readonly Round[]) => rounds.map((round) => round.processorMs).toSorted((a, b) => a - b);

/** Processor time of the processes that this one started; it tells what was done, whatever else the machine was busy with. */
function runtimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (processorMs(process.pid) ?? Number.NaN) - (user + system) / 1_000;
}

async function askedOnce(port: number, path: string): Promise<number> {
  const start = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/admin/v1${path}`, { headers: { authorization: `Bearer ${ADMIN}` } });
  const text = await answer.text();
  const spent = performance.now() - start;
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`);
  return spent;
}

/** The median over the rounds of a quantile of each, so that one round in which the machine was busy elsewhere does not decide. */
function middle(rounds: readonly (readonly number[])[], part: number): number {
  const found = rounds.map((sorted) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!);
  return Number(found.toSorted((a, b) => a - b)[Math.floor(found.length / 2)]!.toFixed(1));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === "object" ? address.port : 0));
    });
  });
}
