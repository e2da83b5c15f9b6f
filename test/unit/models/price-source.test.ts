import { readFileSync } from "node:fs";
import { findProvider } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";
import { TollgateError } from "#core";
import { changesOf, PriceBook, type PriceRow, proposalsFrom, readPriceSource } from "#models";

const NOW = Date.UTC(2026, 10, 21);
const book = new PriceBook([]);
const read = (data: unknown) => readPriceSource(typeof data === "string" ? data : JSON.stringify(data), NOW);
const propose = (data: unknown, by = book) => proposalsFrom(by, read(data), NOW);
const genai = (prices: unknown, id = "m-1") => [{ id: "openai", name: "OpenAI", models: [{ id, match: { equals: id }, prices }] }];
const compact = (...rows: object[]) => ({
  source: "s",
  hash: "h",
  rows: rows.map((row) => ({ p: "acme", m: "m-1", r: { input: "1", output: "2" }, ...row })),
});

const own = (fields: Partial<PriceRow> = {}): PriceRow => ({
  id: "prc_1",
  provider: "acme",
  model: "m-1",
  aliases: [],
  state: "priced",
  scope: { kind: "deployment", id: "" },
  effectiveFrom: 0,
  effectiveTo: null,
  rates: { input: "1", cache_read: "0.1", output: "2" },
  tiers: [],
  serviceTiers: { flex: { rates: { input: "0.5" } } },
  source: "contract",
  checkedAt: 0,
  contextTokens: null,
  maxOutputTokens: null,
  ...fields,
});

function refusal(text: string): string {
  try {
    readPriceSource(text, NOW);
  } catch (error) {
    if (error instanceof TollgateError) return error.code;
    throw error;
  }
  return "none";
}

describe("a price source", () => {
  it("proposes nothing where it is the table that is in force", () => {
    const table = JSON.parse(readFileSync("src/models/table.json", "utf8")) as unknown;
    expect(read(table).length).toBeGreaterThan(200);
    expect(propose(table)).toEqual([]);
  });

  it("is read in the form of genai-prices too, which says what the table was made of, but for what the table corrects", () => {
    const providers = ["openai", "anthropic", "google", "mistral", "deepseek", "groq", "x-ai", "cohere"];
    const rows = read(providers.map((providerId) => findProvider({ providerId })));
    expect(rows.length).toBeGreaterThan(200);
    expect(proposalsFrom(book, rows, NOW).length).toBeLessThan(rows.length / 20);
  });

  it("D9: rates come out in the shortest decimal that means them, searches by the piece", () => {
    const [row] = read(
      genai({
        input_mtok: 1e-7,
        cache_read_mtok: 0.075,
        output_mtok: { base: 0.6, tiers: [{ start: 200_000, price: "1.20" }] },
        web_searches_kcount: 10,
      }),
    );
    expect(row).toMatchObject({
      provider: "openai",
      rates: { input: "0.0000001", cache_read: "0.075", output: "0.6", web_search: "0.01" },
      tiers: [{ aboveInputTokens: 200_000, rates: { output: "1.2" } }],
    });
  });

  it("is read as of today: the last price that has begun, no row that is over, and none that changes by the hour", () => {
    const dated = [
      { prices: { input_mtok: 1 } },
      { constraint: { start_date: "2026-11-21" }, prices: { input_mtok: 2 } },
      { constraint: { start_date: "2026-11-22" }, prices: { input_mtok: 3 } },
    ];
    expect(read(genai(dated))[0]?.rates).toEqual({ input: "2" });
    expect(read(genai([{ prices: { input_mtok: 1 } }, { constraint: { start_time: "00:30:00Z" }, prices: { input_mtok: 2 } }]))).toEqual(
      [],
    );
    expect(read(compact({ to: "2026-11-21" }, { from: "2026-11-22" }))).toEqual([]);
    expect(read(compact({ from: "2026-11-21", to: "2026-11-22" }))).toHaveLength(1);
  });

  it("passes over providers and classes that are not known here, and names that nobody can call", () => {
    expect(read([{ id: "nobody", models: [{ id: "m", prices: { input_mtok: 1 } }] }])).toEqual([]);
    expect(read(genai({ input_mtok: 1 }, "ft:gpt-4o"))).toEqual([]);
    expect(read(genai({ input_mtok: 1 }, "a b"))).toEqual([]);
    expect(read(compact({ r: { input: "1", holograms: "5", __proto__: "1" } }))[0]?.rates).toEqual({ input: "1" });
  });

  it.each([
    ["garbage", "<!doctype html>"],
    ["nothing", ""],
    ["another shape", '{"prices":{}}'],
    ["a list of something else", "[1,2]"],
    ["null", "null"],
    ["a negative rate", JSON.stringify(compact({ r: { input: "-1" } }))],
    ["a negative number", JSON.stringify(genai({ input_mtok: -0.1 }))],
    ["a negative tier", JSON.stringify(genai({ input_mtok: { base: 1, tiers: [{ start: 10, price: -1 }] } }))],
    ["a rate beyond anything", JSON.stringify(genai({ input_mtok: 1e9 }))],
    ["a rate that is no number", JSON.stringify(compact({ r: { input: "NaN" } }))],
    ["a rate finer than any", JSON.stringify(compact({ r: { input: "0.0000000001" } }))],
    ["a rate in hex", JSON.stringify(compact({ r: { input: "0x10" } }))],
    ["a tier at nought", JSON.stringify(compact({ t: [{ above: 0, r: { input: "1" } }] }))],
    ["too many rows", JSON.stringify(compact(...Array.from({ length: 20_001 }, (_, at) => ({ m: `m-${at}` }))))],
    ["a name that ends its line", JSON.stringify(compact({ m: "a\nb" }))],
    ["a nest without a bottom", "[".repeat(1_000_000)],
  ])("threat 38: a hostile source is refused whole: %s", (_, text) => {
    expect(refusal(text)).toBe("upstream_error");
  });
});

describe("what is proposed", () => {
  it("is what the source has otherwise, rate by rate; what it does not name stays", () => {
    const [found] = propose(compact({ r: { input: "0.8", output: "2" } }), new PriceBook([own()]));
    expect(found).toMatchObject({ provider: "acme", model: "m-1", current: { price: "prc_1" } });
    expect(found?.proposed.rates).toEqual({ input: "0.8", cache_read: "0.1", output: "2" });
    expect(changesOf(found!)).toEqual([
      { field: "rates.input", from: "1", to: "0.8" },
      { field: "service_tiers.flex.input", from: "0.5", to: null },
    ]);
  });

  it("keeps the service tiers where the rates that they stand beside do not change", () => {
    const [found] = propose(compact({ r: { input: "1", cache_read: "0.2", output: "2" } }), new PriceBook([own()]));
    expect(changesOf(found!)).toEqual([{ field: "rates.cache_read", from: "0.1", to: "0.2" }]);
  });

  it("is nothing where the source says the same in other digits", () => {
    expect(propose(compact({ r: { input: "1.0", output: 2 } }), new PriceBook([own()]))).toEqual([]);
  });

  it("is a model without a price too, and never that something paid is free", () => {
    expect(propose(compact({ m: "new" }))).toMatchObject([{ model: "new", current: null }]);
    expect(propose(compact({ r: { input: "0", output: "0" } }), new PriceBook([own()]))).toEqual([]);
    expect(propose(compact({ r: { cache_read: "0" } }), new PriceBook([own()]))).toEqual([]);
    expect(propose(compact({ p: "ollama", m: "llama" }))).toEqual([]);
  });

  it("is refused where it would change more than a person can look through", () => {
    const rows = Array.from({ length: 501 }, (_, at) => ({ m: `m-${at}` }));
    expect(propose(compact(...rows.slice(1)))).toHaveLength(500);
    expect(() => propose(compact(...rows))).toThrow("would change 501 prices");
  });
});
