import { DurableObject } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { ledgerOf } from "#budget";
import { connect, tables } from "#db";
import type { JobEvent, JobSpec } from "#runner-protocol";
import { Approvals } from "./approvals.ts";
import { Artifacts } from "./artifacts.ts";
import { Callbacks, callbackWay } from "./callback.ts";
import { collect, keyOf } from "./collect.ts";
import {
  type Approval,
  type Feedback,
  type Question,
  type Taken,
  type Task,
  type TaskEnd,
  type TaskNote,
  type TaskState,
  type Unasked,
  type Word,
} from "./contract.ts";
import { dryRun, isDryCommand } from "./dry-run.ts";
import { endOf, endUnheard, endUnsaid, SILENCE_MS, unbegun } from "./end.ts";
import { Ending } from "./ending.ts";
import { EventSockets } from "./event-sockets.ts";
import { eventStream } from "./events.ts";
import { type Incident, incidentEntry, incidentNote } from "./incidents.ts";
import { TaskLog } from "./log.ts";
import { withCosts } from "./money.ts";
import { News } from "./news.ts";
import { Outbox } from "./outbox.ts";
import { type RunnerJob, RunnerRefusal } from "./runner.ts";
import { taskShape } from "./shape.ts";
import { Workplace } from "./workplace.ts";

/** The bindings that a task object uses. */
interface TaskEnv {
  readonly DB: D1Database;
  readonly EVENTS: Queue;
  readonly LEDGER: Parameters<typeof ledgerOf>[0];
  /** Where what tasks leave is kept; without one it is the object itself, up to 64 MiB. */
  readonly ARTIFACTS?: R2Bucket;
  readonly RUNNER_URL?: string;
  readonly RUNNER_SECRET?: string;
}

/** The next alarm stands before anything is done, so that whatever dies is taken up again after so long. */
const AGAIN_MS = 1_000;
/** How long one alarm listens to the runner. */
const LISTEN_MS = 60_000;
/** How long after its time a job's end is still waited for. */
const GRACE_MS = 60_000;

/**
 * One task: its state, its events, what it left. The alarm alone drives it, and does everything so that it may be done again: a job is
 * made if absent, an event of a known origin is ignored, the last event and the end are one write.
 */
export class TaskObject extends DurableObject<TaskEnv> {
  readonly #log: TaskLog;
  readonly #news = new News();
  readonly #sockets: EventSockets;
  readonly #callbacks: Callbacks;
  readonly #artifacts: Artifacts;
  readonly #approvals: Approvals;
  readonly #outbox: Outbox;
  readonly #workplace: Workplace;
  readonly #ending: Ending;
  readonly #ledger = (team: string) => ledgerOf(this.env.LEDGER, team);
  #silentSince: number | null = null;

  constructor(ctx: DurableObjectState, env: TaskEnv) {
    super(ctx, env);
    const { storage } = ctx;
    const log = new TaskLog(storage);
    const artifacts = new Artifacts(storage, env.ARTIFACTS ?? null);
    const callbacks = new Callbacks(storage, () => callbackWay(env, () => this.#told()));
    const outbox = new Outbox(storage, env.EVENTS);
    const workplace = new Workplace(ctx, env);
    this.#log = log;
    this.#sockets = new EventSockets(ctx, log);
    this.#callbacks = callbacks;
    this.#artifacts = artifacts;
    this.#approvals = new Approvals(storage, log);
    this.#outbox = outbox;
    this.#workplace = workplace;
    this.#ending = new Ending({ storage, db: connect(env.DB), ledger: this.#ledger, log, outbox, callbacks, artifacts, workplace });
  }

  /** Begins, once what is asked is answered; it runs on its own from here. One that began already stays what it is. */
  async begin(task: Task, spec: JobSpec, question: Question | null): Promise<TaskState> {
    if (!this.#log.task()) {
      this.#log.begin(task, spec);
      if (question) this.ctx.storage.kv.put("question", question);
      await this.ctx.storage.setAlarm(Date.now());
    }
    return this.view()!;
  }

  /** The task; null where none began. */
  view(): TaskState | null {
    const view = this.#log.view();
    return view && { ...view, approvals: view.end ? [] : this.#approvals.open(), callback: this.#callbacks.told(view) };
  }

  /** Keeps what its owner thought of it; false before it has ended. */
  judge(feedback: Feedback): boolean {
    if (!this.#log.task()?.end) return false;
    this.#log.judge(feedback);
    return true;
  }

  /**
   * Takes down what the gateway saw of it, and why it ended an answer to it, where it did. What comes after the task's end comes too
   * late to be told.
   */
  note(notes: readonly TaskNote[], refusal: string | null): void {
    const task = this.#log.task();
    if (!task || task.end) return;
    if (refusal !== null) this.ctx.storage.kv.put("refusal", refusal);
    this.#log.add(...notes);
    this.#wake();
  }

  /** Takes down a call that an agent asks about, where nobody has taken it down. */
  noteUnseen(call: { readonly id: string; readonly name: string }, note: TaskNote): Taken {
    const taken = this.#log.task()?.end === null ? this.#log.takes(call) : "ended";
    if (taken === "taken") this.note([note], null);
    return taken;
  }

  /** Takes down what the gateway saw of it that is a matter of security: the same once, also after its end. */
  async incident(incident: Incident): Promise<void> {
    const task = this.#log.task();
    const note = incidentNote(incident, Date.now());
    if (!task || !this.#outbox.addOnce(note.origin, incidentEntry(task, incident, note.at))) return;
    this.note([note], null);
    await this.#outbox.send();
  }

  /** Puts a question to whoever owns the task, and waits so long for the word on it; why it is not put, where it is not. */
  async ask(question: Question, ms: number): Promise<Approval | Unasked> {
    for (const until = Date.now() + ms; ;) {
      if (this.#log.task()?.end !== null) return "ended";
      if (!this.#approvals.takes(question)) return "full";
      const approval = this.#put(question);
      if (approval.word !== null || Date.now() >= until) return approval;
      await this.#news.more(until - Date.now());
    }
  }

  /** The word on a question; null where nobody asks it. */
  async decide(id: string, word: Word): Promise<Approval | null> {
    if (this.#log.task()?.end !== null) return null;
    const approval = this.#approvals.decide(id, word);
    this.#wake();
    if (this.#log.spec() !== null) await this.ctx.storage.setAlarm(Date.now());
    return approval;
  }

  /** Ends it, wherever it is; once it has ended, nothing. */
  async cancel(): Promise<void> {
    const task = this.#log.task();
    if (!task || task.end) return;
    this.ctx.storage.kv.put("cancelling", true);
    await this.ctx.storage.setAlarm(Date.now());
    // What is not there yet, or does not answer, the alarm cancels.
    if (this.#log.spec() === null)
      await this.#workplace
        .job(task.id)
        ?.cancel()
        .catch(() => undefined);
  }

  /** Gives the command something to read; false where it does not read any more. */
  async write(bytes: Uint8Array): Promise<boolean> {
    const task = this.#log.task();
    if (!task || task.end || this.#log.spec() !== null) return false;
    try {
      await this.#workplace.job(task.id)?.write(bytes);
      return true;
    } catch (error) {
      if (error instanceof RunnerRefusal) return false;
      throw error;
    }
  }

  /** `/events?after=N` as SSE until the exit, or over a WebSocket, `/artifacts` as a tar, `/artifacts?path=…` as that file. */
  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const task = this.#log.task();
    if (!task) return new Response(null, { status: 404 });
    if (pathname === "/events") {
      const after = Number(searchParams.get("after"));
      if (request.headers.get("upgrade") === "websocket") return this.#sockets.accept(after);
      const body = eventStream(this.#log, { after, more: (ms) => this.#news.more(ms) });
      return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
    }
    const left = await this.#artifacts.read(keyOf(task), searchParams.get("path"));
    return new Response(left, { status: left ? 200 : 404 });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#sockets.hear(socket, message);
  }

  override webSocketClose(socket: WebSocket): void {
    socket.close();
  }

  override async alarm(): Promise<void> {
    const task = this.#log.task();
    if (!task) return;
    await this.ctx.storage.setAlarm(Date.now() + AGAIN_MS);
    try {
      await (task.end ? this.#settle(task, task.end) : this.#drive(task));
    } catch (error) {
      report(task, error);
    }
  }

  async #drive(task: Task): Promise<void> {
    const job = this.#workplace.job(task.id);
    if (!job) return this.#lost(task, "this gateway has no runner any more");
    const late = task.createdAt + task.effective.timeoutS * 1000 + SILENCE_MS + GRACE_MS;
    if (Date.now() > late) return this.#lost(task, "the runner did not say an end in time");
    this.#beside(task, this.#callbacks.send(task));
    this.#beside(task, this.#outbox.send());
    if (this.#log.spec() !== null && !(await this.#mayBegin(task))) return;
    let exit: Extract<JobEvent, { type: "exit" }> | null = null;
    try {
      exit = await this.#follow(task, job);
    } catch (error) {
      return this.#unheard(task, error);
    }
    if (exit) await this.#end(task, endOf(exit, await collect(task, job, this.#artifacts)));
  }

  /** Whether the job may be made: not before the word that it waits for, and not where the task ends without it. */
  async #mayBegin(task: Task): Promise<boolean> {
    const { kv } = this.ctx.storage;
    const dry = isDryCommand(task);
    if (dry) this.#log.add(dryRun(this.#log.spec()!, Date.now()));
    const question = kv.get<Question>("question");
    const approval = question ? this.#put(question) : null;
    const next = unbegun(task, { dry, approval, cancelling: kv.get("cancelling") === true });
    if (typeof next === "number") await this.ctx.storage.setAlarm(next);
    else if (next) await this.#end(task, next);
    return next === null;
  }

  #put(question: Question): Approval {
    const { approval, fresh } = this.#approvals.ask(question, Date.now());
    if (fresh) this.#wake();
    const task = this.#log.task();
    if (fresh && task) {
      this.#callbacks.ask(task, Date.now());
      this.#beside(task, this.#callbacks.send(task));
    }
    return approval;
  }

  /** Makes the job where it is not, and takes its events down; its exit, once it is said. */
  async #follow(task: Task, job: RunnerJob): Promise<Extract<JobEvent, { type: "exit" }> | null> {
    const spec = this.#log.spec();
    if (spec) {
      await this.#workplace.make(job, spec);
      this.#log.made();
    } else await this.#workplace.open();
    if (this.ctx.storage.kv.get("cancelling")) await job.cancel();
    for await (const event of job.events(this.#log.heard(), AbortSignal.timeout(LISTEN_MS))) {
      this.#silentSince = null;
      if (event.type === "exit") return event;
      this.#take(task, event);
    }
    return null;
  }

  #take(task: Task, { seq, at, type, data }: Exclude<JobEvent, { type: "exit" }>): void {
    const fresh = this.#log.hear({ seq, at, type, data });
    if (fresh && type === "security") {
      this.#outbox.add(incidentEntry(task, data, at));
      this.#beside(task, this.#outbox.send());
    }
    if (type === "status" && this.#log.task()?.status === "pending") {
      this.#log.change({ status: "running", startedAt: at });
      const { tasks } = tables;
      this.#beside(task, connect(this.env.DB).update(tasks).set({ startedAt: at }).where(eq(tasks.id, task.id)));
    }
    this.#wake();
  }

  /** A runner that does not answer is given time to come back; one that was listened to for long enough has said nothing wrong. */
  async #unheard(task: Task, error: unknown): Promise<void> {
    if (error instanceof Error && error.name === "TimeoutError") return;
    this.#silentSince ??= Date.now();
    const end = endUnheard(error, { made: this.#log.spec() === null, silentMs: Date.now() - this.#silentSince });
    if (end) await this.#end(task, end);
  }

  async #lost(task: Task, message: string): Promise<void> {
    await this.#end(task, endUnsaid(message, "runner_lost"));
  }

  async #end(task: Task, exited: TaskEnd): Promise<void> {
    await this.#ending.end(task, exited);
    this.#wake();
    await this.ctx.storage.setAlarm(Date.now());
  }

  async #settle(task: Task, end: TaskEnd): Promise<void> {
    const next = await this.#ending.settle(task, end);
    if (next !== null) await this.ctx.storage.setAlarm(next);
  }

  /** What its owner is called back with: the task as it stands now. */
  async #told(): Promise<string> {
    const [view] = await withCosts(this.#ledger, [this.view()!]);
    return JSON.stringify(taskShape(view!));
  }

  /** What its runner says waits for nobody's receiver; what fails the next alarm takes up again. */
  #beside(task: Task, work: PromiseLike<unknown>): void {
    this.ctx.waitUntil(Promise.resolve(work).catch((error: unknown) => report(task, error)));
  }

  #wake(): void {
    this.#sockets.tell();
    this.#news.tell();
  }
}

/** Tells of a failure that the next alarm, which stands already, takes up again. */
function report({ id }: Task, error: unknown): void {
  // oxlint-disable-next-line no-console -- nobody waits for an alarm; the log is where its failure is told.
  console.error(JSON.stringify({ level: "error", code: "task_alarm", task: id, reason: String(error) }));
}
