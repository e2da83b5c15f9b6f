import type { Admission, Amount, Limit, Refusal } from "./contract.ts";
import { type Balance, measured } from "./legs.ts";
import { windowAt } from "./windows.ts";

/** A budget on the path of a request, and where it stands in the window at hand. */
export interface Standing<Of extends Limit = Limit> {
  readonly budget: Of;
  readonly balance: Balance;
}

/** What a request is given: an amount, and whether its output must be held to it. */
export interface Grant {
  readonly amount: Amount;
  readonly bound: boolean;
}

/** What is left of a budget: never below zero in sense, though a bill beyond its hold can make it so in figures. */
function room({ budget, balance }: Standing): number {
  return budget.limit - balance.spent - balance.reserved;
}

function fits(path: readonly Standing[], amount: Amount): boolean {
  return path.every((standing) => measured(amount, standing.budget.unit) <= Math.max(0, room(standing)));
}

/**
 * Decides how much a request may hold. On a path with a strict budget: the ceiling where it fits, a stream only where it takes at
 * most half of what is left; else the larger of the floor and half of what is left. Where every budget is tight: the likely
 * amount, else the floor. The floor must fit.
 */
export function grant(
  admission: Pick<Admission, "floor" | "likely" | "ceiling" | "stream">,
  path: readonly Standing[],
  now: number,
): Grant | Refusal {
  const { floor, likely, ceiling, stream } = admission;
  if (path.length === 0) return { amount: ceiling, bound: false };
  const refusing = path.filter((standing) => measured(floor, standing.budget.unit) > Math.max(0, room(standing)));
  if (refusing.length > 0) return exceeded(tightest(refusing), floor, now);
  if (path.every(({ budget }) => budget.mode === "tight")) return { amount: fits(path, likely) ? likely : floor, bound: false };
  const modest = !stream || path.every((standing) => needsNoMoreThanHalf(standing, floor, ceiling));
  if (fits(path, ceiling) && modest) return { amount: ceiling, bound: true };
  return { amount: part(floor, ceiling, path), bound: true };
}

function needsNoMoreThanHalf(standing: Standing, floor: Amount, ceiling: Amount): boolean {
  const { unit } = standing.budget;
  const most = measured(ceiling, unit);
  return most === measured(floor, unit) || most <= Math.floor(room(standing) / 2);
}

/** An amount between floor and ceiling, at the same share of the way in every unit, that takes half of the tightest room. */
function part(floor: Amount, ceiling: Amount, path: readonly Standing[]): Amount {
  let share = 1;
  for (const standing of path) {
    const { unit } = standing.budget;
    const span = measured(ceiling, unit) - measured(floor, unit);
    if (span <= 0) continue;
    const half = Math.max(measured(floor, unit), Math.floor(room(standing) / 2));
    share = Math.min(share, (half - measured(floor, unit)) / span);
  }
  // Floor keeps every unit at or under its half: a share that rounding made too large is cut by the whole number below it.
  const along = (from: number, to: number) => Math.max(from, Math.min(to, from + Math.floor((to - from) * share * (1 - Number.EPSILON))));
  return { nano: along(floor.nano, ceiling.nano), tokens: along(floor.tokens, ceiling.tokens), requests: floor.requests };
}

/** Whether a hold may grow by an amount; the refusal of the tightest budget where it may not. */
export function growth(more: Amount, path: readonly Standing[], now: number): Refusal | null {
  const refusing = path.filter((standing) => measured(more, standing.budget.unit) > Math.max(0, room(standing)));
  return refusing.length === 0 ? null : exceeded(tightest(refusing), more, now);
}

/** The standing with the least room of its limit. */
export function tightest(path: readonly Standing[]): Standing {
  const left = (standing: Standing) => (standing.budget.limit === 0 ? 0 : room(standing) / standing.budget.limit);
  return path.reduce((least, standing) => (left(standing) < left(least) ? standing : least));
}

function exceeded({ budget, balance }: Standing, requested: Amount, now: number): Refusal {
  const { start, end } = windowAt(budget.window, budget.timeZone, now);
  return {
    kind: "budget_exceeded",
    budget: budget.id,
    scope: budget.scope,
    window: budget.window,
    unit: budget.unit,
    limit: budget.limit,
    spent: balance.spent,
    reserved: balance.reserved,
    requested: measured(requested, budget.unit),
    windowStart: start,
    resetsAt: end,
    floating: 0,
  };
}
