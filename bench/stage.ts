import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { SCHEMA } from "./bare/schema.ts";

/** What a benchmark plays on: the provider, the bare Worker and the gateway, each a process or a socket of its own. */

const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
const children: ChildProcess[] = [];

/** Starts a script and resolves with the first line it prints that matches. */
export function started(script: string, env: Record<string, string>, ready: RegExp): Promise<string> {
  const child = spawn(process.execPath, [script], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (part: string) => {
      text += part;
      const found = ready.exec(text);
      if (found) resolve(found[0]);
    });
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === "object" ? address.port : 0));
    });
  });
}

/** The bare Worker on a socket of its own, as the gateway has it. */
export async function bare(upstream: string): Promise<{ runtime: Miniflare; port: number }> {
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

/** The gateway under load, and how its keys are made. */
export interface Gateway {
  readonly port: number;
  /** A key without limits of pace, and its secret. */
  readonly key: (fields: Record<string, unknown>) => Promise<string>;
}

/** Starts the gateway with a provider behind it. */
export async function gateway(upstream: string): Promise<Gateway> {
  const port = await freePort();
  const admin = "admin-key-of-the-bench-000000000000";
  const env = {
    PORT: String(port),
    TOLLGATE_STATE: join(folder, "state"),
    TOLLGATE_ADMIN_KEY: admin,
    OPENAI_API_KEY: "sk-bench",
    OPENAI_BASE_URL: `${upstream}/v1`,
  };
  await started("scripts/start.ts", env, /Tollgate is up/);
  const key = async (fields: Record<string, unknown>) => {
    const answer = await fetch(`http://127.0.0.1:${port}/admin/v1/keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${admin}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "bench", limits: { rpm: null, tpm: null, concurrency: null }, ...fields }),
    });
    if (answer.status !== 201) throw new Error(`the bench's key was refused: ${await answer.text()}`);
    return ((await answer.json()) as { secret: string }).secret;
  };
  return { port, key };
}

/** Ends what was started, and leaves nothing behind. */
export function cleanUp(): void {
  for (const child of children) child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
