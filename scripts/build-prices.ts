import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { findProvider, type ConditionalPrice, type MatchLogic, type ModelInfo, type ModelPrice } from "@pydantic/genai-prices";
import type { RateClass } from "../src/models/contract.ts";
import type { CompactRow } from "../src/models/table.ts";

/**
 * Makes src/models/table.json out of @pydantic/genai-prices: exact ids and listed names only, rates as decimal text, dated rows and
 * long-context tiers. `--check` compares instead of writing.
 */

const OUTPUT = "src/models/table.json";
const PROVIDERS = {
  openai: "openai",
  anthropic: "anthropic",
  google: "google",
  mistral: "mistral",
  deepseek: "deepseek",
  groq: "groq",
  "x-ai": "xai",
  cohere: "cohere",
};
const CLASSES: Readonly<Record<string, RateClass>> = {
  input_mtok: "input",
  cache_read_mtok: "cache_read",
  cache_write_mtok: "cache_write_5m",
  cache_write_1h_mtok: "cache_write_1h",
  output_mtok: "output",
  input_audio_mtok: "audio_input",
  output_audio_mtok: "audio_output",
  web_searches_kcount: "web_search",
};

/** A number of the source as the shortest decimal that means it; per thousand becomes per piece. */
function decimal(value: number, perThousand: boolean): string {
  const [whole = "0", fraction = ""] = (/e/.test(String(value)) ? value.toFixed(12) : String(value)).split(".");
  const digits = perThousand ? 3 : 0;
  const padded = whole.padStart(digits + 1, "0");
  const moved = `${padded.slice(0, padded.length - digits)}.${padded.slice(padded.length - digits)}${fraction}`;
  return moved.replace(/0+$/, "").replace(/\.$/, "");
}

/** The names that a match clause lists exactly; a prefix is taken as a name, patterns are left out. */
function namesOf(match: MatchLogic): { readonly exact: string[]; readonly prefixes: string[] } {
  if ("equals" in match) return { exact: [match.equals], prefixes: [] };
  if ("starts_with" in match) return { exact: [], prefixes: [match.starts_with.replace(/[-@:]$/, "")] };
  const inner = "or" in match ? match.or.map(namesOf) : [];
  return { exact: inner.flatMap((each) => each.exact), prefixes: inner.flatMap((each) => each.prefixes) };
}

type Dated = { readonly from?: string; readonly prices: ModelPrice };

/** Dated prices in order. A discount by the time of day is left out: the standard rate is the dearer one. */
function datedPrices(prices: ModelInfo["prices"]): Dated[] {
  if (!Array.isArray(prices)) return [{ prices }];
  const usable = prices.filter((each: ConditionalPrice) => each.constraint === undefined || "start_date" in each.constraint);
  const dated = usable.map((each) => ({
    ...(each.constraint && "start_date" in each.constraint ? { from: each.constraint.start_date } : {}),
    prices: each.prices,
  }));
  return dated.toSorted((a, b) => (a.from ?? "").localeCompare(b.from ?? ""));
}

function ratesOf(prices: ModelPrice, above: number | null): Partial<Record<RateClass, string>> {
  const rates: Partial<Record<RateClass, string>> = {};
  for (const [key, name] of Object.entries(CLASSES)) {
    const price = prices[key];
    if (price === undefined) continue;
    if (typeof price === "number") {
      if (above === null) rates[name] = decimal(price, key.endsWith("_kcount"));
      continue;
    }
    const value = above === null ? price.base : price.tiers.findLast((tier) => tier.start <= above)?.price;
    if (value !== undefined) rates[name] = decimal(value, false);
  }
  return rates;
}

function tiersOf(prices: ModelPrice): NonNullable<CompactRow["t"]> {
  const starts = Object.values(prices).flatMap((price) => (typeof price === "object" ? price.tiers.map((tier) => tier.start) : []));
  return [...new Set(starts)].toSorted((a, b) => a - b).map((above) => ({ above, r: ratesOf(prices, above) }));
}

function rowsOf(provider: string, model: ModelInfo, aliases: readonly string[]): CompactRow[] {
  const dated = datedPrices(model.prices);
  return dated.flatMap(({ from, prices }, at): CompactRow[] => {
    const rates = ratesOf(prices, null);
    if (rates.input === undefined && rates.output === undefined) return [];
    const until = dated[at + 1]?.from;
    const tiers = tiersOf(prices);
    return [
      {
        p: provider,
        m: model.id,
        ...(aliases.length > 0 ? { a: aliases } : {}),
        ...(from === undefined ? {} : { from }),
        ...(until === undefined ? {} : { to: until }),
        ...(model.context_window === undefined ? {} : { c: model.context_window }),
        r: rates,
        ...(tiers.length > 0 ? { t: tiers } : {}),
      },
    ];
  });
}

/** Each name belongs to one model: its own id first, then who lists it exactly, then who lists it as a prefix; two claims of a kind cancel. */
function claims(models: readonly ModelInfo[]): ReadonlyMap<string, string[]> {
  const owner = new Map<string, string | null>(models.map(({ id }) => [id, id]));
  for (const kind of ["exact", "prefixes"] as const) {
    const claimed = new Map<string, string | null>();
    for (const { id, match } of models) {
      for (const name of new Set(namesOf(match)[kind]))
        if (!owner.has(name) && !name.startsWith("ft:")) claimed.set(name, claimed.has(name) ? null : id);
    }
    for (const [name, id] of claimed) owner.set(name, id);
  }
  const lists = new Map<string, string[]>(models.map(({ id }) => [id, []]));
  for (const [name, id] of owner) if (id !== null && id !== name) lists.get(id)?.push(name);
  return lists;
}

function table(): string {
  const rows = Object.entries(PROVIDERS).flatMap(([theirs, ours]) => {
    const models = (findProvider({ providerId: theirs })?.models ?? []).filter(({ id }) => !id.startsWith("ft:") && !id.endsWith("ft-"));
    const aliases = claims(models);
    return models.flatMap((model) => rowsOf(ours, model, (aliases.get(model.id) ?? []).toSorted()));
  });
  const { version } = JSON.parse(readFileSync("node_modules/@pydantic/genai-prices/package.json", "utf8")) as { version: string };
  const lines = rows.map((row) => JSON.stringify(row)).join(",\n");
  const hash = `sha256:${createHash("sha256").update(lines).digest("hex")}`;
  return `{"source":"@pydantic/genai-prices ${version}","checkedAt":"2026-11-21","hash":"${hash}","rows":[\n${lines}\n]}\n`;
}

const made = table();
if (process.argv.includes("--check")) {
  if (readFileSync(OUTPUT, "utf8") !== made) throw new Error(`${OUTPUT} is stale: run npm run prices`);
} else writeFileSync(OUTPUT, made);
