import type { LedgerStub } from "#budget";
import type { Caller, TollgateError } from "#core";
import type { Db } from "#db";
import type { RunnerHealth } from "./runner-health.ts";
import type { TaskObject } from "./task.do.ts";

/** What tasks are made with. */
export interface TaskPlatform {
  readonly db: Db;
  readonly events: Queue;
  readonly objects: DurableObjectNamespace<TaskObject>;
  readonly ledger: (team: string) => LedgerStub;
  /** Whether there is a runner to run them. */
  readonly runner: boolean;
  /** What it says of itself; null where there is none that could be asked. */
  readonly health: RunnerHealth | null;
  /** Where the gateway is for its runner; null: where the task was asked for. */
  readonly origin: string | null;
  /** A credential for the calls of a task. */
  readonly identity: (of: { readonly task: string; readonly key: string }, expiresAt: number) => Promise<string>;
  /** What callbacks about a key's tasks are signed with. */
  readonly callbackSecret: (key: string) => Promise<string>;
  /** Why a key's calls of a model would all be refused; null where they need not be. */
  readonly barrier: (model: string, caller: Caller) => Promise<TollgateError | null>;
  /** Whether a callback may lead to plain http and private addresses. */
  readonly allowPrivate: boolean;
  /** Refuses what a runner cannot enforce whole. */
  readonly strict: boolean;
  readonly now: () => number;
}
