import { auditEntry, type AuditEvent } from "#audit";
import { type Nano, usdFromNano } from "#core";
import { KILLED_FOR_CALL } from "#runner-protocol";
import type { Task, TaskEnd } from "./contract.ts";
import { type Incident, incidentEntry } from "./incidents.ts";

/** What the audit is told of a task's end; one that its sandbox had to kill is a security event as well. */
export function endEntries(task: Task, end: TaskEnd, spent: Nano): AuditEvent[] {
  const { id, key, team, profile } = task;
  const { reason, at, exitCode, cpuMs, memoryPeakBytes, files, message } = end;
  const subject = { kind: "task", id };
  const whose = { at, subject, actor: { kind: "task", id } as const, team, key, task: id };
  const used = { exit_code: exitCode, cpu_ms: cpuMs, memory_peak_bytes: memoryPeakBytes, spent_usd: usdFromNano(spent) };
  const details = { reason, profile, ...used, files: files.length, message };
  const ended = auditEntry({ ...whose, type: "task.end", outcome: reason === "ok" ? "ok" : "error", details });
  const incident = incidentIn(end);
  return [...(incident ? [incidentEntry(task, incident, at)] : []), ended];
}

function incidentIn({ reason, exitCode, memoryPeakBytes }: TaskEnd): Incident | null {
  if (reason === "oom") return { event: "oom", memory_peak_bytes: memoryPeakBytes };
  if (reason === "error" && exitCode === KILLED_FOR_CALL) return { event: "system_call_killed", exit_code: exitCode };
  return null;
}
