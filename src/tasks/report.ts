import { and, desc, gte, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import { CURRENT } from "#audit";
import { usdFromNano } from "#core";
import { type Db, tables } from "#db";

const { tasks, costRecords } = tables;

/** What tasks are told apart by. */
export const DIMENSIONS = ["engine", "model", "key", "day"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Which tasks a report is about, by when they began, and what it tells apart. */
export interface ReportQuery {
  readonly from: number;
  readonly to: number;
  readonly groupBy: readonly Dimension[];
}

/** How a number of tasks went. What is of ended tasks only is null where none has. */
export interface Tally {
  readonly tasks: number;
  readonly ended: number;
  readonly succeeded: number;
  /** From being asked for to the end, in milliseconds. */
  readonly medianMs: number | null;
  readonly p90Ms: number | null;
  readonly costUsd: string;
  readonly scores: number;
  readonly meanScore: number | null;
}

/** Something that a key's owner said of a task. */
export interface Comment {
  readonly task: string;
  readonly key: string;
  readonly score: number;
  readonly comment: string;
  readonly at: number;
}

const GROUPS_MAX = 1_000;
const COMMENTS_MAX = 50;

const COLUMNS: Readonly<Record<Dimension, SQL>> = {
  engine: sql`${tasks.engine}`,
  model: sql`${tasks.model}`,
  key: sql`${tasks.key}`,
  day: sql`strftime('%Y-%m-%d', ${tasks.createdAt} / 1000, 'unixepoch')`,
};

/** How tasks went: by what they are told apart by, most first, in all, and what was said of them last. */
export async function taskReport(db: Db, query: ReportQuery) {
  const [groups, [total], comments] = await Promise.all([
    tallies(db, query),
    tallies(db, { ...query, groupBy: [] }),
    commentsOn(db, query),
  ]);
  return { groups, total: total!, comments };
}

type Row = Record<Dimension, string | null> & Omit<Tally, "costUsd"> & { readonly nano: number };

async function tallies(db: Db, { from, to, groupBy }: ReportQuery) {
  const by = sql.join([sql`''`, ...groupBy.map((name) => sql.identifier(name))], sql`, `);
  const named = sql.join(
    groupBy.map((name) => sql`${COLUMNS[name]} as ${sql.identifier(name)}, `),
    sql``,
  );
  // Those that run stand last in each order, and count for none of the ranks.
  const rows = await db.all<Row>(sql`
    with chosen as (
      select ${named} ${tasks.endedAt} - ${tasks.createdAt} as ms, ${tasks.exitReason} = 'ok' as good, ${tasks.score} as score,
        (select coalesce(sum(${costRecords.nanoUsd}), 0) from ${costRecords} where ${costRecords.task} = ${tasks.id} and ${CURRENT}) as nano
      from ${tasks} where ${tasks.createdAt} >= ${from} and ${tasks.createdAt} < ${to}),
    ranked as (
      select *, row_number() over (partition by ${by} order by ms is null, ms) as place, count(ms) over (partition by ${by}) as members from chosen)
    select ${sql.join(
      groupBy.map((name) => sql`${sql.identifier(name)}, `),
      sql``,
    )} count(*) as tasks, count(ms) as ended, coalesce(sum(good), 0) as succeeded,
      avg(case when place in ((members + 1) / 2, (members + 2) / 2) then ms end) as medianMs,
      max(case when place = (members * 9 + 9) / 10 then ms end) as p90Ms,
      coalesce(sum(nano), 0) as nano, count(score) as scores, avg(score) as meanScore
    from ranked group by ${by} order by tasks desc, ${by} limit ${GROUPS_MAX}`);
  const none = { tasks: 0, ended: 0, succeeded: 0, medianMs: null, p90Ms: null, nano: 0, scores: 0, meanScore: null };
  return (rows.length === 0 && groupBy.length === 0 ? [none] : rows).map(({ nano, ...row }) => ({
    ...(row as Omit<Row, "nano">),
    group: Object.fromEntries(groupBy.map((name) => [name, (row as Row)[name]])),
    costUsd: usdFromNano(nano),
  }));
}

async function commentsOn(db: Db, { from, to }: ReportQuery): Promise<Comment[]> {
  const rows = await db
    .select({ task: tasks.id, key: tasks.key, score: tasks.score, comment: tasks.comment, at: tasks.scoredAt })
    .from(tasks)
    .where(and(gte(tasks.createdAt, from), lt(tasks.createdAt, to), isNotNull(tasks.comment)))
    .orderBy(desc(tasks.scoredAt))
    .limit(COMMENTS_MAX);
  return rows.map((row) => row as Comment);
}
