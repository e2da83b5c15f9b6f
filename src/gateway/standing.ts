import type { KeyStatus } from "#budget";
import type { Draft, Gateway } from "./contract.ts";
import { unreachable } from "./hold.ts";
import { widerLedgersOf } from "./wider.ts";

/**
 * Where a caller's key stands: its pace, and every budget that binds the request, those across teams included. Null where its ledger
 * does not know the key.
 * @throws TollgateError `overloaded` where budgets cannot be read.
 */
export async function standing(asked: Pick<Draft, "arrival" | "caller" | "asked">, at: Gateway): Promise<KeyStatus | null> {
  const { team, key, task } = asked.caller;
  const wider = await widerLedgersOf(asked, at);
  const [status, ...across] = await Promise.all([
    at.ledger(team).keyStatus(key, task),
    ...wider.map((ledger) => at.ledger(ledger).budgetStatus(null)),
  ]).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  return status && { ...status, budgets: [...status.budgets, ...across.flat()] };
}
