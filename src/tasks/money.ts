import { type LeaseStatus, type LedgerStub, refusalError } from "#budget";
import type { Task, TaskState, TaskView } from "./contract.ts";
import { finalOf } from "./end.ts";

/** How long after a task's time its lease ends by itself, where nobody has ended it: longer than it may take to find that a task is lost. */
const LEASE_GRACE_MS = 600_000;

/** Takes a task's money out of its key's budgets. @throws TollgateError `budget_exceeded` naming the budget that has too little left. */
export async function takeMoney(ledger: LedgerStub, { id, key, effective }: Task, epoch: number): Promise<void> {
  const { maxCostNano: cap, timeoutS } = effective;
  const answer = await ledger.lease({ id, key, epoch, cap, ttlMs: timeoutS * 1_000 + LEASE_GRACE_MS });
  if (answer.kind !== "leased") throw refusalError(answer);
}

/** Tasks with what they cost. Those whose calls are over know it themselves; of the others their teams' ledgers are asked, each once. */
export async function withCosts(ledger: (team: string) => Pick<LedgerStub, "leases">, states: readonly TaskState[]): Promise<TaskView[]> {
  const open = Map.groupBy(
    states.filter(({ spentNano }) => spentNano === null),
    ({ team }) => team,
  );
  const asked = [...open].map(([team, tasks]) => ledger(team).leases(tasks.map(({ id }) => id)));
  const leases = new Map((await Promise.all(asked)).flat().map((lease) => [lease.id, lease]));
  return states.map((state) => ({ ...state, cost: costOf(state, leases.get(state.id)) }));
}

/** What a task came to; null while calls of it are in flight. What is billed later still stands in the cost records alone. */
export async function finalCost(ledger: Pick<LedgerStub, "leases">, { id, spentNano }: Task): Promise<number | null> {
  if (spentNano !== null) return spentNano;
  const [lease] = await ledger.leases([id]);
  return lease ? finalOf(lease) : 0;
}

function costOf({ spentNano }: TaskState, lease: LeaseStatus | undefined): TaskView["cost"] {
  return { spent: spentNano ?? lease?.spent ?? 0, reserved: lease?.reserved ?? 0 };
}
