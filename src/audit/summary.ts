import { and, type SQL, sql } from "drizzle-orm";
import { TollgateError } from "#core";
import { type Db, tables } from "#db";
import { joined } from "./consumer.ts";
import { type Attribution, costConditions } from "./records.ts";

const { costRecords } = tables;
const METADATA = /^metadata\.([A-Za-z0-9_.-]{1,64})$/;

/** What a summary may be grouped by, besides `metadata.<name>`; a record with two tags counts in both tags' groups, once in the total. */
const COLUMNS = {
  key: sql`${costRecords.key}`,
  team: sql`${costRecords.team}`,
  user: sql`${costRecords.user}`,
  end_user: sql`${costRecords.endUser}`,
  tag: sql`tag.value`,
  provider: sql`${costRecords.provider}`,
  model: sql`${costRecords.provider} || '/' || ${costRecords.model}`,
  capability: sql`${costRecords.capability}`,
  session: sql`${costRecords.session}`,
  task: sql`${costRecords.task}`,
  hour: sql`strftime('%Y-%m-%dT%H:00:00Z', ${costRecords.at} / 1000, 'unixepoch')`,
  day: sql`strftime('%Y-%m-%d', ${costRecords.at} / 1000, 'unixepoch')`,
  month: sql`strftime('%Y-%m', ${costRecords.at} / 1000, 'unixepoch')`,
} as const satisfies Record<string, SQL>;

/** Which rows to sum, and along what. */
export interface SummaryQuery {
  readonly filter: Attribution;
  readonly groupBy: readonly string[];
  readonly limit: number;
}

/** Sums of one group, exact. */
export interface Sums {
  readonly usd: string;
  readonly requests: number;
  readonly tokens: {
    readonly input: number;
    readonly cacheRead: number;
    readonly cacheWrite: number;
    readonly output: number;
    readonly reasoning: number;
  };
}

/** A summary: its groups, dearest first, and the total over all rows of the filter. */
export interface Summary {
  readonly groups: readonly (Sums & { readonly group: Readonly<Record<string, string | null>> })[];
  readonly total: Sums;
}

type SumRow = Record<string, string | number | null>;

const SUMS = sql`cast(coalesce(sum(${costRecords.nanoFloor}), 0) as text) as nano, cast(coalesce(sum(${costRecords.femtoRest}), 0) as text) as rest,
  count(distinct ${costRecords.request}) as requests,
  coalesce(sum(${costRecords.input} + ${costRecords.audioInput}), 0) as input, coalesce(sum(${costRecords.cacheRead}), 0) as cache_read,
  coalesce(sum(${costRecords.cacheWrite5m} + ${costRecords.cacheWrite1h}), 0) as cache_write,
  coalesce(sum(${costRecords.output} + ${costRecords.audioOutput}), 0) as output, coalesce(sum(${costRecords.reasoning}), 0) as reasoning`;

/** A record that a later one reprices is no longer what was paid. */
const CURRENT = sql`${costRecords.id} not in (select reprices from cost_records where reprices is not null)`;

/**
 * Sums the cost records. The two integer columns are summed apart and joined as BigInt, so no amount is rounded.
 * @throws TollgateError `invalid_request` naming `group_by`.
 */
export async function costSummary(db: Db, { filter, groupBy, limit }: SummaryQuery): Promise<Summary> {
  const where = and(...costConditions(filter), CURRENT);
  const [total] = await db.all<SumRow>(sql`select ${SUMS} from ${costRecords} where ${where}`);
  if (groupBy.length === 0) return { groups: [], total: sums(total!) };
  const groups = groupBy.map((name, at) => sql`${groupExpression(name)} as ${sql.identifier(`g${at}`)}`);
  const names = groupBy.map((_, at) => sql.identifier(`g${at}`));
  const tags = groupBy.includes("tag") ? sql`left join json_each(${costRecords.tags}) as tag` : sql``;
  const rows = await db.all<SumRow>(sql`
    select ${sql.join(groups, sql`, `)}, ${SUMS} from ${costRecords} ${tags} where ${where}
    group by ${sql.join(names, sql`, `)} order by sum(${costRecords.nanoFloor}) desc, ${sql.join(names, sql`, `)} limit ${limit}`);
  return { groups: rows.map((row) => Object.assign(sums(row), { group: groupOf(row, groupBy) })), total: sums(total!) };
}

function groupExpression(name: string): SQL {
  if (Object.hasOwn(COLUMNS, name)) return COLUMNS[name as keyof typeof COLUMNS];
  const field = METADATA.exec(name)?.[1];
  if (field === undefined) throw new TollgateError("invalid_request", "group_by names no dimension", { param: "group_by" });
  return sql`json_extract(${costRecords.metadata}, ${`$."${field}"`})`;
}

function groupOf(row: SumRow, groupBy: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(groupBy.map((name, at) => [name, row[`g${at}`] === null ? null : String(row[`g${at}`])]));
}

function sums(row: SumRow): Sums {
  return {
    usd: joined(String(row["nano"]), String(row["rest"])),
    requests: Number(row["requests"]),
    tokens: {
      input: Number(row["input"]),
      cacheRead: Number(row["cache_read"]),
      cacheWrite: Number(row["cache_write"]),
      output: Number(row["output"]),
      reasoning: Number(row["reasoning"]),
    },
  };
}
