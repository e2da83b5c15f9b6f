import type { LeaseStatus } from "#budget";
import { type FileChange, type JobEvent, KILLED_FOR_CALL } from "#runner-protocol";
import type { Approval, ExitReason, Task, TaskEnd, TaskStatus } from "./contract.ts";
import type { Said } from "./engines/contract.ts";
import { RunnerRefusal } from "./runner.ts";
import { NOT_EXECUTED } from "./permissions/verdict.ts";

/** Of the list of changed files so much is kept: a stored value holds 2 MB at most. */
const FILES_CHARS_MAX = 500_000;
const FAILURE_CHARS_MAX = 2_000;

/** A task's end as its job's exit says it; `uncollected` tells what of its files could not be kept. */
export function endOf({ at, data }: Extract<JobEvent, { type: "exit" }>, uncollected: string | null): TaskEnd {
  const files = firstOf(data.files);
  const notes = [
    data.message,
    // Of a task that was stopped the reason says more than the signal that it was stopped by.
    data.reason === "error" && data.signal && `ended by ${data.signal}`,
    data.reason === "error" && data.code === KILLED_FOR_CALL && "killed for a system call that no task may make",
    data.droppedBytes > 0 && `${data.droppedBytes} bytes of output were dropped`,
    files.length < data.files.length && `${data.files.length - files.length} more files are not listed`,
    uncollected,
  ].filter(Boolean);
  return {
    // A job that could not be run where it should have was lost there, as far as its task is concerned.
    reason: data.reason === "lost" ? "runner_lost" : data.reason,
    at,
    exitCode: data.code,
    cpuMs: data.cpuMs,
    memoryPeakBytes: data.memoryPeakBytes,
    files,
    message: notes.length > 0 ? notes.join("; ") : null,
  };
}

/** A task's end as what its engine said lets it stand: one that says that it failed has, whatever its exit code was. */
export function endAsSaid(end: TaskEnd, { failure = null }: Said): TaskEnd {
  if (failure === null || (end.reason !== "ok" && end.reason !== "error")) return end;
  return { ...end, reason: "error", message: [failure.slice(0, FAILURE_CHARS_MAX), end.message].filter(Boolean).join("; ") };
}

/** The same end where it was for want of money: a call was refused, and what made it failed. */
export function endPaid(end: TaskEnd, { refused }: LeaseStatus): TaskEnd {
  return end.reason === "error" && refused ? { ...end, reason: "budget" } : end;
}

/** What a task came to; null while calls of it are in flight. */
export function finalOf({ ended, spent, reserved }: LeaseStatus): number | null {
  return ended && reserved === 0 ? spent : null;
}

/** The state that a task ends in. */
export function statusOf(reason: ExitReason): TaskStatus {
  if (reason === "ok") return "completed";
  return reason === "cancelled" ? "cancelled" : "failed";
}

function firstOf(files: readonly FileChange[]): FileChange[] {
  let chars = 0;
  const end = files.findIndex((file) => (chars += JSON.stringify(file).length) > FILES_CHARS_MAX);
  return end === -1 ? [...files] : files.slice(0, end);
}

/** One that fails after an answer to it was ended because of what it may not do has failed of that. */
export function endRefused(end: TaskEnd, refusal: string | undefined): TaskEnd {
  if (end.reason !== "error" || refusal === undefined) return end;
  return { ...end, reason: "policy", message: [refusal, end.message].filter((each) => each !== null).join("; ") };
}

/** An end that no job has said: the task had none, or it is lost. */
export function endUnsaid(message: string, reason: ExitReason = "error"): TaskEnd {
  return { reason, at: Date.now(), exitCode: null, cpuMs: null, memoryPeakBytes: null, files: [], message };
}

/** After so long without an answer of the runner a task is given up. */
export const SILENCE_MS = 30_000;

/** The end of a task whose runner was not heard; null while it may come back. A job that the runner does not know was lost with it. */
export function endUnheard(error: unknown, { made, silentMs }: { readonly made: boolean; readonly silentMs: number }): TaskEnd | null {
  const busy = error instanceof RunnerRefusal && error.status === 503;
  if (error instanceof RunnerRefusal && !busy) {
    const lost = made || error.status === 401;
    return lost ? endUnsaid(`the runner lost the task: ${error.message}`, "runner_lost") : endUnsaid(error.message);
  }
  if (silentMs <= SILENCE_MS) return null;
  return endUnsaid(busy ? `no runner was free: ${error.message}` : "the runner does not answer", "runner_lost");
}

/** What stands before a task's job. */
interface Before {
  readonly dry: boolean;
  /** What it waits for; null where it waits for nothing. */
  readonly approval: Approval | null;
  readonly cancelling: boolean;
}

/** What becomes of a task whose job is not made: null where it may be, when to look again, or how it ends without. */
export function unbegun({ createdAt, effective }: Task, { dry, approval, cancelling }: Before): null | number | TaskEnd {
  if (dry) return endUnsaid(NOT_EXECUTED, "ok");
  if (!approval) return null;
  const { word } = approval;
  if (word?.decision === "deny") return endUnsaid(`denied by the task's owner${word.reason === null ? "" : `: ${word.reason}`}`, "policy");
  // A word that comes after the task was cancelled begins nothing any more.
  if (cancelling) return endUnsaid("cancelled while it waited for a word", "cancelled");
  if (word) return null;
  const until = createdAt + effective.timeoutS * 1_000;
  return Date.now() < until ? until : endUnsaid("nobody gave the word that it waited for", "timeout");
}
