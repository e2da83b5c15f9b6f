import { and, eq, isNull, lt } from "drizzle-orm";
import { type Db, tables } from "#db";
import type { TaskObject } from "./task.do.ts";

const { tasks } = tables;
/** So long after its making a task has begun, or never will. */
const BEGUN_MS = 60_000;
const SWEPT_AT_ONCE = 50;
const KEPT_MS = 30 * 86_400_000;

/** Gives back the places of tasks that were written down and, as something died between, never began; and drops what has outlived its time. */
export async function sweepTasks(db: Db, objects: DurableObjectNamespace<TaskObject>, now: number): Promise<void> {
  await db.delete(tasks).where(lt(tasks.endedAt, now - KEPT_MS));
  const open = await db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(isNull(tasks.endedAt), lt(tasks.createdAt, now - BEGUN_MS)))
    .limit(SWEPT_AT_ONCE);
  for (const { id } of open) {
    if ((await objects.getByName(id).view()) === null) await db.delete(tasks).where(eq(tasks.id, id));
  }
}
