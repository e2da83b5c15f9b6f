import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { findProvider, type ConditionalPrice, type MatchLogic, type ModelInfo, type ModelPrice } from "@pydantic/genai-prices";
import type { RateClass } from "../src/models/contract.ts";
import {
  AUDIO,
  AUDIO_SOURCE,
  BUILT_IN,
  CHECKED_AT,
  CLAUDE_CACHE_WRITE_1H,
  MAX_OUTPUT_TOKENS,
  SERVICE_TIERS,
  SERVICE_TIERS_SOURCE,
} from "../src/models/overrides.ts";
import type { CompactRow } from "../src/models/table.ts";
import { FACTORS, FACTORS_SOURCE, MODELS, PIECES } from "./prices/additions.ts";
import { corrected, requireAgreement } from "./prices/agreement.ts";
import { coverage } from "./prices/coverage.ts";
import { CORRECTIONS, PUBLISHED } from "./prices/published.ts";

/**
 * Makes src/models/table.json out of @pydantic/genai-prices and our own overrides: exact ids and listed names only, rates as decimal
 * text, dated rows, long-context and service tiers. Fails where the vendors' pages say otherwise and no correction says why.
 * `--check` compares instead of writing; `--report` prints what the table covers.
 */

const OUTPUT = "src/models/table.json";
const { version } = JSON.parse(readFileSync("node_modules/@pydantic/genai-prices/package.json", "utf8")) as { version: string };
const SOURCE = `@pydantic/genai-prices ${version}`;
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
  input_image_mtok: "image_input",
  web_searches_kcount: "web_search",
  storage_searches_kcount: "file_search",
};

type Found = Partial<Record<RateClass, string | null>>;

/** Answers report these within the output, so a row that rates them apart is taken at the dearest of them. */
const WITHIN_OUTPUT = ["output_mtok", "output_image_mtok", "output_video_mtok"];

/** Models that draw and do nothing else: their answers tell pictures and text apart. */
const DRAWS = /^gpt-image-/;
const SECONDS_PER_HOUR = 3_600;

/** What a second of sound costs where the source rates the hour; null where that is no decimal of nine digits, since a rounded one is not what is billed. */
function perSecond({ input_audio_hours: hour }: ModelPrice): string | null {
  if (typeof hour !== "number") return null;
  const [whole = "0", fraction = ""] = String(hour).split(".");
  const nano = BigInt(whole + fraction.padEnd(9, "0"));
  return nano % BigInt(SECONDS_PER_HOUR) === 0n ? decimal(Number(nano / BigInt(SECONDS_PER_HOUR)) / 1e9, false) : null;
}

/** A number of the source as the shortest decimal that means it; per thousand becomes per piece. */
function decimal(value: number, perThousand: boolean): string {
  const [whole = "0", fraction = ""] = (/e/.test(String(value)) ? value.toFixed(12) : String(value)).split(".");
  const digits = perThousand ? 3 : 0;
  const padded = whole.padStart(digits + 1, "0");
  const moved = `${padded.slice(0, padded.length - digits)}.${padded.slice(padded.length - digits)}${fraction}`;
  return moved.replace(/0+$/, "").replace(/\.$/, "");
}

/** A decimal times a whole number, in digits and not in floats. */
function times(rate: string, by: number): string {
  const [whole = "0", fraction = ""] = rate.split(".");
  const product = (BigInt(whole + fraction) * BigInt(by)).toString().padStart(fraction.length + 1, "0");
  const split = product.length - fraction.length;
  return fraction === "" ? product : `${product.slice(0, split)}.${product.slice(split)}`.replace(/0+$/, "").replace(/\.$/, "");
}

/** The names that a match clause lists exactly; a prefix is taken as a name, patterns are left out. */
function namesOf(match: MatchLogic): { readonly exact: string[]; readonly prefixes: string[] } {
  if ("equals" in match) return { exact: [match.equals], prefixes: [] };
  if ("starts_with" in match) return { exact: [], prefixes: [match.starts_with.replace(/[-@:]$/, "")] };
  const inner = "or" in match ? match.or.map(namesOf) : [];
  return { exact: inner.flatMap((each) => each.exact), prefixes: inner.flatMap((each) => each.prefixes) };
}

type Dated = { readonly from?: string; readonly prices: ModelPrice };

/**
 * Dated prices in order. Where prices change by the time of day, which a row cannot say, each class is taken at its dearest hour:
 * what is shown may be too much and never too little.
 */
function datedPrices(prices: ModelInfo["prices"]): Dated[] {
  if (!Array.isArray(prices)) return [{ prices }];
  const hourly = prices.filter(({ constraint }) => constraint !== undefined && !("start_date" in constraint));
  const dated = prices
    .filter((each) => !hourly.includes(each))
    .map(({ constraint, prices: own }: ConditionalPrice): Dated => {
      const all = [own, ...hourly.map((each) => each.prices)];
      return { ...(constraint && "start_date" in constraint ? { from: constraint.start_date } : {}), prices: dearest(all) };
    });
  return dated.toSorted((a, b) => (a.from ?? "").localeCompare(b.from ?? ""));
}

/** Of several prices the highest in each class. */
function dearest(all: readonly ModelPrice[]): ModelPrice {
  const [first = {}, ...others] = all;
  if (others.length === 0) return first;
  const keys = new Set(all.flatMap((each) => Object.keys(each)));
  return Object.fromEntries([...keys].map((key) => [key, Math.max(...all.map((each) => plain(each[key])))]));
}

function plain(price: ModelPrice[string]): number {
  if (typeof price === "object") throw new Error("a price by the hour and by length is not known how to read");
  return price ?? 0;
}

function priceOf(price: ModelPrice[string], above: number | null): number | undefined {
  if (typeof price !== "object") return above === null ? price : undefined;
  return above === null ? price.base : price.tiers.findLast((tier) => tier.start <= above)?.price;
}

function ratesOf(prices: ModelPrice, above: number | null, apart = false): Found {
  const rates: Found = {};
  const drawn = apart ? priceOf(prices["output_image_mtok"], above) : undefined;
  if (drawn !== undefined) rates.image_output = decimal(drawn, false);
  const second = perSecond(prices);
  if (second !== null) rates.second = second;
  for (const [key, name] of Object.entries(CLASSES)) {
    const within = name === "output" && !apart ? WITHIN_OUTPUT : [key];
    const found = within.flatMap((each) => priceOf(prices[each], above) ?? []);
    if (found.length > 0) rates[name] = decimal(Math.max(...found), key.endsWith("_kcount"));
  }
  return rates;
}

function tiersOf(prices: ModelPrice): { above: number; r: Found }[] {
  const starts = Object.values(prices).flatMap((price) => (typeof price === "object" ? price.tiers.map((tier) => tier.start) : []));
  return [...new Set(starts)].toSorted((a, b) => a - b).map((above) => ({ above, r: ratesOf(prices, above) }));
}

function rowsOf(provider: string, model: ModelInfo, aliases: readonly string[]): CompactRow[] {
  const dated = datedPrices(model.prices);
  return dated.flatMap(({ from, prices }, at): CompactRow[] => {
    const name = `${provider}/${model.id}`;
    const text = withHourWrites(model.id, ratesOf(prices, null, DRAWS.test(model.id)));
    const rates = { ...withAudio(name, text), ...PIECES[name]?.rates, ...PIECES[`${provider}/*`]?.rates };
    if (rates.input === undefined && rates.output === undefined && rates.second === undefined) return [];
    const until = dated[at + 1]?.from;
    const tiers = tiersOf(prices).map(({ above, r }) => ({ above, r: withHourWrites(model.id, r) }));
    const service = serviceTiersOf(name, rates);
    return [
      {
        p: provider,
        m: model.id,
        ...(aliases.length > 0 ? { a: aliases } : {}),
        ...(from === undefined ? {} : { from }),
        ...(until === undefined ? {} : { to: until }),
        ...(model.context_window === undefined ? {} : { c: model.context_window }),
        ...(MAX_OUTPUT_TOKENS[name] === undefined ? {} : { o: MAX_OUTPUT_TOKENS[name] }),
        r: rates,
        ...(tiers.length > 0 ? { t: tiers } : {}),
        ...(service ? { s: service } : {}),
        ...(FACTORS[name] ? { x: FACTORS[name] } : {}),
        ...sourceOf(name, provider),
      },
    ];
  });
}

/** Where a row is from, if more than the borrowed table. */
function sourceOf(name: string, provider: string): { readonly src?: string } {
  const pieces = PIECES[name] ?? PIECES[`${provider}/*`];
  const more = [...(AUDIO[name] ? [AUDIO_SOURCE] : []), ...(pieces ? [`${pieces.of ?? "hosted tools"}: ${pieces.source}`] : [])];
  return more.length > 0 ? { src: [SOURCE, ...more].join("; ") } : {};
}

/** Claude's rates with those of one-hour cache writes, which the source often lacks. */
function withHourWrites(model: string, rates: Found): Found {
  const { input, cache_write_5m, cache_write_1h, output, ...rest } = rates;
  if (!model.startsWith("claude") || typeof input !== "string" || cache_write_5m === undefined || cache_write_1h !== undefined)
    return rates;
  return {
    input,
    ...rest,
    cache_write_5m,
    cache_write_1h: times(input, CLAUDE_CACHE_WRITE_1H),
    ...(output === undefined ? {} : { output }),
  };
}

/** Rates with those of audio, where the source has none. */
function withAudio(name: string, rates: Found): Found {
  const [audio_input, audio_output] = AUDIO[name] ?? [];
  if (audio_input === undefined || audio_output === undefined || rates.audio_input !== undefined) return rates;
  return { ...rates, audio_input, audio_output };
}

/** The service tiers of a row whose standard rates are those beside which they were read. */
function serviceTiersOf(name: string, { input, output }: Found): CompactRow["s"] {
  const known = SERVICE_TIERS[name];
  if (!known || known.standard[0] !== input || known.standard[1] !== output) return undefined;
  const { flex, priority } = known;
  return { ...(flex ? { flex } : {}), ...(priority ? { priority } : {}) };
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

const DATE = /-\d{4}-\d{2}-\d{2}$/;

/** Borrowed rows, without the names that have rows of our own, dated or not. */
function borrowedRows(): CompactRow[] {
  const own = new Set(MODELS.map(({ p, m }) => `${p}/${m}`));
  return Object.entries(PROVIDERS).flatMap(([theirs, ours]) => {
    const models = (findProvider({ providerId: theirs })?.models ?? []).filter(({ id }) => !id.startsWith("ft:") && !id.endsWith("ft-"));
    const known = models.find(({ id }) => own.has(`${ours}/${id}`));
    if (known) throw new Error(`${ours}/${known.id} stands in the borrowed table now: scripts/prices/additions.ts need not have it`);
    const aliases = claims(models);
    return models.flatMap((model) => {
      const names = (aliases.get(model.id) ?? []).filter((name) => !own.has(`${ours}/${name.replace(DATE, "")}`));
      return rowsOf(ours, model, names.toSorted());
    });
  });
}

/** Rows of our own, with the tiers that are said of their models. */
const ADDED = MODELS.map((row): CompactRow => {
  const factors = FACTORS[`${row.p}/${row.m}`];
  return factors ? { ...row, x: factors } : row;
});

/** What is said of a model that has no row, or of rates that no row has, would be lost in silence. */
function requireUse(rows: readonly CompactRow[]): void {
  const names = new Set(rows.map(({ p, m }) => `${p}/${m}`));
  const said = [...Object.keys(FACTORS), ...Object.keys(PIECES), ...Object.keys(AUDIO), ...Object.keys(MAX_OUTPUT_TOKENS)];
  const idle = said.filter((name) => !names.has(name) && !name.endsWith("/*"));
  const stale = Object.keys(SERVICE_TIERS).filter((name) => !rows.some(({ p, m, s }) => `${p}/${m}` === name && s));
  const all = [
    ...idle.map((name) => `${name} has no row`),
    ...stale.map((name) => `${name} has other rates than beside its service tiers`),
  ];
  if (all.length > 0) throw new Error(`Overrides that nothing takes:\n  ${all.join("\n  ")}`);
}

function tableRows(): CompactRow[] {
  const rows = [...borrowedRows(), ...ADDED];
  requireAgreement(rows, PUBLISHED, CORRECTIONS);
  requireUse(rows);
  const order = Object.values(PROVIDERS);
  const sorted = corrected(rows, CORRECTIONS).toSorted((a, b) => order.indexOf(a.p) - order.indexOf(b.p));
  return [...sorted, ...BUILT_IN];
}

function table(rows: readonly CompactRow[]): string {
  const lines = rows.map((row) => JSON.stringify(row)).join(",\n");
  const hash = `sha256:${createHash("sha256").update(lines).digest("hex")}`;
  const head = { source: SOURCE, tierSource: SERVICE_TIERS_SOURCE, factorSource: FACTORS_SOURCE, checkedAt: CHECKED_AT, hash };
  return `${JSON.stringify(head).slice(0, -1)},"rows":[\n${lines}\n]}\n`;
}

const rows = tableRows();
const made = table(rows);
if (process.argv.includes("--report")) console.log(coverage(rows));
else if (process.argv.includes("--check")) {
  if (readFileSync(OUTPUT, "utf8") !== made) throw new Error(`${OUTPUT} is stale: run npm run prices`);
} else writeFileSync(OUTPUT, made);
