import { eq } from "drizzle-orm";
import { type Db, tables } from "#db";
import type { JobEvent } from "#runner-protocol";
import type { Artifacts } from "./artifacts.ts";
import { collect } from "./collect.ts";
import type { Task, TaskEnd } from "./contract.ts";
import { endOf, endUnheard } from "./end.ts";
import { incidentEntry } from "./incidents.ts";
import type { TaskLog } from "./log.ts";
import type { Outbox } from "./outbox.ts";
import type { RunnerJob } from "./runner.ts";
import type { Workplace } from "./workplace.ts";

/** How long one alarm listens to the runner. */
const LISTEN_MS = 60_000;

type Exit = Extract<JobEvent, { type: "exit" }>;

/** What a job is watched with. */
interface Means {
  readonly kv: DurableObjectStorage["kv"];
  readonly db: Db;
  readonly log: TaskLog;
  readonly outbox: Outbox;
  readonly artifacts: Artifacts;
  readonly workplace: Workplace;
  /** Tells whoever follows the task that there is something new. */
  readonly wake: () => void;
  /** Work that the runner's next word does not wait for. */
  readonly beside: (task: Task, work: PromiseLike<unknown>) => void;
}

/** The job of a task, from its making to its exit: what its runner says is taken down as it comes. */
export class JobWatch {
  readonly #means: Means;
  #silentSince: number | null = null;

  constructor(means: Means) {
    this.#means = means;
  }

  /** Makes the job where it is not, and listens for a while: how the task ended, once that is known; null while it goes on. */
  async follow(task: Task, job: RunnerJob): Promise<TaskEnd | null> {
    let exit: Exit | null = null;
    try {
      exit = await this.#listen(task, job);
    } catch (error) {
      return this.#unheard(error);
    }
    return exit && endOf(exit, await collect(task, job, this.#means.artifacts));
  }

  async #listen(task: Task, job: RunnerJob): Promise<Exit | null> {
    const { kv, log, workplace } = this.#means;
    const spec = log.spec();
    if (spec) {
      await workplace.make(job, spec);
      log.made();
    } else await workplace.open();
    if (kv.get("cancelling")) await job.cancel();
    for await (const event of job.events(log.heard(), AbortSignal.timeout(LISTEN_MS))) {
      this.#silentSince = null;
      if (event.type === "exit") return event;
      this.#take(task, event);
    }
    return null;
  }

  #take(task: Task, { seq, at, type, data }: Exclude<JobEvent, Exit>): void {
    const { db, log, outbox, beside, wake } = this.#means;
    const fresh = log.hear({ seq, at, type, data });
    if (fresh && type === "security") {
      outbox.add(incidentEntry(task, data, at));
      beside(task, outbox.send());
    }
    if (type === "status" && log.task()?.status === "pending") {
      log.change({ status: "running", startedAt: at });
      beside(task, db.update(tables.tasks).set({ startedAt: at }).where(eq(tables.tasks.id, task.id)));
    }
    wake();
  }

  /** A runner that does not answer is given time to come back; one that was listened to for long enough has said nothing wrong. */
  #unheard(error: unknown): TaskEnd | null {
    if (error instanceof Error && error.name === "TimeoutError") return null;
    this.#silentSince ??= Date.now();
    return endUnheard(error, { made: this.#means.log.spec() === null, silentMs: Date.now() - this.#silentSince });
  }
}
