import * as z from "zod";
import { TollgateError } from "#core";
import type { Count, ExportRow, Figures, Sheet } from "./contract.ts";

const DAY_MS = 86_400_000;
/** The sums of so many counts of so many rows are safe integers. */
const ROWS_MAX = 5_000;
const COUNT_MAX = 1_000_000_000_000;

/** A count of tokens or requests in a vendor's answer. */
export const count = z.number().int().min(0).max(COUNT_MAX);

/** Refuses an export by the path of what is wrong with it. */
export function refuse(path: string, why: string): never {
  throw new TollgateError("invalid_request", `${path}: ${why}`, { param: path });
}

/** Reads a vendor's answer. @throws TollgateError `invalid_request` naming the path of the first field that is wrong. */
export function parsed<Shape extends z.ZodType>(shape: Shape, data: unknown, path: string): z.output<Shape> {
  const result = shape.safeParse(data);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  refuse([path, ...(issue?.path ?? [])].map(String).join("."), issue?.message ?? "is wrong");
}

/** Counts as figures; what the export does not state stays out. */
export function counted(counts: Readonly<Partial<Record<Count, number | null | undefined>>>): Figures {
  const stated = Object.entries(counts).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(stated.map(([name, value]) => [name, BigInt(value as number)]));
}

/** One bucket of an export, and where it stands. */
export interface Bucket<Result> {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly results: readonly Result[];
}

/** What an export says beside its rows. */
export type SheetFacts = Pick<Sheet, "more" | "vendor" | "searchesApart"> & { readonly path: string };

/** The rows of vendors' buckets. */
export function rowsOf<Result>(
  buckets: readonly Bucket<Result>[],
  rowOf: (result: Result, path: string) => Pick<ExportRow, "model" | "requests" | "figures">,
): ExportRow[] {
  return buckets.flatMap(({ path: place, from, to, results }) =>
    results.map((result, at): ExportRow => {
      const path = `${place}.results.${at}`;
      return { path, from, to, ...rowOf(result, path) };
    }),
  );
}

/** A sheet of rows, and of buckets that tell how far the export reaches, empty ones too. @throws TollgateError `invalid_request`. */
export function sheetOf(
  rows: readonly ExportRow[],
  buckets: readonly Pick<Bucket<unknown>, "path" | "from" | "to">[],
  { path, ...facts }: SheetFacts,
): Sheet {
  if (buckets.length === 0) refuse(path, "holds no period; there is nothing to compare");
  if (Math.max(rows.length, buckets.length) > ROWS_MAX)
    refuse(path, `holds more than ${ROWS_MAX} rows; export daily buckets, or fewer days at a time`);
  for (const { path: place, from, to } of buckets) checkPeriod(from, to, place);
  const from = buckets.reduce((first, bucket) => Math.min(first, bucket.from), Infinity);
  const to = buckets.reduce((last, bucket) => Math.max(last, bucket.to), 0);
  return { rows, from, to, ...facts };
}

/** Days are what is compared, so that no bucket may reach over midnight UTC. */
function checkPeriod(from: number, to: number, path: string): void {
  if (!(from < to)) refuse(path, "must end after it starts");
  if (dayOf(from) !== dayOf(to - 1)) refuse(path, "must lie within one UTC day; export daily buckets");
}

/** The start of a moment's UTC day. */
export function dayOf(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS;
}
