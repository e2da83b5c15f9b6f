import { type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { TollgateError } from "#core";
import { tables } from "#db";
import { type Attribution, metadataOf } from "./attribution.ts";
import { type Grain, GRAINS } from "./spans.ts";

const { costCells, costRecords } = tables;

/** What a summary may be grouped by, read from a record; `metadata.<name>` comes besides. */
const RECORD = {
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
  ...buckets(costRecords.at),
} as const satisfies Record<string, SQL>;

type Dimension = keyof typeof RECORD;

/** The same, read from a cell, which holds nothing where a record has none. */
const CELL: Readonly<Partial<Record<Dimension, SQL>>> = {
  key: sql`${costCells.key}`,
  team: sql`${costCells.team}`,
  user: sql`nullif(${costCells.user}, '')`,
  end_user: sql`nullif(${costCells.endUser}, '')`,
  tag: sql`nullif(${costCells.tag}, '')`,
  provider: sql`${costCells.provider}`,
  model: sql`${costCells.provider} || '/' || ${costCells.model}`,
  capability: sql`${costCells.capability}`,
  ...buckets(costCells.start),
};

function buckets(at: AnySQLiteColumn) {
  return {
    hour: sql`strftime('%Y-%m-%dT%H:00:00Z', ${at} / 1000, 'unixepoch')`,
    day: sql`strftime('%Y-%m-%d', ${at} / 1000, 'unixepoch')`,
    month: sql`strftime('%Y-%m', ${at} / 1000, 'unixepoch')`,
  };
}

const METADATA = "metadata.";

/** A dimension's value in a record. @throws TollgateError `invalid_request` naming `group_by`. */
export function inRecord(name: string): SQL {
  if (Object.hasOwn(RECORD, name)) return RECORD[name as Dimension];
  if (name.startsWith(METADATA)) return metadataOf(costRecords, name.slice(METADATA.length));
  const names = [...Object.keys(RECORD), `${METADATA}<name>`].join(", ");
  throw new TollgateError("invalid_request", `group_by takes ${names}`, { param: "group_by" });
}

/** A dimension's value in a cell of a level that tells it apart. */
export function inCell(name: string): SQL {
  const expression = CELL[name as Dimension];
  if (!expression) throw new RangeError(`no cell knows ${name}`);
  return expression;
}

/** Cells that share what they tell apart (migrations/0003_roll_ups.sql, 0007_capability_of_keys.sql). */
export interface Level {
  readonly name: (typeof costCells.$inferSelect)["level"];
  readonly tells: ReadonlySet<string>;
  readonly grains: readonly Grain[];
}

const WHAT = ["provider", "model", "hour", "day", "month"];
const DAYS: readonly Grain[] = ["month", "day"];

/** From the fewest cells. */
const LEVELS: readonly Level[] = [
  { name: "all", tells: new Set([...WHAT, "capability"]), grains: GRAINS },
  { name: "team", tells: new Set(["team", ...WHAT, "capability"]), grains: DAYS },
  { name: "tag", tells: new Set(["team", "tag", ...WHAT]), grains: DAYS },
  { name: "key", tells: new Set(["team", "user", "key", ...WHAT]), grains: DAYS },
  // Its months alone know capabilities.
  { name: "key", tells: new Set(["team", "user", "key", "provider", "model", "month", "capability"]), grains: ["month"] },
  { name: "end_user", tells: new Set(["team", "end_user", "month"]), grains: ["month"] },
];

/** What a filter asks about beside time, by the names of dimensions. */
function asked({ metadata, endUser, from: _from, to: _to, ...rest }: Attribution): string[] {
  const named = Object.entries({ ...rest, end_user: endUser }).filter(([, value]) => value !== undefined);
  return [...named.map(([name]) => name), ...Object.keys(metadata ?? {}).map((name) => METADATA + name)];
}

/**
 * The level that answers a summary, at the grains that its buckets allow; null where only the records can. Who asks for one tag's
 * records by tag wants the other tags that they carry too, which no cell knows.
 */
export function levelOf(filter: Attribution, groupBy: readonly string[]): Level | null {
  if (filter.tag !== undefined && groupBy.includes("tag")) return null;
  const needed = [...asked(filter), ...groupBy];
  const level = LEVELS.find(({ tells }) => needed.every((name) => tells.has(name)));
  if (!level) return null;
  const finest = GRAINS.findLastIndex((grain) => groupBy.includes(grain));
  return { ...level, grains: level.grains.filter((grain) => GRAINS.indexOf(grain) >= finest) };
}
