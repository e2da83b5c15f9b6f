import { type Command, command } from "../command.ts";
import { choice, count, moment, type OptionTable, text } from "../option.ts";
import type { Row } from "../gateway.ts";
import type { Output } from "../output.ts";
import type { Column } from "../print.ts";
import { exportPages } from "./export.ts";

const RECORDS = "/admin/v1/costs/records";
const RECORDS_SHOWN = 50;
const GROUPS_SHOWN = 100;

/** Whose costs, and when. */
const filter = {
  from: moment("from then on: a day, a month, a time, or a duration back from now", "ago", "from"),
  to: moment("until then, itself left out", "ago", "to"),
  key: text("of this key", "key", "<id>"),
  team: text("of this team", "team", "<id>"),
  user: text("of this user", "user", "<id>"),
  "end-user": text("of this end user, as callers report it", "end_user", "<id>"),
  session: text("of this session", "session", "<id>"),
  provider: text("by this provider", "provider", "<name>"),
  model: text("by this model, in the provider's own name for it", "model", "<name>"),
  capability: text("by this kind of request: chat.completions, messages, embeddings", "capability", "<name>"),
  tag: text("with this tag", "tag", "<tag>"),
} satisfies OptionTable;

const SUMS: readonly Column[] = [
  { head: "USD", path: "usd", figure: true },
  { head: "REQUESTS", path: "requests", figure: true },
  { head: "INPUT", path: "tokens.input", figure: true },
  { head: "CACHE READ", path: "tokens.cache_read", figure: true },
  { head: "CACHE WRITE", path: "tokens.cache_write", figure: true },
  { head: "OUTPUT", path: "tokens.output", figure: true },
];

/** What answers out of the cache had cost when they were made: shown where there are any. */
const SAVED: Column = { head: "SAVED", path: "saved_usd", figure: true };

/** What is billed by the piece: a column each, where there is any. */
const PIECES = ["images", "web_searches", "file_searches", "search_sources", "characters", "seconds", "rankings", "extras"] as const;

const summary = command({
  name: "costs summary",
  summary: "Sum what was spent, by whatever you ask for.",
  more: "--by takes up to four of key, team, user, end_user, tag, provider, model, capability, session, task, hour, day, month, metadata.<name>.",
  operands: [],
  options: {
    by: text("what to group by, with commas", "group_by", "<names>"),
    ...filter,
    limit: count(`at most so many groups, dearest first (${GROUPS_SHOWN})`, undefined, 1),
  },
  examples: [
    ["costs summary --by model,day --from 7d", "the last week, by model and day"],
    ["costs summary --by team --from 2026-10 --to 2026-11", "October, by team"],
    ["costs summary --by metadata.feature --tag beta", "by a fact that callers send"],
  ],
  async run({ fields, given, gateway, output }) {
    let whole: Row = {};
    const groups: Row[] = [];
    const asked = { query: fields, as: "either" } as const;
    for await (const { answer, rows } of gateway.pages("/admin/v1/costs/summary", asked, given.limit ?? GROUPS_SHOWN)) {
      groups.push(...rows);
      whole = { ...answer, data: groups };
    }
    await output.object(whole, (all) => sums(all, groups, output));
    if (whole["next_cursor"] && !output.plain)
      await output.note("There are more groups; the total is of all. --limit takes a larger number.");
  },
});

const RECORD_COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "AT", path: "at" },
  { head: "KEY", path: "key" },
  { head: "PROVIDER", path: "resource.provider" },
  { head: "MODEL", path: "resource.model" },
  { head: "OUTCOME", path: "outcome" },
  { head: "COST", path: "status" },
  { head: "USD", path: "actual_usd", figure: true },
  { head: "INPUT", path: "usage.input", figure: true },
  { head: "OUTPUT", path: "usage.output", figure: true },
];

const records = command({
  name: "costs records",
  summary: "List cost records, newest first.",
  more: "A record is written once for each request and never changed. The whole of a range: tollgate help costs export.",
  operands: [],
  options: { ...filter, limit: count(`at most so many (${RECORDS_SHOWN})`, undefined, 1) },
  examples: [
    ["costs records --limit 20", "the latest"],
    ["costs records --key key_9f3k2m7q1xab --from 1d --json", "one key's last day, for a program"],
  ],
  async run({ fields, given, gateway, output }) {
    const pages = gateway.pages(RECORDS, { query: fields, as: "either" }, given.limit ?? RECORDS_SHOWN);
    await output.list(pages, RECORD_COLUMNS, "There are no such records.");
  },
});

const record = command({
  name: "costs record",
  summary: "Show one record with its receipt: the price, and the arithmetic line by line.",
  operands: ["<id>"],
  options: {},
  examples: [["costs record cost_01k2m7q1xab", "why it cost what it cost"]],
  async run({ operands: [id], gateway, output }) {
    await output.object(await gateway.get(`${RECORDS}/${encodeURIComponent(id ?? "")}`, { as: "either" }));
  },
});

const exported = command({
  name: "costs export",
  summary: "Write every record of a range, as CSV or NDJSON, to a file or standard output.",
  more: "It begins at the beginning each time. A file appears under its name when it is whole, and replaces what was there.",
  operands: [],
  options: {
    ...filter,
    format: choice("how to write it, csv if not told", ["csv", "ndjson"]),
    out: text("the file to write; standard output where it is left out", undefined, "<file>"),
  },
  examples: [
    ["costs export --from 2026-10 --to 2026-11 --out october.csv", "October, for a spreadsheet"],
    ["costs export --from 1d --format ndjson", "the last day, for a pipeline"],
  ],
  async run({ fields, given, gateway, output }) {
    await exportPages(gateway, output, { path: RECORDS, query: fields, format: given.format ?? "csv", file: given.out ?? null });
  },
});

/** `costs`: what was spent, by whom, and why. */
export const costs: readonly Command[] = [summary, records, record, exported];

function sums(all: Row, groups: readonly Row[], output: Output): string[] {
  const by = all["group_by"] as readonly string[];
  const display = all["display"] as Display | null;
  const named = Object.fromEntries(by.map((name, at) => [name, at === 0 ? "(total)" : null]));
  const total = { ...(all["total"] as Row), group: named, display: display?.total };
  const columns = by.map((name): Column => ({ head: name.toUpperCase(), path: `group.${name}` }));
  const counted = (all["total"] as { readonly pieces?: Readonly<Record<string, number>> }).pieces ?? {};
  const pieces = PIECES.filter((name) => (counted[name] ?? 0) > 0).map((name): Column => ({
    head: name.toUpperCase().replace("_", " "),
    path: `pieces.${name}`,
    figure: true,
  }));
  const saved = (all["total"] as { readonly saved_usd?: string }).saved_usd ?? "0";
  const also = saved === "0" ? pieces : [SAVED, ...pieces];
  if (!display) return output.table([...columns, ...SUMS, ...also], [...groups, total]);
  const { currency, rate, rate_date } = display;
  const [usd, ...others] = SUMS;
  const shown: Column = { head: currency, path: "display", figure: true };
  const lines = output.table([...columns, usd!, shown, ...others, ...also], [...groups, total]);
  return [...lines, `\n1 USD is ${rate} ${currency}, as of ${rate_date}; what is counted and billed is USD.`];
}

/** The total in the currency that the deployment shows beside USD, and at what rate. */
interface Display {
  readonly currency: string;
  readonly rate: string;
  readonly rate_date: string;
  readonly total: string;
}
