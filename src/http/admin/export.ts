import { isObject, TollgateError } from "#core";
import type { AdminContext } from "./operation.ts";

/** How a list is wanted. */
type Format = "json" | "csv" | "ndjson";

const TYPES: Readonly<Record<Exclude<Format, "json">, string>> = { csv: "text/csv; charset=utf-8", ndjson: "application/x-ndjson" };

/** The format a reader asks for: by `format`, else by `accept`, else JSON. */
function formatOf(context: AdminContext, asked: Format | undefined): Format {
  if (asked !== undefined) return asked;
  const accept = context.req.header("accept") ?? "";
  if (accept.includes("text/csv")) return "csv";
  return accept.includes("application/x-ndjson") ? "ndjson" : "json";
}

type Row = Readonly<Record<string, unknown>>;

/** A page in the form that the reader asks for: JSON as it is, or a file of its rows. */
export function asAsked<Page extends { readonly data: readonly Row[]; readonly next_cursor: string | null }>(
  context: AdminContext,
  page: Page,
  asked: Format | undefined,
): Page | Response {
  const wanted = formatOf(context, asked);
  return wanted === "json" ? page : exported(page.data, wanted, page.next_cursor);
}

/** A page of rows as a file; the cursor of the next page stands in a header. */
function exported(rows: readonly Row[], format: Exclude<Format, "json">, next: string | null): Response {
  const body = format === "csv" ? csv(rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const headers = new Headers({ "content-type": TYPES[format], "cache-control": "no-store" });
  if (next !== null) headers.set("x-next-cursor", next);
  return new Response(body, { headers });
}

/** Values whose members differ from row to row: each stands as JSON in one cell, so that no row holds what has no column. */
const FREE_FORM = new Set(["metadata", "before", "after", "details", "subject"]);

/** RFC 4180. Columns are the paths of the first row's values, which every row of one query has, on every page. */
function csv(rows: readonly Row[]): string {
  const [first] = rows;
  if (!first) return "";
  const flat = rows.map((row) => new Map(paths(row, "")));
  const columns = paths(first, "").map(([path]) => path);
  const lines = flat.map((row) => columns.map((column) => cell(row.get(column))).join(","));
  return [columns.join(","), ...lines].map((line) => `${line}\r\n`).join("");
}

function paths(value: Row, prefix: string): [string, unknown][] {
  return Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    const path = `${prefix}${name}`;
    return isObject(inner) && !FREE_FORM.has(name) ? paths(inner, `${path}.`) : [[path, inner]];
  });
}

/** What a spreadsheet takes for the start of a formula, also in the wide forms that some fold into the plain ones. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/** A cell that begins like a formula gets a quote before it: spreadsheets would run what a caller wrote into a tag. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = typeof value !== "number" && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Splits a comma-separated list of names. */
export function names(list: string | undefined): string[] {
  const found = list === undefined || list === "" ? [] : list.split(",").map((each) => each.trim());
  if (found.length > 4) throw new TollgateError("invalid_request", "group_by takes at most 4 dimensions", { param: "group_by" });
  return found;
}
