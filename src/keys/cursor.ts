import { TollgateError } from "#core";

/** One page of rows, and where the next begins. */
export interface Page<Row> {
  readonly rows: Row[];
  readonly next: string | null;
}

/** Where a page begins: after the row of this time and id, newest first. */
export interface Position {
  readonly at: number;
  readonly id: string;
}

/** Reads a cursor that `paged` wrote. @throws TollgateError `invalid_request` naming `cursor`. */
export function readCursor(cursor: string): Position {
  const match = /^(\d{1,15})\.([A-Za-z0-9_]{1,128})$/.exec(cursor);
  if (!match) throw new TollgateError("invalid_request", "cursor is not one that a list answered", { param: "cursor" });
  return { at: Number(match[1]), id: match[2]! };
}

/** Cuts `limit + 1` rows into a page and the cursor of the next. */
export function paged<Row extends { readonly id: string; readonly createdAt: number }>(rows: Row[], limit: number): Page<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last ? `${last.createdAt}.${last.id}` : null };
}
