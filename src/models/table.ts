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
  /** Where it is from, if not from the table's source. */
  readonly src?: string;
}

const DEPLOYMENT = { kind: "deployment", id: "" } as const;

function expand(row: CompactRow): PriceRow {
  const { p: provider, m: model, a: aliases = [], r: rates, t: tiers = [], s: serviceTiers = {} } = row;
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
    tiers: tiers.map(({ above, r }) => ({ aboveInputTokens: above, rates: r })),
    serviceTiers: Object.fromEntries(Object.entries(serviceTiers).map(([name, its]) => [name, { rates: its }])),
    source: row.src ?? (row.s ? `${table.source}; ${table.tierSource}` : table.source),
    checkedAt: Date.parse(table.checkedAt),
    contextTokens: row.c ?? null,
    maxOutputTokens: row.o ?? null,
  };
}

/** The bundled price table, and the hash that every record made by it carries. */
export const BUNDLED: readonly PriceRow[] = (table.rows as readonly CompactRow[]).map(expand);
export const TABLE_HASH: string = table.hash;
