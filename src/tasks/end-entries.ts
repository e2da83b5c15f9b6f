import { auditEntry, type AuditEvent } from "#audit";
import { type Nano, usdFromNano } from "#core";
import type { Task, TaskEnd } from "./contract.ts";

/** What the audit is told of a task's end; one that its sandbox had to kill for its memory is a security event as well. */
export function endEntries({ id, key, team, profile }: Task, end: TaskEnd, spent: Nano): AuditEvent[] {
  const { reason, at, exitCode, cpuMs, memoryPeakBytes, files, message } = end;
  const subject = { kind: "task", id };
  const whose = { at, subject, actor: { kind: "task", id } as const, team, key, task: id };
  const used = { exit_code: exitCode, cpu_ms: cpuMs, memory_peak_bytes: memoryPeakBytes, spent_usd: usdFromNano(spent) };
  const details = { reason, profile, ...used, files: files.length, message };
  const ended = auditEntry({ ...whose, type: "task.end", outcome: reason === "ok" ? "ok" : "error", details });
  if (reason !== "oom") return [ended];
  const event = { event: reason, memory_peak_bytes: memoryPeakBytes };
  return [auditEntry({ ...whose, type: "security_event", severity: "warning", outcome: "denied", details: event }), ended];
}
