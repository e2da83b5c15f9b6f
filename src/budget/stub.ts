import type {
  Admission,
  Amount,
  Asked,
  BudgetStatus,
  Granted,
  KeyStatus,
  LeaseAsked,
  Leased,
  LeaseStatus,
  Paid,
  Refusal,
  Report,
} from "./contract.ts";
import type { LedgerObject } from "./ledger.do.ts";

/** One team's ledger, as flows hold it. */
export interface LedgerStub {
  reserve(asked: Asked): Promise<Granted | Refusal>;
  /** Grows a hold of `key` to an absolute amount; repeat-safe. */
  extend(key: string, id: string, to: Amount): Promise<Granted | Refusal>;
  /** Books what a request used; returns when the ledger has it, or another request of this isolate takes it there. */
  settle(paid: Paid): Promise<void>;
  /** Only where nothing was sent upstream. */
  release(id: string): Promise<void>;
  /** Takes a task's money out of the budgets of its key, whole; repeat-safe. */
  lease(asked: LeaseAsked): Promise<Leased | Refusal>;
  /** Ends leases, however often: once this returns, no call draws from them. Answers in the order asked. */
  endLeases(ids: readonly string[]): Promise<LeaseStatus[]>;
  /** Where leases stand; they are remembered for a day after their end. */
  leases(ids: readonly string[]): Promise<LeaseStatus[]>;
  /** Everything known of a key, as it is for the task of a lease where one is named. */
  keyStatus(key: string, lease?: string | null): Promise<KeyStatus | null>;
  /** Where its budgets stand, all of them for null. */
  budgetStatus(budgets: readonly string[] | null): Promise<BudgetStatus[]>;
  /** Has the ledger read keys and budgets again, before it returns. */
  refresh(): Promise<void>;
}

/** The ledger's object itself: every method is one trip. */
export interface LedgerRemote extends Omit<LedgerStub, "reserve" | "settle"> {
  /** Admits a request, once what is reported along with it is taken down. */
  reserve(admission: Admission, report?: Report): Promise<Granted | Refusal>;
  /** Takes down many beginnings and endings at once; repeat-safe. */
  report(report: Report): Promise<void>;
}

const NOTHING: Report = { began: [], ended: [], returned: [] };

type Remote = DurableObjectStub<LedgerObject>;

/**
 * The ledger of a team. A call whose object went away (a deploy, a moved object) is made once more on a new stub, which is safe
 * because every call about money carries its id.
 */
export function ledgerOf(namespace: DurableObjectNamespace<LedgerObject>, team: string): LedgerRemote {
  const ask = async <Answer>(call: (remote: Remote) => Promise<unknown>): Promise<Answer> => {
    try {
      return (await call(namespace.getByName(team))) as Answer;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      return (await call(namespace.getByName(team))) as Answer;
    }
  };
  return {
    reserve: (admission, report = NOTHING) => ask((remote) => remote.reserve(team, admission, report)),
    extend: (key, hold, to) => ask((remote) => remote.extend(team, key, hold, to)),
    report: (report) => ask((remote) => remote.report(report)),
    release: (hold) => ask((remote) => remote.release(hold)),
    lease: (asked) => ask((remote) => remote.lease(team, asked)),
    endLeases: (ids) => ask((remote) => remote.endLeases(ids)),
    leases: (ids) => ask((remote) => remote.leases(ids)),
    keyStatus: (key, lease = null) => ask((remote) => remote.keyStatus(team, key, lease)),
    budgetStatus: (budgets) => ask((remote) => remote.budgetStatus(team, budgets)),
    refresh: () => ask((remote) => remote.refresh(team)),
  };
}

function isRetryable(error: unknown): boolean {
  return (
    error instanceof Error && "retryable" in error && error.retryable === true && !("overloaded" in error && error.overloaded === true)
  );
}
