import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { build, migrate, modulesOf } from "../../scripts/runtime.ts";
import { ADMIN_KEY, freePort, type Running } from "./gateway.ts";

const NAMES = ["first", "second"] as const;
const [OWNER] = NAMES;

/** Two isolates of the built Worker, each behind a socket of its own, on one database, one queue and one namespace each of ledgers, counters and caches. */
export async function startIsolates(state: string): Promise<{ readonly isolates: readonly Running[]; readonly stop: () => Promise<void> }> {
  process.env["WRANGLER_LOG"] ??= "warn";
  const { workerOptions } = unstable_getMiniflareWorkerOptions("wrangler.toml");
  build(join(state, "dist"));
  const modules = modulesOf(join(state, "dist/index.js"));
  const bindings = {
    TOLLGATE_ENV: "development",
    TOLLGATE_ADMIN_KEY: ADMIN_KEY,
    TOLLGATE_PEPPER: "pepper-of-two-isolates-0123456789abcdef",
    TOLLGATE_ENCRYPTION_KEY: "encryption-of-two-isolates-0123456789abcdef",
  };
  const ports = [await freePort(), await freePort()];
  const workerOf = (name: string, at: number): V4WorkerOptions => ({
    ...workerOptions,
    name,
    modules,
    bindings,
    durableObjects: {
      LEDGER: { className: "LedgerObject", useSQLite: true, ...(name === OWNER ? {} : { scriptName: OWNER }) },
      TASKS: { className: "TaskObject", useSQLite: true, ...(name === OWNER ? {} : { scriptName: OWNER }) },
      COUNTERS: { className: "CounterObject", useSQLite: true, ...(name === OWNER ? {} : { scriptName: OWNER }) },
      CACHE: { className: "CacheObject", useSQLite: true, ...(name === OWNER ? {} : { scriptName: OWNER }) },
      CHAIN: { className: "ChainObject", useSQLite: true, ...(name === OWNER ? {} : { scriptName: OWNER }) },
      SOCKETS: { className: "SocketObject", useSQLite: true, ...(name === OWNER ? {} : { scriptName: OWNER }) },
    },
    // A queue has one consumer.
    ...(name === OWNER ? {} : { queueConsumers: [] }),
    unsafeDirectSockets: [{ host: "127.0.0.1", port: ports[at]! }],
  });
  const [first, second] = NAMES;
  const options = { resourcePersistencePath: join(state, "v3"), workers: [workerOf(first, 0), workerOf(second, 1)] };
  const runtime = new Miniflare(convertV4MiniflareOptions(options));
  await runtime.ready;
  await migrate(await runtime.getD1Database("DB", OWNER), "migrations");
  const isolates = ports.map((port) => ({ origin: `http://127.0.0.1:${port}`, adminKey: ADMIN_KEY, state }));
  return { isolates, stop: () => runtime.dispose() };
}
