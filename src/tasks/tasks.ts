import { and, desc, eq, isNull, sql } from "drizzle-orm";
import { auditEntry } from "#audit";
import { absent, type Caller, TollgateError } from "#core";
import { after, type Page, paged, type Paging, tables } from "#db";
import type { JobSpec } from "#runner-protocol";
import type { Approval, Feedback, Profile, Question, Task, TaskState, TaskView, Violation } from "./contract.ts";
import { type Engine, ENGINES } from "./engines/contract.ts";
import { questionOf } from "./hook.ts";
import { takeMoney, withCosts } from "./money.ts";
import { newTask } from "./new-task.ts";
import { unoffered } from "./offered.ts";
import { Oversight } from "./oversight.ts";
import { permit, waits } from "./permit.ts";
import type { TaskPlatform } from "./platform.ts";
import { ProfileStore } from "./profiles.ts";
import { type Prospect, prospectOf } from "./prospect.ts";
import { readTask, type TaskRequest } from "./request.ts";
import { isInstalled } from "./runner-health.ts";
import { specOf } from "./spec.ts";
import { sweepTasks } from "./sweep.ts";

const ID = /^task_[0-9a-z]{24}$/;
/** How long after its time a task may still call: it is the runner's clock that ends it. */
const IDENTITY_GRACE_MS = 60_000;

/** How a task is asked for: the request's id, and the origin that it came to. */
interface Asking {
  readonly requestId: string;
  readonly origin: string;
}

/** The tasks of a deployment, as one key sees them: another key's task is one that is not there. */
export class Tasks {
  readonly #platform: TaskPlatform;
  /** The same as operators see and end them. */
  readonly oversight: Oversight;

  constructor(platform: TaskPlatform) {
    this.#platform = platform;
    this.oversight = new Oversight(platform);
  }

  /** What a request would run with, and everything that is wrong with it. */
  async validate(caller: Caller, body: unknown): Promise<Prospect> {
    const profile = await this.#profile(caller);
    const prospect = prospectOf(body, profile, this.#platform);
    const { permit, request, violations } = prospect;
    const missing = permit ? await unoffered(permit.effective, this.#platform.health) : [];
    const barrier = request && (await this.#barrier(caller, request));
    const unmet = [...missing, ...(barrier ? [barred(request, barrier)] : [])];
    return { ...prospect, violations: [...(profile ? [] : [noProfile(caller)]), ...violations, ...unmet] };
  }

  /** The engines that can run now, as far as is known before one does; null where the runner does not answer. */
  async engines(): Promise<readonly Engine[] | null> {
    const { runner, health } = this.#platform;
    if (health) return health.able(ENGINES);
    return runner ? ENGINES.filter((engine) => !isInstalled(engine)) : [];
  }

  /** Begins a task, whose calls come back to `origin` where the deployment names no other address. @throws TollgateError `invalid_request`, `permission_denied`, `model_not_found`, `rate_limited`, `budget_exceeded`, `overloaded`. */
  async begin(caller: Caller, body: unknown, { requestId, origin }: Asking): Promise<TaskView> {
    const profile = await this.#profile(caller);
    if (!profile) throw await this.#denied(caller, [noProfile(caller)], requestId);
    const request = readTask(body, this.#platform);
    const { effective, violations } = permit(profile, request);
    if (violations.length > 0) throw await this.#denied(caller, violations, requestId);
    if (!this.#platform.runner)
      throw new TollgateError("overloaded", "This gateway has no runner for tasks: it needs RUNNER_URL and RUNNER_SECRET");
    const [missing] = await unoffered(effective, this.#platform.health);
    if (missing) throw new TollgateError("invalid_request", `${missing.field}: ${missing.reason}`, { param: missing.field });
    const barrier = await this.#barrier(caller, request);
    if (barrier) throw barrier;
    const now = this.#platform.now();
    const task = newTask(caller, { profile, request, effective, now });
    await this.#takePlace(task, profile);
    const state = await this.#start(task, request, { origin, epoch: caller.epoch }).catch(async (error: unknown) => {
      await this.#platform.ledger(task.team).endLeases([task.id]);
      await this.#platform.db.delete(tables.tasks).where(eq(tables.tasks.id, task.id));
      throw error;
    });
    await this.#audit(caller, {
      type: "task.create",
      task: task.id,
      subject: { kind: "task", id: task.id },
      request: requestId,
      details: {
        profile: profile.name,
        engine: effective.engine,
        asked: (request.prompt ?? (request.argv ?? []).join(" ")).slice(0, 1_000),
        files: request.files.length,
      },
    });
    return { ...state, cost: { spent: 0, reserved: effective.maxCostNano } };
  }

  /** A task of the key's own. @throws TollgateError `not_found`. */
  async get(caller: Caller, id: string): Promise<TaskView> {
    const [view] = await withCosts(this.#platform.ledger, [await this.#state(caller, id)]);
    return view!;
  }

  async #state(caller: Caller, id: string): Promise<TaskState> {
    const state = ID.test(id) ? await (this.#object(id).view() as Promise<TaskState | null>) : null;
    if (state?.key !== caller.key) throw absent("task");
    return state;
  }

  /** The key's own tasks, newest first. */
  async list(caller: Caller, { limit, cursor }: Paging): Promise<Page<TaskView>> {
    const rows = await this.#platform.db
      .select({ id: tables.tasks.id, createdAt: tables.tasks.createdAt })
      .from(tables.tasks)
      .where(and(eq(tables.tasks.key, caller.key), after(tables.tasks, cursor)))
      .orderBy(desc(tables.tasks.createdAt), desc(tables.tasks.id))
      .limit(limit + 1);
    const page = paged(rows, limit);
    const states = await Promise.all(page.rows.map(async ({ id }) => this.#object(id).view() as Promise<TaskState | null>));
    const told = states.filter((state) => state !== null);
    return { rows: await withCosts(this.#platform.ledger, told), next: page.next };
  }

  /** Ends a task, wherever it is; none of its calls is admitted any more. @throws TollgateError `not_found`. */
  async cancel(caller: Caller, id: string): Promise<TaskView> {
    const state = await this.#state(caller, id);
    if (!state.end) await this.oversight.end([state]);
    return this.get(caller, id);
  }

  /** Says the word that a call, or the command, of a task waits for. @throws TollgateError `not_found`, `invalid_request` where another was said. */
  async approve(caller: Caller, id: string, { approval, decision, reason }: Approving): Promise<Approval> {
    const { end } = await this.get(caller, id);
    if (end) throw new TollgateError("invalid_request", "The task has ended", { param: "id" });
    const word = { decision, reason, at: this.#platform.now() };
    const said = await (this.#object(id).decide(approval, word) as Promise<Approval | null>);
    if (!said?.word) throw new TollgateError("not_found", "The task asks nothing of this id");
    if (said.word.decision !== decision) {
      throw new TollgateError("invalid_request", `It was decided before: ${said.word.decision}`, { param: "decision" });
    }
    const details = { approval, decision, reason, tool: said.tool };
    await this.#audit(caller, { type: "task.approve", task: id, subject: { kind: "task", id }, details });
    return said;
  }

  /** Gives a task's command something to read. @throws TollgateError `not_found`, `invalid_request` where it does not read any more. */
  async write(caller: Caller, id: string, bytes: Uint8Array): Promise<void> {
    const { end, effective } = await this.#state(caller, id);
    if (isInstalled(effective.engine)) {
      throw new TollgateError("invalid_request", `The engine ${effective.engine} reads nothing while it runs`, { param: "id" });
    }
    if (end || !(await this.#object(id).write(bytes))) {
      throw new TollgateError("invalid_request", end ? "The task has ended" : "The task does not read at the moment", { param: "id" });
    }
  }

  /** What callbacks about the key's tasks are signed with. */
  callbackSecret({ key }: Caller): Promise<string> {
    return this.#platform.callbackSecret(key);
  }

  /** Keeps what its owner thought of a task, in the place of what was thought before. @throws TollgateError `not_found`, `invalid_request` before its end. */
  async judge(caller: Caller, id: string, { score, comment }: Omit<Feedback, "at">): Promise<TaskView> {
    await this.#state(caller, id);
    const at = this.#platform.now();
    if (!(await this.#object(id).judge({ score, comment, at }))) {
      throw new TollgateError("invalid_request", "The task has not ended yet", { param: "id" });
    }
    await this.#platform.db.update(tables.tasks).set({ score, comment, scoredAt: at }).where(eq(tables.tasks.id, id));
    await this.#audit(caller, { type: "task.feedback", task: id, subject: { kind: "task", id }, details: { score } });
    return this.get(caller, id);
  }

  /** Takes down that a task's credential was shown when it opened nothing. */
  async credentialRefused(task: string, reason: string): Promise<void> {
    await this.#object(task).incident({ event: "credential_refused", reason });
  }

  /** A task's events after one, until its exit, as server-sent events. @throws TollgateError `not_found`. */
  async events(caller: Caller, id: string, after: number): Promise<Response> {
    await this.#state(caller, id);
    return this.#object(id).fetch(`http://task/events?after=${after}`);
  }

  /** The same over a WebSocket, whose client's end it is; null where all sockets that a task may have are open. @throws TollgateError `not_found`. */
  async eventSocket(caller: Caller, id: string, after: number): Promise<WebSocket | null> {
    await this.#state(caller, id);
    const { webSocket } = await this.#object(id).fetch(`http://task/events?after=${after}`, { headers: { upgrade: "websocket" } });
    return webSocket;
  }

  /** What a task left: all of it as a tar, or one file. @throws TollgateError `not_found`. */
  async artifacts(caller: Caller, id: string, path: string | null): Promise<ReadableStream> {
    await this.#state(caller, id);
    const query = path === null ? "" : `?path=${encodeURIComponent(path)}`;
    const { ok, body } = await this.#object(id).fetch(`http://task/artifacts${query}`);
    if (!ok || !body) throw new TollgateError("not_found", path === null ? "The task has left nothing" : "The task has left no such file");
    return body;
  }

  /** Housekeeping: places of tasks that never began, and rows that have outlived their time. */
  async sweep(): Promise<void> {
    await sweepTasks(this.#platform);
  }

  async #start(
    task: Task,
    request: TaskRequest,
    { origin, epoch }: { readonly origin: string; readonly epoch: number },
  ): Promise<TaskState> {
    await takeMoney(this.#platform.ledger(task.team), task, epoch);
    const gateway = await this.#gateway(task, origin);
    const spec = specOf(request, task.effective, { gateway, strict: this.#platform.strict });
    return this.#object(task.id).begin(task, spec, await waitingFor(task, request));
  }

  /** The way to the gateway, and what the task shows there: it is good for as long as the task may take. */
  async #gateway({ id, key, effective, createdAt }: Task, asked: string): Promise<NonNullable<JobSpec["gateway"]>> {
    const until = createdAt + effective.timeoutS * 1_000 + IDENTITY_GRACE_MS;
    // A name that a certificate stands for is no client's to choose; without one it is what a Host header says.
    const url = this.#platform.origin ?? (asked.startsWith("https:") ? asked : null);
    if (url === null) throw new TollgateError("overloaded", "This gateway does not know its own address: it needs TOLLGATE_URL");
    return { url, authorization: `Bearer ${await this.#platform.identity({ task: id, key }, until)}` };
  }

  /** Why the model that is named could not be called; where none is, the engine calls one of its own. */
  async #barrier(caller: Caller, { model }: TaskRequest): Promise<TollgateError | null> {
    return model ? this.#platform.barrier(model, caller) : null;
  }

  async #profile({ profile }: Caller): Promise<Profile | null> {
    return profile === null ? null : new ProfileStore(this.#platform.db, this.#platform.now).named(profile);
  }

  /** Takes one of the places that a key has. Statements of the database stand in one line, so two can never take the last one. */
  async #takePlace({ id, key, team, profile, effective, model, createdAt }: Task, { maxConcurrentTasks: max }: Profile): Promise<void> {
    const { db } = this.#platform;
    const taken = await db.run(sql`
      insert into tasks (id, key, team, profile, engine, model, created_at)
      select ${id}, ${key}, ${team}, ${profile}, ${effective.engine}, ${model}, ${createdAt}
      where (select count(*) from tasks where key = ${key} and ended_at is null) < ${max}`);
    if (taken.meta.changes === 1) return;
    const used = await db.$count(tables.tasks, and(eq(tables.tasks.key, key), isNull(tables.tasks.endedAt)));
    throw new TollgateError("rate_limited", `This key may run ${max} tasks at once`, {
      retryAfterMs: 1_000,
      details: { limit: "concurrency", scope: { kind: "key", id: key }, max, used },
    });
  }

  async #denied(caller: Caller, violations: readonly Violation[], request: string): Promise<TollgateError> {
    // A command that may not run is told of at once.
    const severity = violations.some(({ kind }) => kind === "command") ? "critical" : "warning";
    await this.#audit(caller, { type: "permission_denied", severity, outcome: "denied", request, details: { violations } });
    const reasons = violations.map(({ field, reason }) => (field === null ? reason : `${field}: ${reason}`)).join("; ");
    const [first] = violations;
    return new TollgateError("permission_denied", `This key may not run this task: ${reasons}`, {
      ...(first?.field ? { param: first.field } : {}),
      details: { violations },
    });
  }

  async #audit({ key, team }: Caller, facts: Omit<Parameters<typeof auditEntry>[0], "actor">): Promise<void> {
    await this.#platform.events.send(auditEntry({ ...facts, actor: { kind: "key", id: key }, team, key }, this.#platform.now()));
  }

  #object(id: string) {
    return this.#platform.objects.getByName(id);
  }
}

/** A word on a question of a task's. */
interface Approving {
  readonly approval: string;
  readonly decision: "approve" | "deny";
  readonly reason: string | null;
}

/** What a task waits for before it begins; null where it begins at once. */
async function waitingFor({ id, effective }: Task, request: TaskRequest): Promise<Question | null> {
  return waits(effective, request) ? questionOf(id, request.argv ?? []) : null;
}

function noProfile({ profile }: Caller): Violation {
  const reason = profile === null ? "the key has no profile; an operator gives it one" : `there is no profile ${profile}`;
  return { kind: "profile", name: profile ?? "", field: null, reason };
}

function barred({ model }: TaskRequest, { message }: TollgateError): Violation {
  return { kind: "model", name: model ?? "", field: "model", reason: message };
}
