import type { PriceRow, Rates } from "./contract.ts";
import { BUILT_IN, MAX_OUTPUT_TOKENS } from "./overrides.ts";
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
  readonly r: Rates;
  readonly t?: readonly { readonly above: number; readonly r: Rates }[];
}

const DEPLOYMENT = { kind: "deployment", id: "" } as const;

function expand(row: CompactRow): PriceRow {
  const { p: provider, m: model, a: aliases = [], r: rates, t: tiers = [] } = row;
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
    serviceTiers: {},
    source: table.source,
    checkedAt: Date.parse(table.checkedAt),
    contextTokens: row.c ?? null,
    maxOutputTokens: MAX_OUTPUT_TOKENS[`${provider}/${model}`] ?? null,
  };
}

/** The bundled price table, and the hash that every record made by it carries. */
export const BUNDLED: readonly PriceRow[] = [...(table.rows as readonly CompactRow[]).map(expand), ...BUILT_IN];
export const TABLE_HASH: string = table.hash;
