import { type Femto, femtoFromNano, nanoFromUsd } from "#core";
import { type PriceRow, RATE_CLASSES, type RateClass, type Rates } from "./contract.ts";

/** Service tiers that are billed by the row's own rates. */
const STANDARD = new Set(["default", "standard", "auto", "standard_only", "on_demand"]);
/** Tiers that cost at most the row's rates: charging those is safe. */
const CHEAPER = new Set(["flex", "batch"]);

/** The rates that apply to one call, and whether the row speaks of its service tier at all. */
export interface Applied {
  readonly rates: Rates;
  readonly known: boolean;
}

/**
 * A row's rates for a call of so many input tokens at a service tier. Where the row does not say what a long input costs at the tier,
 * each class is taken at the dearer of the two, and the rates are not known.
 */
export function ratesFor(row: PriceRow, input: number, serviceTier: string | null): Applied {
  const long = row.tiers.findLast((tier) => input > tier.aboveInputTokens);
  const rates = long ? { ...row.rates, ...set(long.rates) } : row.rates;
  if (serviceTier === null) return { rates, known: true };
  const ofLength = own(long?.serviceTiers, serviceTier);
  if (ofLength) return { rates: { ...rates, ...set(ofLength) }, known: true };
  const special = own(row.serviceTiers, serviceTier);
  const asStandard = STANDARD.has(serviceTier) || CHEAPER.has(serviceTier);
  if (!special) return asStandard ? { rates, known: true } : { rates: dearestOf(row, rates), known: false };
  const named = { ...rates, ...set(special) };
  return long ? { rates: dearer(rates, named), known: false } : { rates: named, known: true };
}

function own(tiers: PriceRow["serviceTiers"] | undefined, name: string): Rates | undefined {
  return tiers && Object.hasOwn(tiers, name) ? tiers[name]?.rates : undefined;
}

/** Rates for a tier that the row does not know: in each class the dearest of those it does. */
function dearestOf({ serviceTiers }: PriceRow, rates: Rates): Rates {
  return Object.values(serviceTiers).reduce((most, tier) => dearer(most, { ...rates, ...set(tier.rates) }), rates);
}

/**
 * All rates by which a call of at most so many input tokens may be billed. A request that names no tier is billed by the row's own,
 * unless its project was set to another at the vendor, which nobody here can see.
 */
export function possibleRates(row: PriceRow, inputMax: number, asked: string | null | undefined): Rates[] {
  const inputs = [0, ...row.tiers.map(({ aboveInputTokens }) => aboveInputTokens + 1)].filter((input) => input <= inputMax);
  const certain = asked === null || (asked !== undefined && asked !== "auto" && (STANDARD.has(asked) || CHEAPER.has(asked)));
  const tiers = [null, ...(certain ? [asked] : Object.keys(row.serviceTiers))];
  return inputs.flatMap((input) => tiers.map((tier) => ratesFor(row, input, tier).rates));
}

function dearer(one: Rates, other: Rates): Rates {
  const names = RATE_CLASSES.filter((name) => one[name] ?? other[name]);
  return Object.fromEntries(names.map((name) => [name, nanoOf(one[name]) > nanoOf(other[name]) ? one[name] : other[name]]));
}

/** Only what a tier names replaces the row's own. */
function set(rates: Rates): Rates {
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== null && rate !== undefined));
}

/** Rates that have been read: there are few, and every request reads some twenty of them. */
const read = new Map<string, Femto>();
const READ_MAX = 10_000;

function nanoOf(rate: string | null | undefined): number {
  return nanoFromUsd(rate ?? "0", "rate");
}

/** A rate as femto-USD per token: USD per million tokens with nine fraction digits is a whole number of them. */
export function perToken(rate: string): Femto {
  const known = read.get(rate);
  if (known !== undefined) return known;
  const femto = BigInt(nanoFromUsd(rate, "rate"));
  if (read.size < READ_MAX) read.set(rate, femto);
  return femto;
}

/** A rate as femto-USD per piece. */
export function perPiece(rate: string): Femto {
  return femtoFromNano(nanoFromUsd(rate, "rate"));
}

/** Text that goes in and text that comes out, by the classes that it may be billed as. */
export const TEXT_IN = ["input", "cache_read", "cache_write_5m", "cache_write_1h"] as const;
export const TEXT_OUT = ["output", "reasoning"] as const;
const HEARD = [...TEXT_IN, "audio_input", "audio_output"] as const;
const SEEN = [...TEXT_IN, "image_input"] as const;
const DRAWN = [...TEXT_OUT, "image_output"] as const;
const SPOKEN = [...TEXT_OUT, "audio_output"] as const;
const TOKENS = [...HEARD, ...TEXT_OUT] as const;

/** A rate as text, and what it is per token. */
type Rated = readonly [rate: string, femto: Femto];
const NOTHING: Rated = ["0", 0n];

/** A token of a model that is sold by the piece alone: the dearest that any vendor lists (OpenAI's o1-pro, of output). */
const BESIDE_PIECES: Rated = ["600", perToken("600")];

/** The dearest of some classes' rates; of the whole row where none of them costs anything. */
function dearestRate(rates: Rates, classes: readonly RateClass[]): Rated {
  const most = highest(rates, classes);
  if (most !== NOTHING) return most;
  return TOKENS.every((name) => (rates[name] ?? null) === null) ? BESIDE_PIECES : highest(rates, TOKENS);
}

function highest(rates: Rates, classes: readonly RateClass[]): Rated {
  let most = NOTHING;
  for (const name of classes) {
    const rate = rates[name] ?? "0";
    const femto = rate === most[0] ? most[1] : perToken(rate);
    if (femto > most[1]) most = [rate, femto];
  }
  return most;
}

/** The dearest that a token of some classes is charged at by any of several price lists, be it a rate or what stands in for one. */
export function dearest(lists: readonly Rates[], classes: readonly RateClass[]): Femto {
  let most = 0n;
  for (const rates of lists) {
    const sides = new Set(classes.filter((name) => !rates[name]).map(sideOf));
    for (const [, rate] of [highest(rates, classes), ...[...sides].map((side) => dearestRate(rates, side))]) if (rate > most) most = rate;
  }
  return most;
}

/**
 * Where a class without a rate finds its stand-in: on its own side. What is heard may stand at the rate of what is spoken, since a
 * model that speaks takes more for audio than for text; the other way round, text answers of a model that only hears would be held
 * too high.
 */
function sideOf(name: RateClass): readonly RateClass[] {
  if (name === "audio_input") return HEARD;
  if (name === "audio_output") return SPOKEN;
  if (name === "image_input") return SEEN;
  if (name === "image_output") return DRAWN;
  return TEXT_IN.some((each) => each === name) ? TEXT_IN : TEXT_OUT;
}

/** A million characters spoken, where their row does not say: what OpenAI lists for its dearest voice. */
const CHARACTERS = "30";

/** What stands in for a token's rate where its class has none: the dearest of its side. */
export function standInFor(name: RateClass, rates: Rates): string {
  return name === "character" ? CHARACTERS : dearestRate(rates, sideOf(name))[0];
}

/**
 * What a piece costs where its row does not say: a picture several times what vendors list for a large one of high quality, a search
 * the list price of OpenAI and Anthropic, a search of files the dearest listed (xAI's of attachments), a source what xAI's live search
 * took for one, anything else a container of OpenAI's for code, which is dearer than what others list for a call; a second of sound
 * what OpenAI lists for one that is transcribed as it comes, a ranking Cohere's dearest.
 */
const PIECES = {
  image: "1",
  web_search: "0.01",
  file_search: "0.01",
  search_source: "0.025",
  extra: "0.03",
  second: "0.0003",
  ranking: "0.0025",
} as const;

/** Whether a class is counted by the piece. */
export function isPiece(name: RateClass): name is keyof typeof PIECES {
  return Object.hasOwn(PIECES, name);
}

/** What stands in for a piece's rate where its class has none. */
export function pieceStandIn(name: keyof typeof PIECES): string {
  return PIECES[name];
}

/** The dearest that a web search costs by any of several price lists. */
export function dearestSearch(lists: readonly Rates[]): Femto {
  return lists.map((rates) => perPiece(rates.web_search ?? PIECES.web_search)).reduce((most, rate) => (rate > most ? rate : most), 0n);
}
