import { postSigned } from "#alerts";
import { auditEntry, type AuditEvent } from "#audit";
import { readConfig } from "#config";
import { newId } from "#core";
import { callbackSecret } from "#keys";
import type { Callback, Task } from "./contract.ts";

/** What posting needs: what is said, what to sign it with, where it may lead, and whom to tell what became of it. */
interface CallbackWay {
  readonly body: () => Promise<string>;
  readonly secret: (key: string) => Promise<string>;
  readonly allowPrivate: boolean;
  readonly audit: (entry: AuditEvent) => Promise<unknown>;
}

/** The way of a deployment, by what it is configured with. */
export function callbackWay(env: { readonly EVENTS: Queue }, body: () => Promise<string>): CallbackWay {
  const { TOLLGATE_PEPPER: pepper, allowPrivateUpstreams: allowPrivate } = readConfig(env);
  return { body, secret: (key) => callbackSecret(pepper, key), allowPrivate, audit: (entry) => env.EVENTS.send(entry) };
}

/** A callback as it is stored. */
interface Stored extends Pick<Callback, "status" | "attempts" | "lastError"> {
  /** By which its receiver knows what it has had before. */
  readonly id: string;
  readonly since: number;
  readonly nextAt: number;
}

const DAY_MS = 86_400_000;
const WAIT_MS_MAX = 3_600_000;

/**
 * How a task's owner is called back: at least once, by an id that stays the same, until an answer of 2xx or for a day. What is posted is
 * the task as it stands then, so one that is asked for takes the place of one that has not arrived.
 */
export class Callbacks {
  readonly #storage: DurableObjectStorage;
  readonly #way: () => CallbackWay;

  constructor(storage: DurableObjectStorage, way: () => CallbackWay) {
    this.#storage = storage;
    this.#way = way;
  }

  /** Has the owner called, where one wants to be. */
  ask({ callbackUrl }: Task, now: number): void {
    if (callbackUrl) this.#keep({ id: newId("dlv", now), status: "pending", attempts: 0, lastError: null, since: now, nextAt: now });
  }

  /** What has become of it; null where nobody wants to be called. */
  told({ callbackUrl }: Task): Callback | null {
    if (!callbackUrl) return null;
    const { status, attempts, lastError } = this.#stored() ?? { status: "waiting", attempts: 0, lastError: null };
    return { url: callbackUrl, status, attempts, lastError };
  }

  /** Makes the attempt that is due; answers when the next one is, or null. */
  async send(task: Task): Promise<number | null> {
    const way = this.#way();
    await this.#tell(way);
    const due = this.#stored();
    if (!task.callbackUrl || due?.status !== "pending") return null;
    const now = Date.now();
    if (due.nextAt > now) return due.nextAt;
    // Counted before it is made: one whose answer nobody heard was made all the same.
    const made = { ...due, attempts: due.attempts + 1, nextAt: now + waitAfter(due.attempts) };
    this.#keep(made);
    const letter = { url: task.callbackUrl, id: due.id, body: await way.body(), secret: await way.secret(task.key) };
    const { error } = await postSigned(letter, { allowPrivate: way.allowPrivate, now });
    // Another may have been asked for meanwhile.
    if (this.#stored()?.id !== due.id) return now;
    const over = error === null || made.nextAt > due.since + DAY_MS;
    this.#keep({ ...made, status: over ? (error === null ? "delivered" : "failed") : "pending", lastError: error });
    if (!over) return made.nextAt;
    this.#storage.kv.put("callback_entry", entryOf(task, made, error));
    await this.#tell(way);
    return null;
  }

  /** Tells the audit; the entry's id is the same each time, and the audit takes an id once. */
  async #tell({ audit }: CallbackWay): Promise<void> {
    const entry = this.#storage.kv.get<AuditEvent>("callback_entry");
    if (!entry) return;
    await audit(entry);
    this.#storage.kv.delete("callback_entry");
  }

  #stored(): Stored | null {
    return this.#storage.kv.get<Stored>("callback") ?? null;
  }

  #keep(stored: Stored): void {
    this.#storage.kv.put("callback", stored);
  }
}

/** A second after the first attempt, then twice as long each time, up to an hour. */
function waitAfter(attemptsBefore: number): number {
  return Math.min(1_000 * 2 ** attemptsBefore, WAIT_MS_MAX);
}

function entryOf({ id, key, team }: Task, { attempts }: Stored, error: string | null): AuditEvent {
  return auditEntry({
    type: "task.callback",
    severity: error === null ? "info" : "warning",
    outcome: error === null ? "ok" : "error",
    actor: { kind: "task", id },
    subject: { kind: "task", id },
    team,
    key,
    task: id,
    details: { attempts, error },
  });
}
