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

/** Whose: the conditions but for time and tag. Every value is bound, none becomes part of the statement. */
export function owned(table: Attributed, filter: Attribution): (SQL | undefined)[] {
  const metadata = Object.entries(filter.metadata ?? {});
  return [
    ...OWNED.map((name) => same(table[name], filter[name])),
    ...metadata.map(([name, value]) => sql`${metadataOf(table, name)} = ${value}`),
  ];
}

const OWNED = ["key", "team", "user", "endUser", "session", "task", "provider", "model", "capability"] as const;

/** The same of a cell; what a cell does not know is not asked of it. */
export function ownedCell(filter: Attribution): (SQL | undefined)[] {
  return CELL_OWNED.map((name) => same(costCells[name], filter[name]));
}

const CELL_OWNED = ["key", "team", "user", "endUser", "provider", "model", "capability", "tag"] as const;

/** A condition where something is asked for. */
export function same(column: AnySQLiteColumn, value: string | undefined): SQL | undefined {
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
