import { and, eq, lt, or, type SQL } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { TollgateError } from "#core";

/** One page of rows, and where the next begins. */
export interface Page<Row> {
  readonly rows: Row[];
  readonly next: string | null;
}

/** How much of a list, after what. */
export interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

/** The row that a cursor names. @throws TollgateError `invalid_request` naming `cursor`. */
export function placeOf(cursor: string): { readonly at: number; readonly id: string } {
  const match = /^(\d{1,15})\.([\x21-\x7e]{1,128})$/.exec(cursor);
  if (!match) throw new TollgateError("invalid_request", "cursor is not one that a list answered", { param: "cursor" });
  return { at: Number(match[1]), id: match[2]! };
}

/** The rows behind a cursor, newest first. @throws TollgateError `invalid_request` naming `cursor`. */
export function after(table: { readonly createdAt: SQLiteColumn; readonly id: SQLiteColumn }, cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined;
  const { at, id } = placeOf(cursor);
  return or(lt(table.createdAt, at), and(eq(table.createdAt, at), lt(table.id, id)));
}

/** Cuts `limit + 1` rows into a page and the cursor of the next. */
export function paged<Row extends { readonly id: string; readonly createdAt: number }>(rows: Row[], limit: number): Page<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last ? `${last.createdAt}.${last.id}` : null };
}
