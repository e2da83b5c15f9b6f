import { femtoFromUsd, usdFromFemto } from "#core";
import type { PriceRow, Rates } from "./contract.ts";
import table from "./table.json" with { type: "json" };

/** A row as the build step writes it; short names keep the bundle small. Times are ISO dates. */
export interface CompactRow {
  readonly p: string;
  readonly m: string;
  readonly a?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  /** Context window in tokens. */
  readonly c?: number;
  /** The most output tokens. */
  readonly o?: number;
  readonly r: Rates;
  readonly t?: readonly { readonly above: number; readonly r: Rates }[];
  /** Rates by service tier. */
  readonly s?: Readonly<Record<string, Rates>>;
  /** Tiers that multiply the rates of tokens, at every length. */
  readonly x?: Readonly<Record<string, string>>;
  /** Where it is from, if not from the table's source. */
  readonly src?: string;
}

const DEPLOYMENT = { kind: "deployment", id: "" } as const;

const FEMTO_PER_USD = 10n ** 15n;
/** Classes that are billed by the piece; no tier makes them dearer. */
const PIECES = new Set(["image", "web_search", "file_search", "search_source", "extra", "second", "ranking"]);

/** One decimal times another, exactly: neither has more digits than the product holds. */
function times(rate: string, by: string): string {
  return usdFromFemto((femtoFromUsd(rate) * femtoFromUsd(by)) / FEMTO_PER_USD);
}

/** Rates by the tiers that multiply them. */
function multiplied(rates: Rates, factors: CompactRow["x"]): PriceRow["serviceTiers"] {
  const tokens = Object.entries(rates).filter(([name]) => !PIECES.has(name));
  const at = (by: string): Rates => Object.fromEntries(tokens.map(([name, rate]) => [name, rate && times(rate, by)]));
  return Object.fromEntries(Object.entries(factors ?? {}).map(([name, by]) => [name, { rates: at(by) }]));
}

function sourceOf({ p, s, x, src }: CompactRow): string {
  const factors: Readonly<Record<string, string>> = table.factorSource;
  return [src ?? table.source, ...(s ? [table.tierSource] : []), ...(x ? [factors[p]] : [])].join("; ");
}

function expand(row: CompactRow): PriceRow {
  const { p: provider, m: model, a: aliases = [], r: rates, t: tiers = [], s: serviceTiers = {}, x } = row;
  return {
    id: `table:${provider}/${model}${row.from === undefined ? "" : `@${row.from}`}`,
    provider,
    model,
    aliases,
    state: Object.values(rates).every((rate) => rate === "0") ? "free" : "priced",
    scope: DEPLOYMENT,
    effectiveFrom: row.from === undefined ? 0 : Date.parse(row.from),
    effectiveTo: row.to === undefined ? null : Date.parse(row.to),
    rates,
    tiers: tiers.map(({ above, r }) => ({ aboveInputTokens: above, rates: r, serviceTiers: multiplied({ ...rates, ...r }, x) })),
    serviceTiers: {
      ...multiplied(rates, x),
      ...Object.fromEntries(Object.entries(serviceTiers).map(([name, its]) => [name, { rates: its }])),
    },
    source: sourceOf(row),
    checkedAt: Date.parse(table.checkedAt),
    contextTokens: row.c ?? null,
    maxOutputTokens: row.o ?? null,
  };
}

/** The bundled price table, and the hash that every record made by it carries. */
export const BUNDLED: readonly PriceRow[] = (table.rows as readonly CompactRow[]).map(expand);
export const TABLE_HASH: string = table.hash;
