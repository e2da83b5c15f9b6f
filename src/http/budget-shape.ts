import type { BudgetStatus, LimitScope } from "#budget";
import { usdFromNano } from "#core";
import { iso } from "./time.ts";

/** An amount of a unit as people see it: USD as a decimal string, tokens and requests as whole numbers. */
function shown(unit: BudgetStatus["budget"]["unit"], amount: number): string {
  return unit === "usd" ? usdFromNano(amount) : String(amount);
}

/** Where a budget stands in its present window, as `/v1/key` and the admin plane show it. */
export function budgetStatusShape({ budget: { unit, limit }, ...standing }: BudgetStatus) {
  const { spent, reserved, over, remaining, windowStart, resetsAt, forecast } = standing;
  return {
    unit,
    limit: shown(unit, limit),
    spent: shown(unit, spent),
    reserved: shown(unit, reserved),
    over: shown(unit, over),
    remaining: shown(unit, remaining),
    window_start: iso(windowStart),
    resets_at: iso(resetsAt),
    forecast: forecast === null ? null : shown(unit, forecast),
  };
}

/** A scope as it is shown: there is one deployment, and it has no id. */
export function scopeShape({ kind, id }: LimitScope): { kind: LimitScope["kind"]; id?: string } {
  return kind === "deployment" ? { kind } : { kind, id };
}
