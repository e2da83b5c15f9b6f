import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Works out what every wire case must cost, and writes the arithmetic into the case: `node test/cases/expected.ts`; `--check` fails
 * where a file says otherwise. It knows nothing of the code under test: what each answer is billed for was counted by hand
 * (`billed`), the rates stand in `prices.json`, and the decimals are its own. What the cases' usage and the rates were compared with
 * stands in `sources.json`: which pages, in which copy, of which day, and when they were read.
 */

const FOLDER = import.meta.dirname;
const PRICES = "prices.json";
const SOURCES = "sources.json";
/** Classes that are counted in tokens; all others by the piece. */
const TOKENS = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning", "audio_input", "audio_output"];

interface Row {
  /** Where the vendor lists the price. */
  readonly page: string;
  /** What the rates were compared with, of `sources.json`; none where nothing was found. */
  readonly from: readonly string[];
  readonly rates: Readonly<Record<string, string>>;
  readonly state?: "free";
  readonly note?: string;
}

interface Prices {
  readonly stand_ins: Readonly<Record<string, string>>;
  readonly rows: Readonly<Record<string, Row>>;
}

/** A wire case as the files hold it. */
interface Case {
  readonly name: string;
  /** Where the numbers of the usage stand, of `sources.json`, or that they stand nowhere. */
  readonly compared: string;
  readonly price: string;
  /** Disjoint classes; null where the answer reports nothing that can be believed. */
  readonly billed: Readonly<Record<string, number>> | null;
  /** Rates that the row lacks, each with what stands in for it. */
  readonly rates?: Readonly<Record<string, readonly [rate: string, why: string]>>;
  readonly stream?: readonly unknown[];
  readonly arithmetic?: readonly string[];
  readonly total?: string | null;
}

/** A decimal as a whole number and how many of its digits are fraction. */
interface Decimal {
  readonly units: bigint;
  readonly digits: number;
}

function decimal(text: string): Decimal {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) throw new Error(`${text} is no decimal`);
  const fraction = match[2] ?? "";
  return { units: BigInt(`${match[1]}${fraction}`), digits: fraction.length };
}

function shown({ units, digits }: Decimal): string {
  const padded = units.toString().padStart(digits + 1, "0");
  const whole = padded.slice(0, padded.length - digits);
  const fraction = padded.slice(padded.length - digits).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

function sum(all: readonly Decimal[]): Decimal {
  const digits = Math.max(0, ...all.map((each) => each.digits));
  return { units: all.reduce((total, each) => total + each.units * 10n ** BigInt(digits - each.digits), 0n), digits };
}

/** So many times a rate per piece, or per million. */
function product(quantity: number, rate: string, perMillion: boolean): Decimal {
  const { units, digits } = decimal(rate);
  return { units: units * BigInt(quantity), digits: perMillion ? digits + 6 : digits };
}

function rateOf(name: string, { rates = {}, price }: Case, { rows, stand_ins }: Prices): readonly [rate: string, why: string] {
  const row = rows[price];
  if (!row) throw new Error(`no price stands under ${price}`);
  if (row.state === "free") return ["0", ""];
  const own = rates[name];
  if (own) return [own[0], ` (${own[1]})`];
  const listed = row.rates[name];
  if (listed !== undefined) return [listed, ""];
  // A read that has no price of its own is billed as what it is: input.
  if (name === "cache_read" && row.rates["input"] !== undefined) return [row.rates["input"], " (no discount is listed)"];
  const stand = stand_ins[name];
  if (stand === undefined) throw new Error(`${price} has no rate for ${name}`);
  return [stand, " (no rate is listed: the stand-in)"];
}

/** The case with its arithmetic. */
function worked(given: Case, prices: Prices): Case {
  const { arithmetic: _before, total: _sum, ...rest } = given;
  if (given.billed === null) return { ...rest, arithmetic: [], total: null };
  const parts = Object.entries(given.billed).map(([name, quantity]) => {
    const [rate, why] = rateOf(name, given, prices);
    const perMillion = TOKENS.includes(name);
    const usd = product(quantity, rate, perMillion);
    return { usd, text: `${name}: ${quantity} × ${rate}${perMillion ? " / 1000000" : ""} = ${shown(usd)}${why}` };
  });
  const total = shown(sum(parts.map(({ usd }) => usd)));
  const lines = parts.map(({ text }) => text);
  return {
    ...rest,
    arithmetic: [...lines, `sum: ${[...parts.map(({ usd }) => shown(usd)), "0"].slice(0, parts.length || 1).join(" + ")} = ${total}`],
    total,
  };
}

/** A line for each field, and one for each event of a stream. */
function written(cases: readonly Case[]): string {
  const list = (items: readonly unknown[]) => `[\n${items.map((item) => `      ${JSON.stringify(item)}`).join(",\n")}\n    ]`;
  const field = ([name, value]: [string, unknown]) => {
    const many = (name === "stream" || name === "arithmetic") && (value as unknown[]).length > 0;
    return `    ${JSON.stringify(name)}: ${many ? list(value as unknown[]) : JSON.stringify(value)}`;
  };
  return `[\n${cases.map((each) => `  {\n${Object.entries(each).map(field).join(",\n")}\n  }`).join(",\n")}\n]\n`;
}

const prices = JSON.parse(readFileSync(join(FOLDER, PRICES), "utf8")) as Prices;
for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".json") && name !== PRICES && name !== SOURCES)) {
  const path = join(FOLDER, file);
  const before = readFileSync(path, "utf8");
  const after = written((JSON.parse(before) as Case[]).map((each) => worked(each, prices)));
  if (before === after) continue;
  if (process.argv.includes("--check")) throw new Error(`test/cases/${file} is stale: run node test/cases/expected.ts`);
  writeFileSync(path, after);
}
