import * as z from "zod";
import { TollgateError } from "#core";
import { isWorkspacePath } from "./path.ts";

/** The states of a task, in the order that they come. */
export type TaskStatus = "pending" | "running" | "completed" | "failed" | "cancelled";

/** Why a task ended: a closed set. */
export type ExitReason = "ok" | "error" | "timeout" | "cancelled" | "oom" | "runner_lost";

const path = z.string().refine(isWorkspacePath, { message: "must be relative, without empty segments, . and .." });
const file = z.union([z.strictObject({ path, text: z.string() }), z.strictObject({ path, base64: z.base64() })]);

/** What a task may be asked to do: `POST /v1/task`. Omitted limits are those of the key's profile. */
export const taskRequest = z.strictObject({
  engine: z.enum(["command"], { message: "must be command; other engines are not offered yet" }),
  /** Never a string: no shell reads it but one that it names. */
  argv: z.array(z.string().max(131_072)).min(1).max(1_024),
  files: z.array(file).max(10_000).default([]),
  working_directory: z.union([z.literal("."), path]).default("."),
  timeout_s: z.number().positive().optional(),
  cpu_cores: z.number().positive().optional(),
  memory_mb: z.int().positive().optional(),
  disk_mb: z.int().positive().optional(),
  /** `analysis_only` may read its workspace and change nothing. */
  mode: z.enum(["normal", "analysis_only"]).default("normal"),
  metadata: z.record(z.string().max(64), z.string().max(512)).default({}).refine((given) => Object.keys(given).length <= 16, { message: "may have 16 members" }),
});

export type TaskRequest = z.infer<typeof taskRequest>;

/** Reads a task's request. @throws TollgateError `invalid_request` naming every field that is wrong, the first as `param`. */
export function readTaskRequest(value: unknown): TaskRequest {
  const read = taskRequest.safeParse(value);
  if (read.success) return read.data;
  const problems = read.error.issues.map(({ path: at, message }) => ({ field: at.join("."), message }));
  const message = problems.map((each) => `${each.field || "The body"}: ${each.message}`).join("; ");
  throw new TollgateError("invalid_request", message, { param: problems[0]!.field || null!, details: { problems } });
}

/** A file that a task changed; null where it is gone. */
export interface TaskFile {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted";
  readonly bytes: number | null;
  readonly sha256: string | null;
}

/** How a task ended. */
export interface TaskEnd {
  readonly reason: ExitReason;
  readonly exitCode: number | null;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
  readonly files: readonly TaskFile[];
  readonly message: string | null;
}

/** What stands of a task. Times in milliseconds. */
export interface Task {
  readonly id: string;
  readonly key: string;
  readonly team: string;
  readonly status: TaskStatus;
  readonly request: TaskRequest;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly lastSeq: number;
  readonly end: TaskEnd | null;
}

/** One thing that happened in a task. `seq` begins at 1 and has no gaps. */
export interface TaskEvent {
  readonly seq: number;
  readonly at: number;
  readonly type: "status" | "stdout" | "stderr" | "exit";
  readonly data: Readonly<Record<string, unknown>>;
}
