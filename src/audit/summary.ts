import { and, eq, type SQL, sql } from "drizzle-orm";
import { type Db, tables } from "#db";
import { type Attribution, owned, ownedCell, same, searchedByTag } from "./attribution.ts";
import { joined } from "./consumer.ts";
import { inCell, inRecord, type Level, levelOf } from "./dimensions.ts";
import { CURRENT } from "./records.ts";
import { cover, FOREVER, type Span } from "./spans.ts";

const { costCells, costRecords, costTags } = tables;

/** What is counted apart from tokens, in cells and in records alike. */
const PIECES = [
  "images",
  "webSearches",
  "fileSearches",
  "searchSources",
  "characters",
  "seconds",
  "rankings",
  "extras",
] as const satisfies (keyof typeof costCells & keyof typeof costRecords)[];
type Piece = (typeof PIECES)[number];

/** Which rows to sum, along what, and which of the groups to show. */
export interface SummaryQuery {
  readonly filter: Attribution;
  readonly groupBy: readonly string[];
  readonly limit: number;
  readonly offset?: number;
}

/** Sums of one group, exact. */
export interface Sums {
  readonly usd: string;
  /** What answers out of the cache had cost when they were made. */
  readonly savedUsd: string;
  readonly requests: number;
  readonly tokens: {
    readonly input: number;
    readonly cacheRead: number;
    readonly cacheWrite: number;
    readonly output: number;
    readonly reasoning: number;
  };
  /** What is billed by the piece, by the character or by the second. */
  readonly pieces: Readonly<Record<Piece, number>>;
}

/** A summary: its groups, dearest first, and the total over all rows of the filter. */
export interface Summary {
  readonly groups: readonly (Sums & { readonly group: Readonly<Record<string, string | null>> })[];
  readonly total: Sums;
}

/** The same columns of either table, under the same names. */
function piecesOf(table: typeof costCells | typeof costRecords): SQL {
  return sql.join(
    PIECES.map((name) => sql`${table[name]} as ${sql.identifier(name)}`),
    sql`, `,
  );
}

const CELL_AMOUNTS = sql`${costCells.requests} as requests, ${costCells.nano} as nano, ${costCells.femto} as femto, ${costCells.input} as input,
  ${costCells.cacheRead} as cache_read, ${costCells.cacheWrite} as cache_write, ${costCells.output} as output, ${costCells.reasoning} as reasoning,
  ${costCells.savedNano} as saved_nano, ${costCells.savedFemto} as saved_femto, ${piecesOf(costCells)}`;

const RECORD_AMOUNTS = sql`1 as requests, ${costRecords.nanoFloor} as nano, ${costRecords.femtoRest} as femto,
  ${costRecords.input} + ${costRecords.audioInput} + ${costRecords.imageInput} as input, ${costRecords.cacheRead} as cache_read,
  ${costRecords.cacheWrite5m} + ${costRecords.cacheWrite1h} as cache_write,
  ${costRecords.output} + ${costRecords.audioOutput} + ${costRecords.imageOutput} as output, ${costRecords.reasoning} as reasoning,
  ${costRecords.savedNano} as saved_nano, ${costRecords.savedFemto} as saved_femto, ${piecesOf(costRecords)}`;

/** Sums of money leave as text: they pass what a JavaScript number holds exactly. */
const SUMS = {
  nano: summedMoney("nano"),
  femto: summedMoney("femto"),
  savedNano: summedMoney("saved_nano"),
  savedFemto: summedMoney("saved_femto"),
  requests: summed("requests"),
  input: summed("input"),
  cacheRead: summed("cache_read"),
  cacheWrite: summed("cache_write"),
  output: summed("output"),
  reasoning: summed("reasoning"),
  ...(Object.fromEntries(PIECES.map((name) => [name, summed(name)])) as Record<Piece, SQL<number>>),
};

type SumRow = { readonly [Name in keyof typeof SUMS]: (typeof SUMS)[Name]["_"]["type"] };

function summedMoney(name: string) {
  return sql<string>`cast(coalesce(sum(${sql.identifier(name)}), 0) as text)`;
}

function summed(name: string) {
  return sql<number>`coalesce(sum(${sql.identifier(name)}), 0)`;
}

/**
 * Sums what was paid. Whole hours, days and months come from the cells that know what is asked for, the ends of the range and
 * what no cell knows from the records; both sum the same two integers, which are joined as BigInt, so that no amount is rounded.
 * A record with two tags counts in both tags' groups, once in the total.
 * @throws TollgateError `invalid_request` naming `group_by`.
 */
export async function costSummary(db: Db, { filter, groupBy, limit, offset = 0 }: SummaryQuery): Promise<Summary> {
  const total = db.select(SUMS).from(sql`(${amounts(filter, [])})`);
  if (groupBy.length === 0) return { groups: [], total: sums((await total)[0]!) };
  const names = groupBy.map(column);
  const grouped = db
    .select({ ...SUMS, group: sql<string>`json_array(${sql.join(names, sql`, `)})` })
    .from(sql`(${amounts(filter, groupBy)})`)
    .groupBy(...names)
    .having(sql`sum(requests) > 0`)
    .orderBy(sql`sum(nano) desc`, ...names)
    .limit(limit)
    .offset(offset);
  const [groups, [all]] = await db.batch([grouped, total]);
  return { groups: groups.map(({ group, ...row }) => ({ ...sums(row), group: groupOf(group, groupBy) })), total: sums(all!) };
}

function column(_: string, at: number): SQL {
  return sql`${sql.identifier(`g${at}`)}`;
}

/** A query of everything that the filter leaves, cell by cell and record by record, each with the groups that it stands in. */
function amounts(filter: Attribution, groupBy: readonly string[]): SQL {
  const level = levelOf(filter, groupBy);
  const spans = cover(Math.max(filter.from ?? 0, 0), Math.min(filter.to ?? FOREVER, FOREVER), level?.grains ?? []);
  const whole = spans.filter(({ grain }) => grain !== null);
  const ends = spans.filter(({ grain }) => grain === null);
  const parts = [
    ...(level && whole.length > 0 ? [cells(level, whole, { filter, groupBy })] : []),
    ...(ends.length > 0 || whole.length === 0 ? [records(ends, { filter, groupBy })] : []),
  ];
  return sql.join(parts, sql` union all `);
}

type Wanted = Pick<SummaryQuery, "filter" | "groupBy">;

function cells(level: Level, spans: readonly Span[], { filter, groupBy }: Wanted): SQL {
  const { grain, start } = costCells;
  return sql`select ${selected(groupBy, inCell)} ${CELL_AMOUNTS} from ${listed(spans)} cross join ${costCells} ${indexOf(filter)}
    where ${and(
      sql`${costCells.level} = ${level.name}`,
      sql`${grain} = span.value ->> 'grain' and ${start} >= span.value ->> 'from' and ${start} < span.value ->> 'to'`,
      ...ownedCell(filter),
    )}`;
}

/** Where one key or team is asked for, its own cells are searched rather than everybody's of the range, which SQLite takes for cheaper. */
function indexOf({ key, team }: Attribution): SQL {
  if (key !== undefined) return sql`indexed by cost_cells_key`;
  return team === undefined ? sql`` : sql`indexed by cost_cells_team`;
}

function records(spans: readonly Span[], { filter, groupBy }: Wanted): SQL {
  const byTag = searchedByTag(filter);
  const order = byTag ? costTags : costRecords;
  const source = byTag ? sql`${costTags} cross join ${costRecords}` : sql`${costRecords}`;
  const tags = groupBy.includes("tag") ? sql`left join json_each(${costRecords.tags}) as tag` : sql``;
  return sql`select ${selected(groupBy, inRecord)} ${RECORD_AMOUNTS} from ${listed(spans)} cross join ${source} ${tags}
    where ${and(
      sql`${order.at} >= span.value ->> 'from' and ${order.at} < span.value ->> 'to'`,
      byTag ? and(same(costTags.tag, filter.tag), eq(costRecords.id, costTags.id)) : undefined,
      ...owned(costRecords, filter),
      CURRENT,
    )}`;
}

/** The spans as a table: all of them in one parameter, and one search of the index for each. */
function listed(spans: readonly Span[]): SQL {
  return sql`json_each(${JSON.stringify(spans)}) as span`;
}

function selected(groupBy: readonly string[], expression: (name: string) => SQL): SQL {
  return sql.join(
    groupBy.map((name, at) => sql`${expression(name)} as ${column(name, at)}, `),
    sql``,
  );
}

function groupOf(values: string, groupBy: readonly string[]): Record<string, string | null> {
  const listed = JSON.parse(values) as readonly (string | number | null)[];
  return Object.fromEntries(groupBy.map((name, at) => [name, listed[at] === null ? null : String(listed[at])]));
}

function sums({ nano, femto, savedNano, savedFemto, requests, input, cacheRead, cacheWrite, output, reasoning, ...pieces }: SumRow): Sums {
  const tokens = { input, cacheRead, cacheWrite, output, reasoning };
  return { usd: joined(nano, femto), savedUsd: joined(savedNano, savedFemto), requests, tokens, pieces };
}
