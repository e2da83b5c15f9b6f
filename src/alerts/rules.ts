import { inArray, sql } from "drizzle-orm";
import { usdFromNano } from "#core";
import { type Db, tables } from "#db";
import type { Alert, Finished } from "./contract.ts";

type BudgetRow = typeof tables.budgets.$inferSelect;

/** Percent of a budget's limit. */
const THRESHOLDS = [50, 80, 100] as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * What finished requests give cause to say: a budget that has come to a threshold, or has refused; a model without a price; a
 * policy that has failed. It is
 * judged by what the events themselves carry, and so comes to the same however often and in whatever order they arrive.
 */
export async function alertsOf(db: Db, finished: readonly Finished[], standings: Standings): Promise<Alert[]> {
  const budgets = await budgetsOf(db, finished);
  return (await withSpent(finished, budgets, standings)).flatMap((each) => [
    ...thresholds(each, budgets),
    ...refusal(each, budgets),
    ...unknownPrice(each),
    ...failures(each),
  ]);
}

/** Asks a ledger what has been spent under its budgets. */
export type Standings = (
  ledger: string,
  budgets: readonly string[],
) => Promise<readonly { readonly budget: { readonly id: string }; readonly windowStart: number | null; readonly spent: number }[]>;

/** The events, with what has been spent where they do not tell it: budgets across teams are charged by ledgers of their own. */
async function withSpent(
  finished: readonly Finished[],
  budgets: ReadonlyMap<string, BudgetRow>,
  standings: Standings,
): Promise<readonly Finished[]> {
  const untold = new Set(finished.flatMap(({ charges }) => charges.filter(({ spent }) => spent === undefined).map(({ budget }) => budget)));
  const rows = [...untold].flatMap((id) => budgets.get(id) ?? []);
  const asked = [...Map.groupBy(rows, ({ team }) => team)].map(([ledger, its]) =>
    standings(
      ledger,
      its.map(({ id }) => id),
    ),
  );
  const known = new Map(
    (await Promise.all(asked)).flat().map((standing) => [`${standing.budget.id}@${standing.windowStart}`, standing.spent]),
  );
  if (known.size === 0) return finished;
  return finished.map((each) => ({
    ...each,
    charges: each.charges.map((charge) => ({ ...charge, spent: charge.spent ?? known.get(`${charge.budget}@${charge.windowStart}`) })),
  }));
}

async function budgetsOf(db: Db, finished: readonly Finished[]): Promise<ReadonlyMap<string, BudgetRow>> {
  const ids = new Set(
    finished.flatMap(({ charges, refusedBy }) => [...charges, ...(refusedBy ? [refusedBy] : [])]).map(({ budget }) => budget),
  );
  if (ids.size === 0) return new Map();
  const { budgets } = tables;
  const named = sql`(select value from json_each(${JSON.stringify([...ids])}))`;
  const rows = await db.select().from(budgets).where(inArray(budgets.id, named));
  return new Map(rows.map((row) => [row.id, row]));
}

function thresholds({ charges }: Finished, budgets: ReadonlyMap<string, BudgetRow>): Alert[] {
  return charges.flatMap(({ budget: id, windowStart, spent = 0 }) => {
    const budget = budgets.get(id);
    if (!budget) return [];
    return THRESHOLDS.filter((threshold) => reaches(spent, budget.limit, threshold)).map((threshold): Alert => ({
      ...about(budget, windowStart),
      type: "budget.threshold",
      severity: threshold === 100 ? "critical" : "warning",
      threshold,
      data: { threshold, ...shown(budget, windowStart), spent: amount(budget, spent) },
    }));
  });
}

/** In bigint, since a hundred times a counter is more than a number holds. A budget of nothing has no share that could be spent. */
function reaches(spent: number, limit: number, threshold: number): boolean {
  return limit > 0 && BigInt(spent) * 100n >= BigInt(limit) * BigInt(threshold);
}

function refusal({ refusedBy }: Finished, budgets: ReadonlyMap<string, BudgetRow>): Alert[] {
  const budget = refusedBy && budgets.get(refusedBy.budget);
  if (!budget) return [];
  const { windowStart } = refusedBy;
  return [{ ...about(budget, windowStart), type: "budget.exceeded", severity: "critical", threshold: 0, data: shown(budget, windowStart) }];
}

function about({ id, team, scopeKind, scopeId }: BudgetRow, windowStart: number | null) {
  const key = scopeKind === "key" ? scopeId : null;
  return { subjectKind: "budget", subjectId: id, windowStart: windowStart ?? 0, team, key } as const;
}

function shown(budget: BudgetRow, windowStart: number | null) {
  const { scopeKind: kind, scopeId: id, window, unit, limit } = budget;
  const start = windowStart === null ? null : new Date(windowStart).toISOString();
  return { scope: { kind, id }, window, window_start: start, unit, limit: amount(budget, limit) };
}

function amount({ unit }: BudgetRow, value: number): string {
  return unit === "usd" ? usdFromNano(value) : String(value);
}

/** Only of what a provider has answered: whoever makes names up could have any number of them announced. */
function unknownPrice({ cost, invocation: { at, provider, model, outcome, team, key } }: Finished): Alert[] {
  if (cost?.priceState !== "unknown" || provider === null || model === null || outcome === "error") return [];
  const subjectId = `${provider}/${model}`;
  const windowStart = at - (at % DAY_MS);
  const data = { provider, model };
  return [{ type: "price.unknown", severity: "warning", subjectKind: "model", subjectId, threshold: 0, windowStart, team, key, data }];
}

/**
 * A policy that gave no decision, once in an hour; one that looks on only, apart from the same in force. What it said as it failed may
 * quote what it was given, and is in the decision log alone.
 */
function failures({ policies = [], invocation: { at, team, key } }: Finished): Alert[] {
  return policies.flatMap(({ policy, version, mode, stage, failure }): Alert[] => {
    if (failure === null) return [];
    const shadow = mode === "shadow";
    const about = { subjectKind: "policy", subjectId: policy, threshold: shadow ? 1 : 0, windowStart: at - (at % HOUR_MS) } as const;
    const severity = shadow ? "warning" : "critical";
    return [{ type: "policy.failed", severity, ...about, team, key, data: { policy, version, mode, stage, failure } }];
  });
}
