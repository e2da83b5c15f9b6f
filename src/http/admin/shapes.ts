import { z } from "@hono/zod-openapi";
import { nanoFromUsd } from "#core";

/** Schemas and conversions that several resources share. */

export const id = z.string().min(1).max(128);
export const name = z.string().min(1).max(128);
export const metadata = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((given) => Object.keys(given).length <= 16, "must hold at most 16 keys");
export const byId = z.object({ id });
/** A moment, as ISO 8601 with an offset or Z; milliseconds inside. */
export const moment = z.iso
  .datetime({ offset: true, error: "must be a time such as 2027-01-31T00:00:00Z" })
  .transform((text) => Date.parse(text));
/** USD as decimal text or JSON number. The amount is judged by `nanoFromUsd`, which knows nine digits and the largest counter. */
export const usd = z.union([z.string(), z.number()]);
export const paging = { limit: z.coerce.number().int().min(1).max(1000).default(50), cursor: z.string().max(256).optional() };
export const pagingOnly = z.strictObject(paging);
export const listOf = <Item extends z.ZodType>(item: Item) => z.object({ data: z.array(item), next_cursor: z.string().nullable() });

/** USD text or number as nano-USD. @throws TollgateError `invalid_request` naming the field. */
export function nanoOf(value: string | number, param: string): number {
  return nanoFromUsd(value, param);
}

/** Only what was named, without the members that are undefined: `exactOptionalPropertyTypes` tells absent from undefined. */
export function given<Fields extends object>(fields: Fields): { [name in keyof Fields]?: Exclude<Fields[name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [name in keyof Fields]?: Exclude<Fields[name], undefined>;
  };
}

/** A page in the contract's form. */
export function page<Row, Item>(
  { rows, next }: { readonly rows: readonly Row[]; readonly next: string | null },
  shape: (row: Row) => Item,
) {
  return { data: rows.map((row) => shape(row)), next_cursor: next };
}
