import { type Command, command } from "../command.ts";
import { type Exit, Failure, misuse } from "../failure.ts";
import type { Gateway, Row } from "../gateway.ts";
import { choice, moment, nested, type OptionTable, pairs, text, texts } from "../option.ts";
import type { Output } from "../output.ts";
import { at, cell, type Column } from "../print.ts";
import { parsedJson, readSource } from "../source.ts";

const FORMATS = ["openai.usage", "openai.costs", "anthropic.usage", "anthropic.costs", "csv"] as const;
type Format = (typeof FORMATS)[number];

const options = {
  provider: texts("a name under which the account is called here; at least one", "providers", "<name>"),
  format: choice("what the files are, where they do not show it", FORMATS),
  from: moment("only from then on", "ago", "from"),
  to: moment("only until then, itself left out", "ago", "to"),
  model: pairs("the provider's name of a model and ours: theirs=ours", "models"),
  "tolerance-usd": text("how far a day of a model may be off, where an export rounds (0)", "tolerance_usd", "<usd>"),
} satisfies OptionTable;

const reconciled = command({
  name: "reconcile",
  summary: "Hold a provider's own usage or cost export against what was recorded here, by day and model.",
  more: "Files are put together: pages of one report as the provider's API answered them, or CSV. Ends with 4 where the sides differ.",
  operands: ["<file>…"],
  options,
  examples: [
    ["reconcile october.csv --provider openai", "a file of your own, or from the provider's console"],
    ["reconcile usage.json costs.json --provider openai", "usage and costs: a difference of price is told from one of tokens"],
    ["reconcile costs.json --provider anthropic --tolerance-usd 0.005 --json", "for a nightly check"],
  ],
  async run({ operands: files, given, fields, gateway, output }): Promise<Exit> {
    if (given.provider === undefined) throw misuse("Give --provider: the name under which the account is called here", "--provider");
    const exports: unknown[] = [];
    for (const file of files) exports.push(exportOf(await readSource(file, "<file>"), file, given.format));
    const found = await ask(gateway, { ...nested(fields), exports }, files);
    await output.object(found, () => lines(found, output));
    if (found["complete"] === false) await output.warn("the provider has more of this export than the files hold");
    return found["agrees"] === true && found["complete"] !== false ? "ok" : "no";
  },
});

/** `reconcile`: the provider's bill against ours. */
export const reconcile: readonly Command[] = [reconciled];

/** Asks, and tells what is wrong with an export by the file that it came in. */
async function ask(gateway: Gateway, body: Row, files: readonly string[]): Promise<Row> {
  try {
    return (await gateway.write("POST", "/admin/v1/reconcile", { body })) ?? {};
  } catch (error) {
    const place = error instanceof Failure ? /^exports\.(\d+)\b/.exec(error.facts.param ?? "") : null;
    if (!place || !(error instanceof Failure)) throw error;
    throw new Failure(error.exit, `${files[Number(place[1])]}: ${error.message}`, { ...error.facts, cause: error });
  }
}

function exportOf(content: string, file: string, told: Format | undefined): Row {
  const format = told ?? (/^\s*\{/.test(content) ? formatOf(parsedJson(content, file, "<file>")) : "csv");
  if (format === null) throw misuse(`${file} does not show what it is; give --format: ${FORMATS.join(", ")}`, "--format");
  return { format, data: format === "csv" ? content : parsedJson(content, file, "<file>") };
}

/** What a page of a provider's API is, by the first of its results; null where it has none, or is none. */
function formatOf(page: unknown): Format | null {
  const buckets = at(page, "data");
  const results = Array.isArray(buckets) ? buckets.flatMap((bucket: unknown) => at(bucket, "results") ?? []) : [];
  const [first] = results as Row[];
  const object = cell(first?.["object"]);
  if (object.startsWith("organization.usage.")) return "openai.usage";
  if (object.startsWith("organization.costs.")) return "openai.costs";
  if (first?.["uncached_input_tokens"] !== undefined) return "anthropic.usage";
  return typeof first?.["amount"] === "string" ? "anthropic.costs" : null;
}

const COLUMNS: readonly Column[] = [
  { head: "DAY", path: "day" },
  { head: "MODEL", path: "model" },
  { head: "CAUSE", path: "causes" },
  { head: "THEIRS", path: "theirs.figures.usd", figure: true },
  { head: "OURS", path: "ours.figures.usd", figure: true },
  { head: "OURS LESS THEIRS", path: "delta.usd", figure: true },
  { head: "TOKENS", path: "tokens" },
];

function lines(found: Row, output: Output): string[] {
  const differences = found["differences"] as readonly Row[];
  const rows = differences.map((row) => ({
    ...row,
    day: row["through"] === null ? row["day"] : `${cell(row["day"])} to ${cell(row["through"])}`,
    model: row["our_model"] === null ? row["model"] : `${cell(row["model"])} (here ${cell(row["our_model"])})`,
    tokens: tokensOf(at(row, "delta.tokens")),
  }));
  const sides = ["theirs", "ours", "delta"].map((side) => `${side} ${cell(at(found, `total.${side}.usd`))}`);
  const compared = `${differences.length} of ${cell(found["cells"])} model days differ (compared: ${cell(found["compared"])}).`;
  return [...(rows.length > 0 ? [...output.table(COLUMNS, rows), ""] : []), compared, `USD in all: ${sides.join(", ")}.`];
}

/** Counts that differ, each with its sign. */
function tokensOf(counts: unknown): string {
  const differing = Object.entries((counts ?? {}) as Readonly<Record<string, number>>).filter(([, count]) => count !== 0);
  return differing.map(([name, count]) => `${name} ${count > 0 ? "+" : ""}${count}`).join(", ");
}
