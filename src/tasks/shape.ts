import { usdFromNano } from "#core";
import type { Approval, Callback, TaskView } from "./contract.ts";
import type { Permit } from "./permit.ts";
import type { Prospect } from "./prospect.ts";

/** A task as its owner is told of it. */
export function taskShape(task: TaskView) {
  const { end, effective } = task;
  return {
    id: task.id,
    object: "task",
    status: task.status,
    exit_reason: end?.reason ?? null,
    engine: effective.engine,
    mode: effective.mode,
    key: task.key,
    profile: task.profile,
    model: task.model ?? null,
    metadata: task.metadata,
    created_at: iso(task.createdAt),
    started_at: iso(task.startedAt),
    ended_at: iso(end?.at ?? null),
    last_seq: task.lastSeq,
    callback: task.callback && callbackShape(task.callback),
    approvals: task.approvals.map(approvalShape),
    feedback: task.feedback && { score: task.feedback.score, comment: task.feedback.comment, at: iso(task.feedback.at) },
    cost: {
      cap_usd: usdFromNano(effective.maxCostNano),
      spent_usd: usdFromNano(task.cost.spent),
      reserved_usd: usdFromNano(task.cost.reserved),
    },
    ...(end ? endShape(end, task.said) : { resources: { cpu_ms: null, memory_peak_bytes: null }, result: null, error: null }),
  };
}

function callbackShape({ url, status, attempts, lastError }: Callback) {
  return { url, status, attempts, last_error: lastError };
}

/** What waits, or waited, for a person's word. */
export function approvalShape({ id, tool, input, askedAt, word }: Approval) {
  const told = { decision: word?.decision ?? null, reason: word?.reason ?? null, decided_at: iso(word?.at ?? null) };
  return { id, object: "approval", tool, input, asked_at: iso(askedAt), ...told };
}

function endShape(end: NonNullable<TaskView["end"]>, said: TaskView["said"]) {
  const { reason, exitCode, cpuMs, memoryPeakBytes, files, message } = end;
  return {
    resources: { cpu_ms: cpuMs, memory_peak_bytes: memoryPeakBytes },
    result: { text: said?.text ?? null, structured: said?.structured ?? null, exit_code: exitCode, files, message },
    error: reason === "ok" ? null : { code: reason, message: message ?? reasonIn(end) },
  };
}

/** What a request would come to: what would be in force, where each value is from, and everything that is in its way. */
export function verdictShape({ permit, violations }: Prospect) {
  return { valid: violations.length === 0, effective: permit && effectiveShape(permit), explain: permit?.explain ?? [], violations };
}

function effectiveShape({ effective }: Permit) {
  const { engine, mode, filesystem, timeoutS, cpuCores, memoryMb, diskMb, maxCostNano, hosts } = effective;
  const { tools, agents, skills, deniedCommands, approveTools } = effective;
  const may = { tools, agents, skills, denied_commands: deniedCommands, approve_tools: approveTools };
  const limits = { timeout_s: timeoutS, cpu_cores: cpuCores, memory_mb: memoryMb, disk_mb: diskMb, max_cost_usd: usdFromNano(maxCostNano) };
  return { engine, mode, ...may, filesystem, network: { hosts }, ...limits };
}

function reasonIn({ reason, exitCode }: NonNullable<TaskView["end"]>): string {
  switch (reason) {
    case "timeout":
      return "It took longer than it may";
    case "oom":
      return "It needed more memory than it may have";
    case "cancelled":
      return "It was cancelled";
    case "budget":
      return "A call of it was refused, since it had come to its cap";
    case "policy":
      return "It was stopped at what it may not do";
    case "runner_lost":
      return "Its runner was lost";
    case "ok":
    case "error":
      return exitCode === null ? "It could not be run" : `It ended with exit code ${exitCode}`;
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
