import type { JobSpec } from "#runner-protocol";
import { OwnRunner, secretIn } from "./container.ts";
import { RunnerJob } from "./runner.ts";

/** The runner that serves all tasks, where a deployment has one. */
interface SharedRunner {
  readonly RUNNER_URL?: string;
  readonly RUNNER_SECRET?: string;
}

const LEAVE_TRIES = 20;

/** Where the job of one task is: at a runner of the task's own, in a container, or at the one that serves all. */
export class Workplace {
  readonly #kv: DurableObjectStorage["kv"];
  readonly #shared: SharedRunner;
  /** Null where one runner serves all. */
  readonly #own: OwnRunner | null;

  constructor({ container, exports, storage }: DurableObjectState, shared: SharedRunner) {
    this.#kv = storage.kv;
    this.#shared = shared;
    this.#own = container && !shared.RUNNER_URL ? new OwnRunner(container, exports.default, () => secretIn(storage)) : null;
  }

  /** A task's job there; null where the deployment has no runner. */
  job(task: string): RunnerJob | null {
    if (this.#own) return new RunnerJob(this.#own.at, task);
    const { RUNNER_URL: url, RUNNER_SECRET: secret } = this.#shared;
    return url && secret ? new RunnerJob({ url, secret, fetch: (to, init) => fetch(to, init) }, task) : null;
  }

  /** Makes a job there. @throws RunnerRefusal */
  async make(job: RunnerJob, spec: JobSpec): Promise<void> {
    await this.#own?.start();
    await job.create(spec);
  }

  /** Finds the way to a job that was made before. */
  async open(): Promise<void> {
    await this.#own?.open();
  }

  /** Leaves nothing of a task there, and does so once; after so many tries that failed it is given up. */
  async leave(task: string): Promise<void> {
    const tries = (this.#kv.get<number>("forgetting") ?? 0) + 1;
    this.#kv.put("forgetting", tries);
    if (tries <= LEAVE_TRIES) await (this.#own ? this.#own.end() : this.job(task)?.forget());
    this.#kv.put("forgetting", LEAVE_TRIES);
  }
}
