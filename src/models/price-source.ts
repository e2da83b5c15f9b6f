import * as z from "zod";
import { nanoFromUsd, TollgateError, usdFromNano } from "#core";
import { RATE_CLASSES, type RateClass, type Rates } from "./contract.ts";

/** What a price source says of one model now. Classes that it does not name are not known from it. */
export interface SourcePrice {
  readonly provider: string;
  readonly model: string;
  readonly rates: Rates;
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rates: Rates }[];
  readonly serviceTiers: Readonly<Record<string, { readonly rates: Rates }>>;
}

const MODELS_MAX = 20_000;
/** USD per million tokens, or per piece: several times what anything is sold at. */
const RATE_MAX = 100_000;

const rate = z
  .union([z.number(), z.string().max(32)])
  .refine((value) => Number(value) >= 0 && Number(value) <= RATE_MAX, "is no rate that anything is sold at");
const name = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e]+$/, "must be a name");
const above = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/** The form of this repository's own table, src/models/table.json. Classes that are unknown here are passed over. */
const compactRates = z.record(z.string().max(64), rate.nullable());
const compact = z.looseObject({
  rows: z
    .array(
      z.looseObject({
        p: name,
        m: name,
        from: z.iso.date().optional(),
        to: z.iso.date().optional(),
        r: compactRates,
        t: z
          .array(z.looseObject({ above, r: compactRates }))
          .max(16)
          .default([]),
        s: z.record(z.string().min(1).max(32), compactRates).default({}),
      }),
    )
    .max(MODELS_MAX),
});

/** The form of @pydantic/genai-prices (github.com/pydantic/genai-prices, prices/data.json and data_slim.json; the types of 0.1.8). */
const tiered = z.looseObject({ base: rate, tiers: z.array(z.looseObject({ start: above, price: rate })).max(16) });
const modelPrice = z.record(z.string().max(64), z.union([rate, tiered]).nullable());
const conditional = z.looseObject({ constraint: z.looseObject({ start_date: z.iso.date().optional() }).optional(), prices: modelPrice });
const genai = z.array(
  z.looseObject({
    id: z.string().max(64),
    models: z
      .array(z.looseObject({ id: z.string().min(1).max(256), prices: z.union([z.array(conditional).max(64), modelPrice]) }))
      .max(MODELS_MAX),
  }),
);

/** Our providers by the source's names; what it says of others is passed over. */
const PROVIDERS: Readonly<Record<string, string>> = {
  openai: "openai",
  anthropic: "anthropic",
  google: "google",
  mistral: "mistral",
  deepseek: "deepseek",
  groq: "groq",
  "x-ai": "xai",
  cohere: "cohere",
};
type Names = Readonly<Partial<Record<RateClass, readonly string[]>>>;
const CLASSES: Names = {
  input: ["input_mtok"],
  cache_read: ["cache_read_mtok"],
  cache_write_5m: ["cache_write_mtok"],
  cache_write_1h: ["cache_write_1h_mtok"],
  // Answers report pictures and films within the output, so that the dearest of them holds.
  output: ["output_mtok", "output_image_mtok", "output_video_mtok"],
  audio_input: ["input_audio_mtok"],
  audio_output: ["output_audio_mtok"],
  image_input: ["input_image_mtok"],
};
/** Models that draw and do nothing else: their answers tell pictures and text apart. */
const DRAWS = /^gpt-image-/;
const DRAWN: Names = { ...CLASSES, output: ["output_mtok"], image_output: ["output_image_mtok"] };
/** Stands for whatever somebody tuned, under names that no row can list. */
const FINE_TUNED = /^ft:|ft-$/;
/** Told per thousand, kept by the piece. */
const SEARCHES = "web_searches_kcount";

/**
 * Reads what a price source says now, in either form. One wrong number spoils the whole: whoever writes one cannot be trusted in
 * the others.
 * @throws TollgateError `upstream_error` saying what is wrong.
 */
export function readPriceSource(text: string, nowMs: number): SourcePrice[] {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  try {
    const data: unknown = JSON.parse(text);
    return Array.isArray(data) ? ofGenai(genai.parse(data), today) : ofTable(compact.parse(data), today);
  } catch (cause) {
    throw new TollgateError("upstream_error", `The price source is none: ${faultOf(cause)}`, { cause });
  }
}

function faultOf(cause: unknown): string {
  if (cause instanceof z.ZodError) {
    const issue = cause.issues[0];
    return `${issue?.path.map(String).join(".").slice(0, 200) ?? ""} ${issue?.message ?? "is wrong"}`;
  }
  return cause instanceof TollgateError ? cause.message : "it is not JSON that can be read";
}

/** A rate in its shortest form, so that equal ones are equal as text. */
function shortest(value: number | string): string {
  return usdFromNano(nanoFromUsd(value, "a rate"));
}

function ofTable({ rows }: z.output<typeof compact>, today: string): SourcePrice[] {
  return rows
    .filter(({ from, to }) => (from ?? "") <= today && (to === undefined || today < to))
    .map(({ p, m, r, t, s }) => ({
      provider: p,
      model: m,
      rates: known(r),
      tiers: t.map((tier) => ({ aboveInputTokens: tier.above, rates: known(tier.r) })),
      serviceTiers: Object.fromEntries(Object.entries(s).map(([tier, rates]) => [tier, { rates: known(rates) }])),
    }));
}

function known(rates: Readonly<Record<string, number | string | null>>): Rates {
  return Object.fromEntries(
    RATE_CLASSES.flatMap((each) => {
      const value = Object.hasOwn(rates, each) ? rates[each] : null;
      return value === null || value === undefined ? [] : [[each, shortest(value)]];
    }),
  );
}

type ModelPrice = z.output<typeof modelPrice>;

function ofGenai(providers: z.output<typeof genai>, today: string): SourcePrice[] {
  return providers
    .filter(({ id }) => Object.hasOwn(PROVIDERS, id))
    .flatMap(({ id, models }) =>
      models.flatMap((model): SourcePrice[] => {
        const price = inForce(model.prices, today);
        if (price === null || !name.safeParse(model.id).success || FINE_TUNED.test(model.id)) return [];
        const names = DRAWS.test(model.id) ? DRAWN : CLASSES;
        const starts = Object.values(price).flatMap((each) =>
          typeof each === "object" && each ? each.tiers.map(({ start }) => start) : [],
        );
        const tiers = [...new Set(starts)]
          .toSorted((a, b) => a - b)
          .map((start) => ({ aboveInputTokens: start, rates: ratesOf(price, start, names) }));
        return [{ provider: PROVIDERS[id]!, model: model.id, rates: ratesOf(price, null, names), tiers, serviceTiers: {} }];
      }),
    );
}

/** The price of today; null where it changes by the hour, which no row can say. */
function inForce(prices: z.output<typeof conditional>[] | ModelPrice, today: string): ModelPrice | null {
  if (!Array.isArray(prices)) return prices;
  if (prices.some(({ constraint }) => constraint && constraint.start_date === undefined)) return null;
  const begun = prices.filter(({ constraint }) => (constraint?.start_date ?? "") <= today);
  return begun.toSorted((a, b) => (a.constraint?.start_date ?? "").localeCompare(b.constraint?.start_date ?? "")).at(-1)?.prices ?? null;
}

/** The rates above a length of input, or below any; only what the source tells of them. */
function ratesOf(price: ModelPrice, start: number | null, names: Names): Rates {
  const told = (key: string): readonly (number | string)[] => {
    const each = price[key];
    if (each === null || each === undefined) return [];
    if (typeof each !== "object") return start === null ? [each] : [];
    const tier = each.tiers.findLast((one) => start !== null && one.start <= start);
    return start === null ? [each.base] : tier ? [tier.price] : [];
  };
  const tokens = Object.entries(names).flatMap(([each, keys]) => {
    const values = keys.flatMap(told);
    return values.length > 0 ? [[each, shortest(values.reduce((most, value) => (Number(value) > Number(most) ? value : most)))]] : [];
  });
  const searches = told(SEARCHES).map((value) => ["web_search", shortest(Number((Number(value) / 1000).toFixed(9)))]);
  return Object.fromEntries([...tokens, ...searches]);
}
