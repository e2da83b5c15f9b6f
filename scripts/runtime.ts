import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { readD1Migrations } from "@cloudflare/vitest-plugin";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

// A start talks to nobody, and says what it has to say itself.
process.env["WRANGLER_LOG"] ??= "warn";
process.env["WRANGLER_SEND_METRICS"] ??= "false";

const WRANGLER = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");

/** Bundles the Worker as a deploy would, into `outdir`. */
export function build(outdir: string): void {
  execFileSync(process.execPath, [WRANGLER, "deploy", "--dry-run", "--outdir", outdir], { stdio: ["ignore", "ignore", "inherit"] });
}

/** The first start's database work: migrations in the form wrangler keeps, so that its own commands agree. */
export async function migrate(database: D1Database, folder: string): Promise<void> {
  await database.exec(
    "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
  );
  const done = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(done.results.map((row) => row.name));
  for (const migration of await readD1Migrations(folder)) {
    if (applied.has(migration.name)) continue;
    const note = database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(migration.name);
    await database.batch([...migration.queries.map((query) => database.prepare(query)), note]);
  }
}

/**
 * The network as Miniflare gives it to a Worker, without the Worker of its own that it puts before `fetch`: that one is there for image
 * resizing and a header, and takes as long as all else of a plain call.
 */
export function network() {
  const extra = process.env["NODE_EXTRA_CA_CERTS"];
  // Of a file that is not there Node itself warns.
  const trusted = extra && existsSync(extra) ? (readFileSync(extra, "utf8").match(CERTIFICATES) ?? []) : [];
  return {
    network: {
      allow: ["public", "private", "240.0.0.0/4"],
      deny: [],
      tlsOptions: { trustBrowserCas: true, trustedCertificates: [...trusted] },
    },
  };
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Options of one workerd that runs the built Worker with every binding of wrangler.toml, its state under `state`. */
function options(state: string, bundle: string, bindings: Record<string, string>, port: number | null) {
  const { workerOptions } = unstable_getMiniflareWorkerOptions("wrangler.toml");
  return convertV4MiniflareOptions({
    resourcePersistencePath: join(state, "v3"),
    workers: [
      {
        ...workerOptions,
        name: "tollgate",
        modules: modulesOf(bundle),
        serviceBindings: { ...(workerOptions.serviceBindings as Record<string, never> | undefined), OUTBOUND: network() },
        bindings: { ...(workerOptions.bindings as Record<string, string> | undefined), ...bindings },
        ...(port === null ? {} : { unsafeDirectSockets: [{ host: "127.0.0.1", port, entrypoint: "Front" }] }),
      },
    ],
  });
}

/** The bundle, and the compiled modules that lie beside it, as a deploy uploads them. */
export function modulesOf(bundle: string) {
  const folder = dirname(bundle);
  const compiled = readdirSync(folder).filter((file) => file.endsWith(".wasm"));
  return [
    { type: "ESModule" as const, path: basename(bundle), contents: readFileSync(bundle, "utf8") },
    ...compiled.map((file) => ({ type: "CompiledWasm" as const, path: file, contents: readFileSync(join(folder, file)) })),
  ];
}

/** Boots the runtime. Without a port nothing listens: that is how the database is prepared before anybody can ask. */
export async function boot(state: string, bundle: string, bindings: Record<string, string>, port: number | null): Promise<Miniflare> {
  const runtime = new Miniflare(options(state, bundle, bindings, port));
  await runtime.ready;
  return runtime;
}

const MINUTE_MS = 60_000;

/** Rings the crons of wrangler.toml, as the platform does in production: on a machine nobody else would. */
export async function keepTime(runtime: Miniflare): Promise<void> {
  const worker = await runtime.getWorker();
  let minutes = 0;
  const ring = (cron: string) => worker.scheduled({ cron }).catch(() => undefined);
  const tick = () => {
    void ring("* * * * *");
    if (++minutes % 10 === 0) void ring("*/10 * * * *");
  };
  setInterval(tick, MINUTE_MS).unref();
}

const PORT_WAIT_MS = 3_000;
const PORT_RETRY_MS = 100;

/** Resolves once nothing listens on a port of loopback: a process that was just ended lets go of its own a little later. @throws Error that names the port. */
export async function freePort(port: number): Promise<void> {
  const until = Date.now() + PORT_WAIT_MS;
  while (!(await isFree(port))) {
    if (Date.now() > until) throw new Error(`Port ${port} is in use. Set PORT to another one.`);
    await wait(PORT_RETRY_MS);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Process ids of this process's workerd children. */
export function workerdChildren(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && isWorkerdChild(pid));
}

function isWorkerdChild(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, , parent] = /\((.*)\) \S (\d+)/.exec(status) ?? [];
    return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("workerd");
  } catch {
    return false;
  }
}
