import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { network } from "../../scripts/runtime.ts";
import { freePort } from "../gateway.ts";
import { SCHEMA } from "./schema.ts";

/** Starts the bare Worker on a socket of its own, as the gateway has it; what is built stands under `folder`. */
export async function startBare(upstream: string, folder: string): Promise<{ runtime: Miniflare; port: number }> {
  const outdir = join(folder, "bare");
  execFileSync(
    process.execPath,
    ["node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run", "--config", "bench/bare/wrangler.toml", "--outdir", outdir],
    {
      stdio: "ignore",
    },
  );
  const port = await freePort();
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "bare",
          compatibilityDate: "2026-08-15",
          modules: [{ type: "ESModule", path: "worker.js", contents: readFileSync(join(outdir, "worker.js"), "utf8") }],
          bindings: { UPSTREAM: upstream },
          serviceBindings: { OUTBOUND: network() },
          durableObjects: { JOURNAL: { className: "Journal", useSQLite: true } },
          queueProducers: { ENTRIES: "entries" },
          queueConsumers: { entries: { maxBatchSize: 100, maxBatchTimeout: 1 } },
          d1Databases: { DB: "bench" },
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        },
      ],
    }),
  );
  await runtime.ready;
  const db = await runtime.getD1Database("DB");
  for (const statement of SCHEMA) await db.prepare(statement).run();
  return { runtime, port };
}
