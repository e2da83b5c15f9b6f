import { expect, it } from "vitest";
import type { ExitReason, Task, TaskEnd } from "../../../src/tasks/contract.ts";
import { KILLED_FOR_CALL } from "../../../runner/protocol.ts";
import { endEntries } from "../../../src/tasks/end-entries.ts";
import { type Incident, incidentEntry } from "../../../src/tasks/incidents.ts";

const TASK = { id: "task_1", key: "key_1", team: "team_1", profile: "default" } as Task;
const end = (reason: ExitReason): TaskEnd => ({
  reason,
  at: 5,
  exitCode: 137,
  cpuMs: 1,
  memoryPeakBytes: 2 ** 28,
  files: [],
  message: null,
});

it.each(["ok", "error", "timeout", "cancelled", "runner_lost"] as const)("A25: an end by %s is one entry", (reason) => {
  const whose = { task: "task_1", key: "key_1", team: "team_1", at: 5 };
  expect(endEntries(TASK, end(reason), 7)).toMatchObject([{ ...whose, type: "task.end", outcome: reason === "ok" ? "ok" : "error" }]);
});

it("A38, A56: a command that is killed for a system call is a security event as well, as far as its exit code tells", () => {
  const killed = { ...end("error"), exitCode: KILLED_FOR_CALL };
  expect(endEntries(TASK, killed, 0)).toMatchObject([
    { type: "security_event", severity: "warning", task: "task_1", details: { event: "system_call_killed", exit_code: 159 } },
    { type: "task.end" },
  ]);
  expect(endEntries(TASK, { ...killed, reason: "timeout" }, 0)).toHaveLength(1);
});

it.each<[Incident, "warning" | "critical"]>([
  [{ event: "egress_denied", host: "a.example", port: 443, reason: "not_allowed" }, "warning"],
  [{ event: "egress_denied", host: "a.example", port: 443, reason: "not_public" }, "critical"],
  [{ event: "claim_refused", op: "cancel", reason: "expired" }, "warning"],
  [{ event: "claim_refused", op: "create", reason: "rebound" }, "critical"],
  [{ event: "credential_refused", reason: "the task's time is over" }, "warning"],
])("A38: %j is a security event of its task's, %s", (incident, severity) => {
  const whose = { task: "task_1", key: "key_1", team: "team_1", actor: { kind: "task", id: "task_1" }, at: 5 };
  expect(incidentEntry(TASK, incident, 5)).toMatchObject({
    type: "security_event",
    severity,
    outcome: "denied",
    ...whose,
    details: incident,
  });
});

it("A38: a task that is killed for its memory is a security event as well", () => {
  const [event, ended] = endEntries(TASK, end("oom"), 1_500_000_000);
  expect(event).toMatchObject({
    type: "security_event",
    severity: "warning",
    task: "task_1",
    details: { event: "oom", memory_peak_bytes: 2 ** 28 },
  });
  expect(ended).toMatchObject({ type: "task.end", outcome: "error", details: { reason: "oom", spent_usd: "1.5" } });
});
