import type { Amount, Budget, Charge, Unit } from "./contract.ts";
import type { Sql } from "./sql.ts";
import { windowAt } from "./windows.ts";

/** One budget in one window, as a hold remembers it: what is charged later is charged where it was admitted. */
export interface Leg {
  readonly budget: string;
  /** Milliseconds UTC; null for `total`. */
  readonly start: number | null;
  readonly unit: Unit;
}

/** One window of one budget: what was billed, what is held, and what was billed beyond what had been held. */
export interface Balance {
  readonly spent: number;
  readonly reserved: number;
  readonly over: number;
}

const EMPTY: Balance = { spent: 0, reserved: 0, over: 0 };

/** An amount in a budget's unit. */
export function measured(amount: Amount, unit: Unit): number {
  if (unit === "usd") return amount.nano;
  return unit === "tokens" ? amount.tokens : amount.requests;
}

/** The leg of a budget at a time. */
export function legAt(budget: Budget, now: number): Leg {
  return { budget: budget.id, start: windowAt(budget.window, budget.timeZone, now).start, unit: budget.unit };
}

/** `total` has no start; no other window begins at zero. */
function startKey({ start }: Leg): number {
  return start ?? 0;
}

/** The balance of each leg, in order. */
export function balancesOf(sql: Sql, legs: readonly Leg[]): Balance[] {
  return legs.map((leg) => {
    const [row] = sql.exec<{ spent: number; reserved: number; over: number }>(
      "SELECT spent, reserved, over FROM balances WHERE budget = ? AND window_start = ?",
      leg.budget,
      startKey(leg),
    );
    return row ?? EMPTY;
  });
}

/** A Durable Object's SQL takes at most a hundred parameters, of which a leg needs five. */
const LEGS_PER_STATEMENT = 20;

/** Changes the balances of every leg, in as few statements as there can be. */
export function applyToLegs(sql: Sql, legs: readonly Leg[], change: (leg: Leg) => Balance): void {
  for (let at = 0; at < legs.length; at += LEGS_PER_STATEMENT) applyToSome(sql, legs.slice(at, at + LEGS_PER_STATEMENT), change);
}

function applyToSome(sql: Sql, legs: readonly Leg[], change: (leg: Leg) => Balance): void {
  const values = legs.flatMap((leg) => {
    const { spent, reserved, over } = change(leg);
    return [leg.budget, startKey(leg), spent, reserved, over];
  });
  sql.exec(
    `INSERT INTO balances (budget, window_start, spent, reserved, over) VALUES ${legs.map(() => "(?, ?, ?, ?, ?)").join(", ")}
     ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved, over = max(0, over + excluded.over)`,
    ...values,
  );
}

/** What each leg is charged for an amount, for the receipt. */
export function chargesOf(legs: readonly Leg[], amount: Amount): Charge[] {
  return legs.map((leg) => ({ budget: leg.budget, windowStart: leg.start, unit: leg.unit, amount: measured(amount, leg.unit) }));
}
