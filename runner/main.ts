import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { prepareMachine } from "./machine.ts";
import { Runner } from "./server.ts";

/** `node runner/main.ts`: reads its settings, makes the machine ready and listens until it is told to end. */

const settings = z.object({
  RUNNER_SECRET: z.string().min(32),
  RUNNER_HOST: z.string().default("127.0.0.1"),
  RUNNER_PORT: z.coerce.number().int().min(0).max(65_535).default(8790),
  RUNNER_STATE: z
    .string()
    .default(process.getuid?.() === 0 ? "/run/tollgate-runner" : join(tmpdir(), `tollgate-runner-${process.getuid?.()}`)),
  /** A file with the id of the process that it works for: after a while without that, it ends. */
  RUNNER_FOR: z.string().optional(),
  /** A folder with installs of agents, `claude-code` and `codex`, that jobs may name. */
  RUNNER_AGENTS: z.string().optional(),
  /** Lets jobs reach the hosts that they are allowed; without it none reaches any. */
  RUNNER_EGRESS: z.stringbool().default(false),
  /** For tests: hosts of this machine's own loopback are public enough. */
  RUNNER_EGRESS_LOOPBACK: z.stringbool().default(false),
  RUNNER_EGRESS_BYTES_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .default(2 ** 30),
  RUNNER_JOBS_MAX: z.coerce.number().int().min(1).max(4_000).default(50),
  RUNNER_BODY_BYTES_MAX: z.coerce
    .number()
    .int()
    .min(1_024)
    .default(64 * 2 ** 20),
});

function readSettings(): z.infer<typeof settings> {
  const read = settings.safeParse(process.env);
  if (read.success) return read.data;
  for (const { path, message } of read.error.issues) process.stderr.write(`${path.join(".")}: ${message}\n`);
  return process.exit(2);
}

/** What a job has open to a host is ended after so long in which nothing was said. */
const IDLE_MS = 120_000;

const { RUNNER_SECRET: secret, RUNNER_STATE: state, RUNNER_HOST: host, RUNNER_PORT: at, ...most } = readSettings();
const { RUNNER_JOBS_MAX: jobsMax, RUNNER_BODY_BYTES_MAX: bodyBytesMax, RUNNER_FOR: master, RUNNER_AGENTS: agents } = most;
const { RUNNER_EGRESS: outwards, RUNNER_EGRESS_LOOPBACK: loopback, RUNNER_EGRESS_BYTES_MAX: bytesMax } = most;
// A child that is given the runner's environment by mistake must not be given what signs claims.
delete process.env["RUNNER_SECRET"];
const machine = await prepareMachine(state, agents).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : "the machine cannot be made ready"}\n`);
  return process.exit(1);
});
const runner = new Runner(machine, { secret, jobsMax, bodyBytesMax, reach: outwards ? { loopback, bytesMax, idleMs: IDLE_MS } : null });
const server = runner.listener();
server.listen(at, host, () => {
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : at;
  process.stdout.write(`${JSON.stringify({ listening: `http://${host}:${port}`, capabilities: machine.capabilities })}\n`);
});

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  server.close();
  await runner.close();
  await machine.release();
  server.closeAllConnections();
  process.exit(0);
}
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void end());

const LOOK_MS = 2_000;
/** Time enough for a gateway that was killed to be started again. */
const ALONE_MS = 60_000;

function isAlive(file: string): boolean {
  try {
    return process.kill(Number(readFileSync(file, "utf8")), 0);
  } catch {
    return false;
  }
}

/** Ends a runner that nobody is left to ask anything of. */
function endWith(file: string): void {
  let seen = Date.now();
  setInterval(() => {
    if (isAlive(file)) seen = Date.now();
    else if (Date.now() - seen > ALONE_MS) void end();
  }, LOOK_MS).unref();
}
if (master !== undefined) endWith(master);
