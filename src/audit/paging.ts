import { type SQL, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { type Page, placeOf } from "#db";

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
export function listed<Row extends { readonly at: number; readonly id: string }>(rows: Row[], limit: number): Page<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last ? `${last.at}.${last.id}` : null };
}
