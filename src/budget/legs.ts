import type { Amount, Charge, Leg, Limit, Told, Unit } from "./contract.ts";
import type { Sql } from "./sql.ts";
import { windowAt } from "./windows.ts";

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
export function legAt(budget: Limit, now: number): Leg {
  return { budget: budget.id, start: windowAt(budget.window, budget.timeZone, now).start, unit: budget.unit };
}

/** `total` has no start; no other window begins at zero. */
function startKey({ start }: Leg): number {
  return start ?? 0;
}

/** The balance of each leg, in order. */
export function balancesOf(sql: Sql, legs: readonly Leg[]): Balance[] {
  return legs.map((leg) => balanceOf(sql, leg) ?? EMPTY);
}

function balanceOf(sql: Sql, leg: Leg): Balance | null {
  const [row] = sql.exec<{ spent: number; reserved: number; over: number }>(
    "SELECT spent, reserved, over FROM balances WHERE budget = ? AND window_start = ?",
    leg.budget,
    startKey(leg),
  );
  return row ?? null;
}

/** A change of one leg's balance. */
export interface Change extends Balance {
  readonly leg: Leg;
}

/** The changes of one leg each, where several concern the same. */
function merged(changes: readonly Change[]): readonly Change[] {
  if (changes.length < 2) return changes;
  const sums = new Map<string, Change>();
  for (const { leg, spent, reserved, over } of changes) {
    const name = `${leg.budget}@${startKey(leg)}`;
    const sum = sums.get(name) ?? EMPTY;
    sums.set(name, { leg, spent: sum.spent + spent, reserved: sum.reserved + reserved, over: sum.over + over });
  }
  return [...sums.values()];
}

/** A Durable Object's SQL takes at most a hundred parameters, of which a leg needs five. */
const LEGS_PER_STATEMENT = 20;

/** Changes balances, in as few statements as there can be. */
export function change(sql: Sql, changes: readonly Change[]): void {
  const each = merged(changes);
  for (let at = 0; at < each.length; at += LEGS_PER_STATEMENT) changeSome(sql, each.slice(at, at + LEGS_PER_STATEMENT));
}

function changeSome(sql: Sql, changes: readonly Change[]): void {
  sql.exec(
    `INSERT INTO balances (budget, window_start, spent, reserved, over) VALUES ${changes.map(() => "(?, ?, ?, ?, ?)").join(", ")}
     ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved, over = max(0, over + excluded.over)`,
    ...changes.flatMap(({ leg, spent, reserved, over }) => [leg.budget, startKey(leg), spent, reserved, over]),
  );
}

/** Reserves an amount on every leg; a negative one frees it. */
export function reserve(sql: Sql, legs: readonly Leg[], amount: Amount, sign: 1 | -1 = 1): void {
  change(
    sql,
    legs.map((leg) => ({ leg, spent: 0, reserved: sign * measured(amount, leg.unit), over: 0 })),
  );
}

/** What each leg is charged for an amount, for the receipt. */
export function chargesOf(legs: readonly Leg[], amount: Amount): Charge[] {
  return legs.map((leg) => ({ budget: leg.budget, windowStart: leg.start, unit: leg.unit, amount: measured(amount, leg.unit) }));
}

/**
 * Lists of charges with what has been spent in their windows; read once all that belongs to one transaction is booked, each window
 * once. What another ledger charges, that one knows: it stays as it is.
 */
export function told(sql: Sql, charged: readonly (readonly Charge[])[]): Told[][] {
  const spent = new Map<string, number | null>();
  const spentIn = (charge: Charge): number | null => {
    const window = `${charge.budget}@${charge.windowStart}`;
    if (!spent.has(window)) spent.set(window, balanceOf(sql, { ...charge, start: charge.windowStart })?.spent ?? null);
    return spent.get(window)!;
  };
  return charged.map((charges) =>
    charges.map((charge) => {
      const sum = spentIn(charge);
      return sum === null ? charge : { ...charge, spent: sum };
    }),
  );
}
