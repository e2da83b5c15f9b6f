import type { Db } from "#db";
import { taskFigures } from "#tasks";
import { type Family, gauge, histogram } from "./exposition.ts";

const HOUR_MS = 3_600_000;

/** What `/metrics` tells of tasks. They take minutes, so theirs is a longer window than that of requests. */
export async function taskFamilies(db: Db, now: number): Promise<Family[]> {
  const { pending, running, ended, durations } = await taskFigures(db, now - HOUR_MS);
  return [
    gauge(
      "tollgate_pending_tasks",
      "Tasks that have not begun, by the tasks in D1, by engine.",
      pending.map(({ engine, tasks: value }) => ({ labels: { engine }, value })),
    ),
    gauge(
      "tollgate_running_tasks",
      "Tasks that have begun and not ended, by the tasks in D1, by engine.",
      running.map(({ engine, tasks: value }) => ({ labels: { engine }, value })),
    ),
    gauge(
      "tollgate_hour_tasks",
      "Tasks that began in the last hour and have ended, by the tasks in D1, by engine and by why they ended; ok is success.",
      ended.map(({ engine, reason, tasks: value }) => ({ labels: { engine, reason: reason ?? "" }, value })),
    ),
    ...histogram(
      "tollgate_hour_task_duration_seconds",
      "Seconds from being asked for until the end, of tasks that began in the last hour and have ended, by the tasks in D1.",
      durations,
    ),
  ];
}
