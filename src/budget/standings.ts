import type { Budget, Leg } from "./contract.ts";
import type { Standing } from "./grant.ts";
import { balancesOf, legAt } from "./legs.ts";
import type { Sql } from "./sql.ts";

/** Where budgets stand in the windows at hand. */
export function standingsAt(sql: Sql, budgets: readonly Budget[], now: number): Standing<Budget>[] {
  const balances = balancesOf(
    sql,
    budgets.map((budget) => legAt(budget, now)),
  );
  return budgets.map((budget, at) => ({ budget, balance: balances[at]! }));
}

/** Where a hold's budgets stand in the windows it was admitted in; a budget that was deleted binds no more. */
export function standingsOf(sql: Sql, legs: readonly Leg[], budgets: readonly Budget[]): Standing<Budget>[] {
  const balances = balancesOf(sql, legs);
  return legs.flatMap((leg, at) => {
    const budget = budgets.find(({ id }) => id === leg.budget);
    return budget ? [{ budget, balance: balances[at]! }] : [];
  });
}
