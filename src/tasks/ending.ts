import { eq } from "drizzle-orm";
import type { LedgerStub } from "#budget";
import { type Db, tables } from "#db";
import type { Artifacts } from "./artifacts.ts";
import type { Callbacks } from "./callback.ts";
import { keyOf } from "./collect.ts";
import { KEPT_MS, type Task, type TaskEnd } from "./contract.ts";
import { endEntries } from "./end-entries.ts";
import { endAsSaid, endPaid, endRefused, finalOf, statusOf } from "./end.ts";
import type { TaskLog } from "./log.ts";
import { finalCost } from "./money.ts";
import type { Outbox } from "./outbox.ts";
import { saidOf } from "./said.ts";
import type { Workplace } from "./workplace.ts";

/** How often it is looked whether the calls of a task that ended are over. */
const COUNT_MS = 2_000;

/** What a task is ended with. */
interface Means {
  readonly storage: DurableObjectStorage;
  readonly db: Db;
  readonly ledger: (team: string) => Pick<LedgerStub, "endLeases" | "leases">;
  readonly log: TaskLog;
  readonly outbox: Outbox;
  readonly callbacks: Callbacks;
  readonly artifacts: Artifacts;
  readonly workplace: Workplace;
}

/** What follows once a task's job is over, in two steps that may each be done again: it ends for all to see, then what is left is settled. */
export class Ending {
  readonly #means: Means;

  constructor(means: Means) {
    this.#means = means;
  }

  /** Its place and its money are given back before anybody can read that it ended, so that who has read it can begin the next. */
  async end(task: Task, exited: TaskEnd): Promise<void> {
    const { storage, db, ledger, log, outbox, callbacks } = this.#means;
    const [lease] = await ledger(task.team).endLeases([task.id]);
    const said = saidOf(task, log.stdout());
    const end = endPaid(endRefused(endAsSaid(exited, said), storage.kv.get("refusal")), lease!);
    const { reason, exitCode, cpuMs, memoryPeakBytes, files, message } = end;
    await db.update(tables.tasks).set({ exitReason: reason, endedAt: end.at }).where(eq(tables.tasks.id, task.id));
    outbox.add(...endEntries(task, end, lease!.spent));
    callbacks.ask(task, end.at);
    const data = { reason, exit_code: exitCode, cpu_ms: cpuMs, memory_peak_bytes: memoryPeakBytes, files, message };
    const { text, structured } = said;
    log.end(data, { status: statusOf(reason), end, said: { text, structured }, spentNano: finalOf(lease!) });
  }

  /**
   * The audit is told, the owner called back, nothing stays at the runner, and after its time nothing stays here. Answers when to go on;
   * null once nothing is left of it.
   */
  async settle(task: Task, { at }: TaskEnd): Promise<number | null> {
    const { storage, ledger, log, outbox, callbacks, artifacts, workplace } = this.#means;
    const keptUntil = at + KEPT_MS;
    if (Date.now() >= keptUntil) {
      await artifacts.remove(keyOf(task));
      await storage.deleteAll();
      return null;
    }
    await outbox.send();
    const callAgainAt = await callbacks.send(task);
    await workplace.leave(task.id);
    const cost = await finalCost(ledger(task.team), task);
    if (cost !== null) log.change({ spentNano: cost });
    const look = cost === null ? Date.now() + COUNT_MS : keptUntil;
    return Math.min(look, callAgainAt ?? look);
  }
}
