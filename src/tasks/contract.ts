import { tables } from "#db";
import type { FileChange } from "#runner-protocol";
import type { Engine, OutputSchema, Said } from "./engines/contract.ts";
import type { Permissions } from "./permissions/verdict.ts";

/** The states of a task, in the order that they come. */
export const STATUSES = ["pending", "running", "waiting_approval", "completed", "failed", "cancelled"] as const;
export type TaskStatus = (typeof STATUSES)[number];

/** Why a task ended: the closed set that its row may hold. */
export const EXIT_REASONS = tables.tasks.exitReason.enumValues;
export type ExitReason = (typeof EXIT_REASONS)[number];

/** How long a task, its events and what it left are kept after its end. */
export const KEPT_MS = 30 * 86_400_000;

/** What a key's tasks may do, and how much they may use. */
export interface Profile {
  readonly name: string;
  readonly engines: readonly Engine[];
  readonly tools: readonly string[];
  readonly agents: readonly string[];
  readonly skills: readonly string[];
  /** Patterns; a guard-rail that is audited, never the wall. */
  readonly deniedCommands: readonly string[];
  /** What waits for a person's word; absent in profiles of before there were approvals. */
  readonly approveTools?: readonly string[];
  /** What a task may reach beyond the gateway, where its request names it. */
  readonly hosts: readonly string[];
  readonly filesystem: "none" | "readonly" | "readwrite";
  /** Of each key, at once. */
  readonly maxConcurrentTasks: number;
  readonly cpuCores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly timeoutS: number;
  readonly maxCostNano: number;
}

/** What a task runs with, once its profile and its request are one. */
export interface Effective extends Permissions {
  readonly engine: Engine;
  /** What it may reach beyond the gateway. */
  readonly hosts: readonly string[];
  readonly filesystem: Profile["filesystem"];
  readonly timeoutS: number;
  readonly cpuCores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly maxCostNano: number;
}

/** Something that a request asks for and may not have. */
export interface Violation {
  readonly kind: "profile" | "engine" | "limit" | "command" | "tool" | "agent" | "skill" | "host" | "model" | "field";
  readonly name: string;
  readonly field: string | null;
  readonly reason: string;
}

/** How a task ended. */
export interface TaskEnd {
  readonly reason: ExitReason;
  readonly at: number;
  readonly exitCode: number | null;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
  readonly files: readonly FileChange[];
  /** What a person should know beside the reason. */
  readonly message: string | null;
}

/** What stands of a task. Times in milliseconds. */
export interface Task {
  readonly id: string;
  readonly key: string;
  readonly team: string;
  readonly profile: string;
  readonly status: TaskStatus;
  readonly effective: Effective;
  /** What an agent was asked to call; null where its engine was left the choice. */
  readonly model: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Who is told of its end; missing where it began before anybody was. */
  readonly callbackUrl?: string | null;
  /** What it is to come to; missing where it began before tasks remembered it. */
  readonly outputSchema?: OutputSchema | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly end: TaskEnd | null;
  /** What its calls came to, once none of them is in flight any more; before, its team's ledger knows. */
  readonly spentNano: number | null;
}

/** What has become of calling a task's owner back. */
export interface Callback {
  readonly url: string;
  readonly status: "waiting" | "pending" | "delivered" | "failed";
  readonly attempts: number;
  readonly lastError: string | null;
}

/** What its owner thought of a task. */
export interface Feedback {
  readonly score: number;
  readonly comment: string | null;
  readonly at: number;
}

/** What a person is to judge is shown whole, and so is no longer, as JSON. */
export const SHOWN_CHARACTERS = 65_536;

/** A call that waits for a person's word. */
export interface Question {
  readonly id: string;
  readonly tool: string;
  readonly input: unknown;
}

/** What a person said to a question. */
export interface Word {
  readonly decision: "approve" | "deny";
  readonly reason: string | null;
  readonly at: number;
}

/** Why a question is not put: its task has ended, or too many wait already. */
export type Unasked = "ended" | "full";

/** What becomes of a call that an agent asks about: it is taken down, or was before; its task has ended, or has asked about too many. */
export type Taken = "taken" | "known" | "ended" | "full";

/** A question, and the word on it; null while it waits. */
export interface Approval extends Question {
  readonly askedAt: number;
  readonly word: Word | null;
}

/** A task as its object tells it: with the number of its last event, and once it has ended what it said and what was thought of it. */
export interface TaskState extends Task {
  /** What waits for a person's word. */
  readonly approvals: readonly Approval[];
  readonly lastSeq: number;
  readonly said: Said | null;
  readonly feedback: Feedback | null;
  readonly callback: Callback | null;
}

/** A task as it is told, with what its calls came to, and what is held for them and for others to come. In nano-USD. */
export interface TaskView extends TaskState {
  readonly cost: { readonly spent: number; readonly reserved: number };
}

/** One thing that happened in a task. `seq` begins at 1 and has no gaps. */
export interface TaskEvent {
  readonly seq: number;
  readonly at: number;
  readonly type: "status" | "stdout" | "stderr" | "model_call" | "tool_call" | "approval" | "security" | "exit";
  readonly data: Readonly<Record<string, unknown>>;
}

/** An event before the task's log has numbered it. One of the same origin is the same event, however often it is told. */
export interface TaskNote extends Omit<TaskEvent, "seq"> {
  readonly origin: string;
}
