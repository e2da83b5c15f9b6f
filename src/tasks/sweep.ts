import { and, eq, isNull, lt } from "drizzle-orm";
import { tables } from "#db";
import { KEPT_MS } from "./contract.ts";
import type { TaskPlatform } from "./platform.ts";

const { tasks } = tables;
/** So long after its making a task has begun, or never will. */
const BEGUN_MS = 60_000;
const SWEPT_AT_ONCE = 50;

/** Gives back the places and the money of tasks that were written down and, as something died between, never began; and drops what has outlived its time. */
export async function sweepTasks({ db, objects, ledger, now }: TaskPlatform): Promise<void> {
  const at = now();
  await db.delete(tasks).where(lt(tasks.endedAt, at - KEPT_MS));
  const open = await db
    .select({ id: tasks.id, team: tasks.team })
    .from(tasks)
    .where(and(isNull(tasks.endedAt), lt(tasks.createdAt, at - BEGUN_MS)))
    .limit(SWEPT_AT_ONCE);
  for (const { id, team } of open) {
    if ((await objects.getByName(id).view()) !== null) continue;
    await ledger(team).endLeases([id]);
    await db.delete(tasks).where(eq(tasks.id, id));
  }
}
