import { and, gte, isNotNull, isNull, sql } from "drizzle-orm";
import type { Histogram } from "#audit";
import { type Db, tables } from "#db";
import type { ExitReason } from "./contract.ts";

const { tasks } = tables;

/** How tasks do. */
export interface Figures {
  /** Tasks that have not begun: their runner, or a person's word, is waited for. */
  readonly pending: readonly Count[];
  /** Tasks that have begun, and not ended. */
  readonly running: readonly Count[];
  /** Those that began since, and have ended. */
  readonly ended: readonly { readonly engine: string; readonly reason: ExitReason | null; readonly tasks: number }[];
  /** From being asked for to the end, of the same. */
  readonly durations: Histogram;
}

/** How many tasks of an engine. */
interface Count {
  readonly engine: string;
  readonly tasks: number;
}

const BOUNDS_MS = [1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600].map((seconds) => seconds * 1_000);

/** Counts the tasks that began from a moment on, and those that run whenever they began; each by an index. */
export async function taskFigures(db: Db, from: number): Promise<Figures> {
  const counted = sql<number>`count(*)`;
  const since = and(gte(tasks.createdAt, from), isNotNull(tasks.endedAt));
  const ms = sql<number>`${tasks.endedAt} - ${tasks.createdAt}`;
  const within = BOUNDS_MS.map((most) => sql`coalesce(sum(${ms} <= ${most}), 0)`);
  const [open, ended, [row]] = await db.batch([
    db
      .select({ engine: tasks.engine, begun: sql<number>`${tasks.startedAt} is not null`.as("begun"), tasks: counted })
      .from(tasks)
      .where(isNull(tasks.endedAt))
      .groupBy(tasks.engine, sql`begun`),
    db
      .select({ engine: tasks.engine, reason: tasks.exitReason, tasks: counted })
      .from(tasks)
      .where(since)
      .groupBy(tasks.engine, tasks.exitReason),
    db
      .select({
        counts: sql<string>`json_array(${sql.join(within, sql`, `)})`,
        count: counted,
        sumMs: sql<number>`coalesce(sum(${ms}), 0)`,
      })
      .from(tasks)
      .where(since),
  ]);
  const counts = JSON.parse(row!.counts) as number[];
  const bounds = BOUNDS_MS.map((most, at) => ({ ms: most, count: counts[at] ?? 0 }));
  const [pending, running] = [0, 1].map((is) => open.filter(({ begun }) => begun === is));
  return { pending: pending!, running: running!, ended, durations: { bounds, count: row!.count, sumMs: row!.sumMs } };
}
