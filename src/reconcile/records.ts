import { and, eq, gte, inArray, lt, ne, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { femtoFromNano, nanoFromUsd, TollgateError } from "#core";
import { type Db, tables } from "#db";
import type { Figures, Ours, Part } from "./contract.ts";
import { minus, NONE, plus } from "./figures.ts";

const { costRecords } = tables;
const DAY_MS = 86_400_000;
/** Days times models times kinds. Names of models that never were may be many; they cost nothing and are left out. */
const GROUPS_MAX = 50_000;

/** Which records stand against an export. */
export interface Extent {
  readonly providers: readonly string[];
  /** Milliseconds UTC, `to` exclusive. */
  readonly from: number;
  readonly to: number;
  /** How long a request may take: what is admitted later than this before midnight may be billed the day after. */
  readonly lateMs: number;
}

/** What our records hold of one model, under our own name of it, on one UTC day. */
export interface OwnDay {
  readonly day: number;
  readonly model: string;
  readonly ours: Ours;
}

const DAY = sql<number>`${costRecords.at} / 86400000`;
const total = (column: SQLiteColumn) => sql<string>`cast(sum(${column}) as text)`;

/** The sums of what is compared, as text, since they may pass what a double holds. */
const SUMS = {
  input: total(costRecords.input),
  cache_read: total(costRecords.cacheRead),
  cache_write_5m: total(costRecords.cacheWrite5m),
  cache_write_1h: total(costRecords.cacheWrite1h),
  output: total(costRecords.output),
  audio_input: total(costRecords.audioInput),
  audio_output: total(costRecords.audioOutput),
  images: total(costRecords.images),
  web_searches: total(costRecords.webSearches),
} as const satisfies Partial<Record<keyof Figures, SQL>>;

/**
 * The records that the provider bills: those that were answered by it and not out of a cache, and that no later record reprices.
 * Requests that cost nothing and used nothing are on neither side.
 */
function billed({ providers, from, to }: Extent): SQL | undefined {
  return and(
    gte(costRecords.at, from),
    lt(costRecords.at, to),
    inArray(costRecords.provider, [...providers]),
    eq(costRecords.resourceKind, "model"),
    ne(costRecords.cache, "hit"),
    ne(costRecords.cache, "coalesced"),
    sql`${costRecords.id} not in (select reprices from cost_records where reprices is not null)`,
    sql`(${costRecords.nanoFloor} > 0 or ${costRecords.femtoRest} > 0 or ${costRecords.input} + ${costRecords.cacheRead} +
      ${costRecords.cacheWrite5m} + ${costRecords.cacheWrite1h} + ${costRecords.output} + ${costRecords.audioInput} +
      ${costRecords.audioOutput} + ${costRecords.images} + ${costRecords.webSearches} > 0)`,
  );
}

/** Sums the records by day and model, exactly. @throws TollgateError `invalid_request` where there is too much for one answer. */
export async function ownDays(db: Db, extent: Extent): Promise<OwnDay[]> {
  const late = sql<number>`${costRecords.at} % 86400000 >= ${DAY_MS - extent.lateMs}`;
  const rows = await db
    .select({
      day: DAY,
      model: costRecords.model,
      status: costRecords.status,
      late,
      records: sql<number>`count(*)`,
      nano: sql<string>`cast(sum(${costRecords.nanoFloor}) as text)`,
      rest: sql<string>`cast(sum(${costRecords.femtoRest}) as text)`,
      ...SUMS,
    })
    .from(costRecords)
    .where(billed(extent))
    .groupBy(DAY, costRecords.model, costRecords.status, late)
    .limit(GROUPS_MAX);
  if (rows.length === GROUPS_MAX)
    throw new TollgateError("invalid_request", "The period holds too many models; compare fewer days at a time");
  const days = Map.groupBy(rows, ({ day, model }) => `${day} ${model}`);
  return [...days.values()].map((group) => ({ day: group[0]!.day * DAY_MS, model: group[0]!.model, ours: oursOf(group) }));
}

interface SumRow extends Readonly<Record<keyof typeof SUMS, string>> {
  readonly status: "actual" | "estimated" | "unknown";
  readonly late: number;
  readonly records: number;
  readonly nano: string;
  readonly rest: string;
}

function oursOf(rows: readonly SumRow[]): Ours {
  const part = (holds: (row: SumRow) => boolean): Part =>
    rows.filter(holds).reduce<Part>((sum, row) => ({ records: sum.records + row.records, figures: plus(sum.figures, figuresOf(row)) }), {
      records: 0,
      figures: NONE,
    });
  return {
    ...part(() => true),
    late: part(({ late }) => Boolean(late)),
    estimated: part(({ status }) => status === "estimated"),
    unknown: part(({ status }) => status === "unknown"),
  };
}

function figuresOf(row: SumRow): Figures {
  const counts = Object.keys(SUMS).map((name) => [name, BigInt(row[name as keyof typeof SUMS])]);
  return { ...Object.fromEntries(counts), usd: femtoFromNano(1) * BigInt(row.nano) + BigInt(row.rest) };
}

/**
 * Takes the fees of web searches out of the models that ran them and puts them onto a line of their own, as some vendors bill them.
 * They are read out of the receipts' lines, a rate and a number of pieces each.
 */
export async function withSearchesApart(db: Db, extent: Extent, days: readonly OwnDay[], name: string): Promise<OwnDay[]> {
  const rows = await db.all<{ day: number; model: string; rate: string; records: number; searches: number }>(sql`
    select ${DAY} as day, ${costRecords.model} as model, json_extract(line.value, '$.rate') as rate, count(*) as records,
      sum(json_extract(line.value, '$.quantity')) as searches
    from ${costRecords} join json_each(${costRecords.receipt}, '$.lines') as line
    where ${billed(extent)} and ${costRecords.webSearches} > 0 and json_extract(line.value, '$.class') = 'web_search'
    group by 1, 2, 3`);
  const fees = rows.map(({ day, model, rate, records, searches }) => ({
    day: day * DAY_MS,
    model,
    part: { records, figures: { usd: femtoFromNano(nanoFromUsd(rate, "rate")) * BigInt(searches) } },
  }));
  const rest = days.map(({ day, model, ours }) => {
    const own = fees.filter((fee) => fee.day === day && fee.model === model).reduce((sum, { part }) => plus(sum, part.figures), NONE);
    return { day, model, ours: { ...ours, figures: minus(ours.figures, own) } };
  });
  const nothing = { records: 0, figures: NONE };
  return [
    ...rest,
    ...[...Map.groupBy(fees, ({ day }) => day)].map(([day, of]) => ({
      day,
      model: name,
      ours: {
        records: of.reduce((sum, { part }) => sum + part.records, 0),
        figures: of.reduce((sum, { part }) => plus(sum, part.figures), NONE),
        late: nothing,
        estimated: nothing,
        unknown: nothing,
      },
    })),
  ];
}
