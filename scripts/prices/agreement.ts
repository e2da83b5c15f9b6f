import type { Rates } from "../../src/models/contract.ts";
import type { CompactRow } from "../../src/models/table.ts";
import type { Correction, Reading } from "./published.ts";

/** What two sources say of one class of one model. */
interface Difference {
  readonly model: string;
  readonly class: string;
  readonly borrowed: string | null;
  readonly published: string | null;
}

/** The row of a model in force on a day. */
function rowOn(rows: readonly CompactRow[], model: string, on: string): CompactRow | undefined {
  return rows.find(({ p, m, from = "", to = "9999" }) => `${p}/${m}` === model && from <= on && on < to);
}

function differing(model: string, borrowed: Rates, published: Rates, prefix = ""): Difference[] {
  const told = Object.entries(published) as [keyof Rates, string][];
  return told
    .filter(([name, rate]) => (borrowed[name] ?? null) !== rate)
    .map(([name, rate]) => ({ model, class: `${prefix}${name}`, borrowed: borrowed[name] ?? null, published: rate }));
}

/** The length from which a prompt is dearer: a page says "more than 272K", a table may say "from 272,000", which is one token apart. */
function thresholdOf({ t = [] }: CompactRow): number | null {
  return t[0]?.above ?? null;
}

function differences(model: string, row: CompactRow, { rates, long }: Reading): Difference[] {
  const found = differing(model, row.r, rates);
  if (!long) return found;
  const above = thresholdOf(row);
  const length = above === long.above ? [] : [{ model, class: "long.above", borrowed: String(above), published: String(long.above) }];
  return [...found, ...length, ...differing(model, { ...row.r, ...row.t?.[0]?.r }, long.rates, "long.")];
}

/** Rows with what the corrections say in place of what was borrowed. */
export function corrected(rows: readonly CompactRow[], corrections: Readonly<Record<string, Correction>>): CompactRow[] {
  return rows.map((row) => {
    const correction = corrections[`${row.p}/${row.m}`];
    if (!correction) return row;
    const { above, rates, source } = correction;
    const long = above === undefined || !row.t ? {} : { t: row.t.map((tier, at) => (at === 0 ? { ...tier, above } : tier)) };
    return { ...row, ...long, r: { ...row.r, ...rates }, ...(source === undefined ? {} : { src: source }) };
  });
}

/**
 * Holds the rows against the vendors' pages.
 * @throws Error naming every class on which they disagree, every model that a page prices and no row does, and every correction
 * that nothing calls for any more.
 */
export function requireAgreement(
  borrowed: readonly CompactRow[],
  published: Readonly<Record<string, Reading>>,
  corrections: Readonly<Record<string, Correction>>,
): void {
  const rows = corrected(borrowed, corrections);
  const complaints = Object.entries(published).flatMap(([model, reading]) => {
    const row = rowOn(rows, model, reading.on);
    if (!row) return [`${model}: ${reading.page} prices it, and no row does`];
    return differences(model, row, reading).map(
      (each) => `${model} ${each.class}: ${each.borrowed ?? "none"} in the table, ${each.published} on ${reading.page}`,
    );
  });
  const idle = Object.keys(corrections).filter((model) => {
    const reading = published[model];
    const row = reading && rowOn(borrowed, model, reading.on);
    return !row || differences(model, row, reading).length === 0;
  });
  const all = [...complaints, ...idle.map((model) => `${model}: its correction corrects nothing`)];
  if (all.length > 0) throw new Error(`The sources of prices disagree, and no correction says why:\n  ${all.join("\n  ")}`);
}
