import { type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { TollgateError } from "#core";

/** How much, and after what. */
export interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

/** One page, and what the next one begins after. */
export interface Listing<Row> {
  readonly rows: Row[];
  readonly next: string | null;
}

/** The row that a cursor of a listing names. @throws TollgateError `invalid_request` naming `cursor`. */
export function placeOf(cursor: string): { readonly at: number; readonly id: string } {
  const match = /^(\d{1,15})\.([\x21-\x7e]{1,128})$/.exec(cursor);
  if (!match) throw new TollgateError("invalid_request", "cursor is not one that a list answered", { param: "cursor" });
  return { at: Number(match[1]), id: match[2]! };
}

/** What comes after a cursor in a listing by time and id, the newest first where nothing else is said. */
export function after(
  table: { readonly at: AnySQLiteColumn; readonly id: AnySQLiteColumn },
  cursor: string | undefined,
  order: "asc" | "desc" = "desc",
): SQL | undefined {
  if (cursor === undefined) return undefined;
  const { at, id } = placeOf(cursor);
  return order === "asc" ? sql`(${table.at}, ${table.id}) > (${at}, ${id})` : sql`(${table.at}, ${table.id}) < (${at}, ${id})`;
}

/** A page out of one row more than it holds. */
export function listed<Row extends { readonly at: number; readonly id: string }>(rows: Row[], limit: number): Listing<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last ? `${last.at}.${last.id}` : null };
}
