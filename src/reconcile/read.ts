import { readCosts as readCostReport, readUsage as readUsageReport } from "./anthropic.ts";
import type { Format, Sheet } from "./contract.ts";
import { readCsv } from "./csv.ts";
import { readCosts, readUsage } from "./openai.ts";
import { refuse } from "./rows.ts";

const READERS: Readonly<Record<Format, (data: unknown, path: string) => Sheet>> = {
  "openai.usage": readUsage,
  "openai.costs": readCosts,
  "anthropic.usage": readUsageReport,
  "anthropic.costs": readCostReport,
  csv: readCsv,
};

/** One export as it was sent. */
export interface Export {
  readonly format: Format;
  /** A page of the vendor's answer as it stands, or the text of a file. */
  readonly data: unknown;
}

/** Several exports as one: pages of one report, or a usage and a cost report of the same days. */
export interface Bundle {
  readonly sheets: readonly Sheet[];
  readonly from: number;
  readonly to: number;
  readonly complete: boolean;
}

/**
 * Reads all exports of one comparison. Reports of different kinds must cover the same time, unless the period is given; otherwise
 * what one of them lacks would look like a difference.
 * @throws TollgateError `invalid_request` naming the path of what is wrong.
 */
export function readExports(exports: readonly Export[], given: { readonly from?: number; readonly to?: number }): Bundle {
  const read = exports.map(({ format, data }, at) => ({ format, sheet: READERS[format](data, `exports.${at}.data`) }));
  const kinds = [...Map.groupBy(read, ({ format }) => format)].map(([format, of]) => ({
    format,
    from: given.from ?? Math.min(...of.map(({ sheet }) => sheet.from)),
    to: given.to ?? Math.max(...of.map(({ sheet }) => sheet.to)),
    complete: of.some(({ sheet }) => !sheet.more),
  }));
  const { format, from, to } = kinds[0]!;
  const other = kinds.find((kind) => kind.from !== from || kind.to !== to);
  if (other) refuse("exports", `${format} and ${other.format} cover different times; send the same days of both, or say from and to`);
  if (!(from < to)) refuse("to", "must be later than from");
  for (const { sheet } of read) {
    const outside = sheet.rows.find((row) => row.from < from || row.to > to);
    if (outside) refuse(outside.path, "lies outside of from and to");
  }
  const sheets = read.map(({ sheet }) => sheet);
  checkGrouping(sheets);
  return { sheets, from, to, complete: kinds.every((kind) => kind.complete) };
}

/** Rows of models beside rows of all models would count twice. */
function checkGrouping(sheets: readonly Sheet[]): void {
  const rows = sheets.flatMap((sheet) => sheet.rows);
  const grouped = rows.some(({ model }) => model !== null);
  const bare = rows.find(({ model }) => model === null);
  if (grouped && bare) refuse(bare.path, "names no model where other rows do; export by model throughout");
}
