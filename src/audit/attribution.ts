import { type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { TollgateError } from "#core";
import { tables } from "#db";

const { costCells, costRecords, costTags, requests, requestTags } = tables;

/** Whose and when: `from` inclusive, `to` exclusive, in milliseconds. A key holder's reader sets `key`, and sees no other's rows. */
export interface Attribution {
  readonly from?: number;
  readonly to?: number;
  readonly key?: string;
  readonly team?: string;
  readonly user?: string;
  readonly endUser?: string;
  readonly session?: string;
  readonly task?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly capability?: string;
  readonly tag?: string;
  /** Values by name; a row must hold them all. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What is attributed to a caller: what was paid, and what was asked. */
export type Attributed = typeof costRecords | typeof requests;

/** The table that knows the tags of another's rows. */
export function tagsOf(table: Attributed): typeof costTags | typeof requestTags {
  return table === costRecords ? costTags : requestTags;
}

/** What a filter may name, from what leaves the fewest rows; each has an index by time. */
const BY_FEWNESS = ["session", "task", "endUser", "key", "user", "tag", "team", "model", "provider", "capability"] as const;

/** What rows are searched by: SQLite knows no counts, and would search a key's rows of a model among everybody's of that model. */
function leading(filter: Attribution): (typeof BY_FEWNESS)[number] | undefined {
  return BY_FEWNESS.find((name) => filter[name] !== undefined);
}

/** Whether rows are searched in the order of their tag, which holds the same times and ids as the rows' own. */
export function searchedByTag(filter: Attribution): boolean {
  return leading(filter) === "tag";
}

/** Whose: the conditions but for time, and for a tag that is searched by. Every value is bound, none becomes part of the statement. */
export function owned(table: Attributed, filter: Attribution): (SQL | undefined)[] {
  const first = leading(filter);
  return [
    ...BY_FEWNESS.map((name) => {
      if (name === "tag") return first === "tag" ? undefined : carries(table, filter.tag);
      // A plus keeps a column from being searched by.
      return name === first ? same(table[name], filter[name]) : same(sql`+${table[name]}`, filter[name]);
    }),
    ...Object.entries(filter.metadata ?? {}).map(([name, value]) => sql`${metadataOf(table, name)} = ${value}`),
  ];
}

function carries(table: Attributed, tag: string | undefined): SQL | undefined {
  if (tag === undefined) return undefined;
  const tags = tagsOf(table);
  return sql`exists (select 1 from ${tags} where ${tags.tag} = ${tag} and ${tags.at} = ${table.at} and ${tags.id} = ${table.id})`;
}

/** The same of a cell; what a cell does not know is not asked of it. */
export function ownedCell(filter: Attribution): (SQL | undefined)[] {
  return CELL_OWNED.map((name) => same(costCells[name], filter[name]));
}

const CELL_OWNED = ["key", "team", "user", "endUser", "provider", "model", "capability", "tag"] as const;

/** A condition where something is asked for. */
export function same(column: AnySQLiteColumn | SQL, value: string | undefined): SQL | undefined {
  return value === undefined ? undefined : sql`${column} = ${value}`;
}

const METADATA_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** A row's value under a name of its metadata. @throws TollgateError `invalid_request` for a name that would end its quotes. */
export function metadataOf(table: Attributed, name: string): SQL {
  if (!METADATA_NAME.test(name)) {
    throw new TollgateError("invalid_request", "metadata names hold 1 to 64 letters, digits, dots, dashes and underscores", {
      param: `metadata.${name}`,
    });
  }
  return sql`json_extract(${table.metadata}, ${`$."${name}"`})`;
}
