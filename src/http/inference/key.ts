import type { Context } from "hono";
import type { BudgetStatus, KeyStatus, Pace } from "#budget";
import type { Config } from "#config";
import { type Caller, usdFromNano } from "#core";
import { refuseKey } from "#keys";
import { authenticatedKey } from "../authenticate.ts";
import { budgetStatusShape, scopeShape } from "../budget-shape.ts";
import { displayed } from "../display.ts";
import type { Http } from "../platform.ts";
import { iso } from "../time.ts";

/** `GET /v1/key`: what this key is, what it may still spend and when that resets. */
export async function key(context: Context<Http>): Promise<Response> {
  const caller = await authenticatedKey(context.env, context.req.raw);
  const [status, across] = await Promise.all([context.env.ledger(caller.team).keyStatus(caller.key), acrossTeams(context, caller)]);
  if (!status) throw refuseKey("unknown to its ledger");
  const all = { ...status, budgets: [...status.budgets, ...across] };
  return context.json({ ...identity(caller), ...standing(caller, all, context.env.config) });
}

/** The budgets across teams that bind whatever this key asks for: the deployment's and those of its tags. */
async function acrossTeams({ env, executionCtx }: Context<Http>, { tags }: Caller): Promise<BudgetStatus[]> {
  const { wider } = await env.directory.get((work) => executionCtx.waitUntil(work));
  const found = await Promise.all(wider.of({ tags, endUser: null }).map((ledger) => env.ledger(ledger).budgetStatus(null)));
  return found.flat();
}

function identity(caller: Caller) {
  return {
    id: caller.key,
    object: "key",
    name: caller.name,
    status: "active",
    team: caller.team,
    user: caller.user,
    tags: caller.tags,
    models: caller.models,
    expires_at: iso(caller.expiresAt),
  };
}

function standing({ limits }: Caller, status: KeyStatus, config: Config) {
  const [spent, reserved] = [usdFromNano(status.spent), usdFromNano(status.reserved)];
  return {
    spent_usd: spent,
    reserved_usd: reserved,
    display: displayed(config, { spent, reserved }),
    requests: status.requests,
    tokens: status.tokens,
    limits: {
      rpm: pace(status.rpm),
      tpm: pace(status.tpm),
      concurrency: limits.concurrency === null ? null : { limit: limits.concurrency, in_use: status.inFlight },
    },
    budgets: status.budgets.map((budget) => budgetShape(budget, config)),
  };
}

function pace(pace: Pace | null) {
  return pace && { limit: pace.limit, remaining: pace.remaining, resets_at: iso(pace.resetsAt) };
}

function budgetShape(status: BudgetStatus, config: Config) {
  const { id, scope, window, timeZone, mode } = status.budget;
  const shape = budgetStatusShape(status);
  const { limit, spent, reserved, remaining } = shape;
  const display = shape.unit === "usd" ? displayed(config, { limit, spent, reserved, remaining }) : null;
  return { id, scope: scopeShape(scope), window, time_zone: timeZone, mode, status: shape, display };
}
