import { sql } from "drizzle-orm";
import type { Context } from "hono";
import packageJson from "#package" with { type: "json" };
import type { Http, Platform } from "./platform.ts";

type Part = "ok" | "down";
/**
 * Where tasks are run: on this machine, elsewhere, in a container of each one's own, by nobody, or by a runner that does not answer. A
 * container that no task has started is asked nothing, so that strangers cannot start any.
 */
type RunnerAt = "local" | "remote" | "container" | "none" | "down";

/** How long a probe's finding stands, so that strangers who ask cannot load storage. */
const FOUND_MS = 2_000;
const ASK_MS_MAX = 2_000;
interface Finding {
  readonly at: number;
  readonly d1: Part;
  readonly ledger: Part;
  readonly runner: RunnerAt;
  /** What tasks can be run by. */
  readonly engines: readonly string[];
}

const findings = new WeakMap<Platform, Finding>();

/** `GET /healthz`: 200 while requests can be served; `degraded` names what is down, 503 where the ledger is, since budgets are closed then. */
export async function health(context: Context<Http>): Promise<Response> {
  const now = context.env.now();
  const known = findings.get(context.env);
  const found = known && now - known.at <= FOUND_MS ? known : { at: now, ...(await probe(context.env)) };
  findings.set(context.env, found);
  const { d1, ledger, runner, engines } = found;
  const status = d1 === "ok" && ledger === "ok" && runner !== "down" ? "ok" : "degraded";
  const { TOLLGATE_ENV, allowPrivateUpstreams } = context.env.config;
  const body = {
    status,
    version: packageJson.version,
    environment: TOLLGATE_ENV,
    d1,
    ledger,
    runner,
    engines,
    private_upstreams: allowPrivateUpstreams,
  };
  return context.json(body, ledger === "ok" ? 200 : 503);
}

async function probe(platform: Platform): Promise<Omit<Finding, "at">> {
  const [d1, ledger, engines] = await Promise.all([
    answers(platform.db.run(sql`select 1`)),
    answers(platform.ledger("team_default").budgetStatus([])),
    platform.tasks.engines(),
  ]);
  return { d1, ledger, runner: engines ? runnerAt(platform.config) : "down", engines: engines ?? [] };
}

function runnerAt({ RUNNER_URL: url, RUNNER_CONTAINER: contained }: Platform["config"]): RunnerAt {
  if (url === undefined) return contained ? "container" : "none";
  return ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname) ? "local" : "remote";
}

async function answers(asked: Promise<unknown>): Promise<Part> {
  const late = new Promise<Part>((resolve) => setTimeout(resolve, ASK_MS_MAX, "down"));
  return Promise.race([asked.then(() => "ok" as const).catch(() => "down" as const), late]);
}
