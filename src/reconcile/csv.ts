import { TollgateError } from "#core";
import { amountOf } from "./amount.ts";
import { type Count, COUNTS, type ExportRow, type Figures, type Sheet } from "./contract.ts";
import { count, refuse, sheetOf } from "./rows.ts";

const DAY_MS = 86_400_000;

/** Where a file of one kind has what is compared. */
interface Layout {
  /** Columns by which it is known. */
  readonly has: readonly string[];
  readonly vendor: string | null;
  readonly day: string;
  readonly model: string;
  readonly requests: string | null;
  readonly counts: Readonly<Partial<Record<Count, string>>>;
  readonly usd: string | null;
  /** Columns whose tokens are within another count, and are taken out of it. */
  readonly within?: { readonly input: readonly Count[]; readonly output: readonly Count[] };
  /** Whether columns that mean nothing here may stand beside. */
  readonly others: boolean;
}

/**
 * The files that can be read, the most particular first. The vendors document that their consoles export (support.anthropic.com/en/
 * articles/9534590, platform.openai.com/usage), not the columns: those are as the files had them in 2026. The OpenAI file's columns
 * carry the names of the usage API's fields.
 */
const LAYOUTS: readonly Layout[] = [
  {
    has: ["usage_date_utc", "model_version", "usage_input_tokens_no_cache"],
    vendor: "anthropic",
    day: "usage_date_utc",
    model: "model_version",
    requests: null,
    counts: {
      input: "usage_input_tokens_no_cache",
      cache_write_5m: "usage_input_tokens_cache_write_5m",
      cache_write_1h: "usage_input_tokens_cache_write_1h",
      cache_read: "usage_input_tokens_cache_read",
      output: "usage_output_tokens",
      web_searches: "web_search_count",
    },
    usd: null,
    others: true,
  },
  {
    has: ["start_time_iso", "end_time_iso", "num_model_requests", "input_tokens"],
    vendor: "openai",
    day: "start_time_iso",
    model: "model",
    requests: "num_model_requests",
    counts: {
      input: "input_tokens",
      cache_read: "input_cached_tokens",
      cache_write_5m: "input_cache_write_tokens",
      audio_input: "input_audio_tokens",
      output: "output_tokens",
      audio_output: "output_audio_tokens",
    },
    usd: null,
    within: { input: ["cache_read", "cache_write_5m", "audio_input"], output: ["audio_output"] },
    others: true,
  },
  {
    has: ["day"],
    vendor: null,
    day: "day",
    model: "model",
    requests: "requests",
    counts: Object.fromEntries(COUNTS.map((name) => [name, name])),
    usd: "usd",
    others: false,
  },
];

type Line = ReadonlyMap<string, string>;

/** Reads a file of comma-separated values by its header. @throws TollgateError `invalid_request` naming line and column. */
export function readCsv(data: unknown, path: string): Sheet {
  if (typeof data !== "string") refuse(path, "must be the text of the file");
  const [header, ...lines] = cells(data.replace(/^\uFEFF/, ""), path);
  const columns = (header ?? []).map((name) => name.trim().toLowerCase());
  const layout = LAYOUTS.find(({ has }) => has.every((name) => columns.includes(name)));
  if (!layout) refuse(path, "has a header of no file that is known here; it needs a column named day");
  checkColumns(columns, layout, path);
  const rows = lines.map((line, at): ExportRow => {
    const place = `${path}.${at + 2}`;
    if (line.length !== columns.length) refuse(place, `has ${line.length} columns where the header has ${columns.length}`);
    const values = new Map(columns.map((name, nth) => [name, line[nth]!.trim()]));
    const from = startOf(values.get(layout.day) ?? "", `${place}.${layout.day}`);
    return { path: place, from, to: from + DAY_MS, ...rowOf(values, layout, place) };
  });
  return sheetOf(rows, rows, { path, more: false, vendor: layout.vendor, searchesApart: false });
}

/** A misspelt column of one's own file would be a figure that nobody compares. */
function checkColumns(columns: readonly string[], layout: Layout, path: string): void {
  const measures = [...Object.values(layout.counts), ...(layout.usd === null ? [] : [layout.usd])];
  const known = new Set([layout.day, layout.model, layout.requests, ...measures]);
  const seen = new Set<string>();
  const twice = columns.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) refuse(path, `names the column ${twice.slice(0, 64)} twice`);
  const unknown = layout.others ? undefined : columns.find((name) => !known.has(name));
  if (unknown !== undefined) refuse(path, `has an unknown column ${unknown.slice(0, 64)}`);
  if (!measures.some((name) => columns.includes(name))) refuse(path, `needs at least one of the columns ${measures.join(", ")}`);
}

function rowOf(line: Line, layout: Layout, place: string): Pick<ExportRow, "model" | "requests" | "figures"> {
  const stated: Partial<Record<Count, bigint>> = {};
  for (const name of COUNTS) {
    const column = layout.counts[name];
    const text = column === undefined ? undefined : line.get(column);
    if (column !== undefined && text !== undefined) stated[name] = BigInt(countOf(text, `${place}.${column}`));
  }
  return {
    model: line.get(layout.model) || null,
    requests: layout.requests === null ? 0 : countOf(line.get(layout.requests) ?? "", `${place}.${layout.requests}`),
    figures: { ...disjoint(stated, layout, place), ...amountIn(line, layout, place) },
  };
}

function amountIn(line: Line, { usd: column }: Layout, place: string): Figures {
  const text = column === null ? undefined : line.get(column);
  if (text === undefined) return {};
  const usd = text === "" ? 0n : amountOf(text);
  if (usd === null) refuse(`${place}.${column}`, "must be a decimal amount in USD");
  return { usd };
}

/** Takes what a total includes out of it. */
function disjoint(stated: Partial<Record<Count, bigint>>, { within, counts }: Layout, place: string): Figures {
  const apart = { ...stated };
  for (const [total, parts] of Object.entries(within ?? {}) as ["input" | "output", readonly Count[]][]) {
    const rest = (stated[total] ?? 0n) - parts.reduce((sum, name) => sum + (stated[name] ?? 0n), 0n);
    if (rest < 0n) refuse(`${place}.${counts[total]}`, "is less than the tokens that it includes");
    if (stated[total] !== undefined) apart[total] = rest;
  }
  return apart;
}

/** A whole number; consoles write some with a fraction of nought, and leave a cell empty for none. */
function countOf(text: string, path: string): number {
  const digits = /^(\d{1,15})(?:\.0+)?$/.exec(text === "" ? "0" : text)?.[1];
  const parsed = count.safeParse(Number(digits ?? Number.NaN));
  if (!parsed.success) refuse(path, "must be a whole number");
  return parsed.data;
}

/** The start of the UTC day of a date or a moment. */
function startOf(text: string, path: string): number {
  const whole = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(whole) ? Date.parse(whole) : Number.NaN;
  if (Number.isNaN(at)) refuse(path, "must be a date like 2026-10-05, or a moment with its offset");
  return Math.floor(at / DAY_MS) * DAY_MS;
}

/** Splits RFC 4180: quoted cells may hold commas, quotes and line ends. Empty lines are none. */
function cells(text: string, path: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  while (pattern.lastIndex < text.length || line.length > 0) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) throw new TollgateError("invalid_request", `${path}: line ${lines.length + 1} is not comma-separated`, { param: path });
    line.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
    if (match[3] === ",") continue;
    if (line.length > 1 || line[0] !== "") lines.push(line);
    line = [];
    if (pattern.lastIndex === at && at >= text.length) break;
  }
  return lines;
}
