import { expect, it } from "vitest";
import type { ExitReason, Task, TaskEnd } from "../../../src/tasks/contract.ts";
import { endEntries } from "../../../src/tasks/end-entries.ts";

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
