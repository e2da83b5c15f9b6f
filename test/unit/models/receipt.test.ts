import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { femtoFromUsd, NANO_MAX, nanoCeil, NO_USAGE, type Usage, usdFromFemto } from "#core";
import { bounds, type Load, outputCap, type Price, PriceBook, type PriceRow, receipt } from "#models";

const book = new PriceBook([]);
const NOW = Date.parse("2026-11-21T00:00:00Z");
const sonnet = book.find("anthropic", "claude-sonnet-4-5", "t", NOW);
const row = (fields: Partial<PriceRow>): Price => ({ state: "priced", row: { ...sonnet.row, tiers: [], ...fields } });
const total = (price: Price, usage: Partial<Usage>, tier: string | null = null) => {
  const made = receipt(price, { ...NO_USAGE, ...usage }, tier, "sha256:0");
  return [usdFromFemto(made.total), made.state];
};

const tokens = fc.nat(5_000_000);
const usage = fc
  .record({
    input: tokens,
    cacheRead: tokens,
    cacheWrite5m: tokens,
    cacheWrite1h: tokens,
    output: tokens,
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    webSearches: fc.nat(50),
  })
  .map(({ share, ...given }): Usage => ({ ...NO_USAGE, ...given, reasoning: Math.floor(given.output * share) }));
const rate = fc.nat(10 ** 12).map((nano) => usdFromFemto(BigInt(nano) * 1_000_000n));

describe("a receipt", () => {
  it("adds up to the last digit, whatever was used at whatever rates", () => {
    fc.assert(
      fc.property(
        usage,
        fc.record({
          input: rate,
          cache_read: rate,
          cache_write_5m: rate,
          cache_write_1h: rate,
          output: rate,
          reasoning: fc.option(rate, { nil: null }),
          web_search: rate,
        }),
        (used, rates) => {
          const made = receipt(row({ rates }), used, null, "sha256:0");
          const sum = made.lines.reduce((all, line) => all + femtoFromUsd(line.usd), 0n);
          expect(usdFromFemto(sum)).toBe(usdFromFemto(made.total));
          for (const line of made.lines) {
            const femto = (femtoFromUsd(line.rate) * BigInt(line.quantity)) / BigInt(line.per);
            expect(line.usd).toBe(usdFromFemto(femto));
          }
          expect(made.state).toBe("priced");
        },
      ),
    );
  });

  it("prices each class by its own rate, and nothing twice", () => {
    expect(total(sonnet, { input: 1_000_000 })).toEqual(["6", "priced"]);
    expect(
      total(sonnet, { input: 100_000, cacheRead: 50_000, cacheWrite5m: 20_000, cacheWrite1h: 10_000, output: 1_000, webSearches: 2 }),
    ).toEqual(["0.485", "priced"]);
  });

  it("takes reasoning as a part of output, apart only where the row rates it", () => {
    expect(total(row({ rates: { input: "1", output: "10" } }), { output: 100, reasoning: 60 })).toEqual(["0.001", "priced"]);
    expect(total(row({ rates: { input: "1", output: "10", reasoning: "20" } }), { output: 100, reasoning: 60 })).toEqual([
      "0.0016",
      "priced",
    ]);
  });

  it("threat 42: reasoning beyond the output that it is a part of is not believed", () => {
    expect(total(row({ rates: { input: "1", output: "10", reasoning: "20" } }), { output: 100, reasoning: 5_000 })).toEqual([
      "0.002",
      "priced",
    ]);
  });

  it("takes cached reads at the input's rate where they have none", () => {
    expect(total(row({ rates: { input: "2", output: "1" } }), { cacheRead: 1_000 })).toEqual(["0.002", "priced"]);
  });

  it.each([
    { cacheWrite5m: 10 },
    { cacheWrite1h: 10 },
    { audioInput: 10 },
    { audioOutput: 10 },
    { images: 1 },
    { webSearches: 1 },
    { fileSearches: 1 },
    { searchSources: 1 },
    { extras: 1 },
    { imageInput: 10 },
    { imageOutput: 10 },
    { characters: 10 },
    { seconds: 1 },
    { rankings: 1 },
    { output: 10 },
  ] as Partial<Usage>[])("says unknown and charges for a class that has no rate: %j", (used) => {
    const [usd, state] = total(row({ rates: { input: "3" } }), used);
    expect(state).toBe("unknown");
    expect(Number(usd)).toBeGreaterThan(0);
  });

  it("threat 38: names the classes that have no rate and the tier that has none, beside the row's source", () => {
    const sourceOf = (used: Partial<Usage>, tier: string | null) =>
      receipt(row({ rates: { input: "3" }, source: "a page" }), { ...NO_USAGE, ...used }, tier, "h").price.source;
    expect(sourceOf({ input: 9 }, null)).toBe("a page");
    expect(sourceOf({ images: 1, extras: 2 }, null)).toBe("a page; no rate for image, extra: what stands in is charged");
    expect(sourceOf({ input: 9 }, "scale")).toBe("a page; no rates for service tier scale at this length: the dearest known are charged");
    expect(sourceOf({ input: 9 }, "x".repeat(5_000)).length).toBeLessThan(200);
  });

  it("counts what is billed by the piece, each by its own rate", () => {
    const rates = { input: "1", image: "0.04", web_search: "0.01", file_search: "0.0025", search_source: "0.025", extra: "0.03" };
    const used = { images: 2, webSearches: 3, fileSearches: 4, searchSources: 5, extras: 6 };
    expect(total(row({ rates }), used)).toEqual(["0.425", "priced"]);
    expect(total(row({ rates: { second: "0.0001", ranking: "0.002" } }), { seconds: 27, rankings: 3 })).toEqual(["0.0087", "priced"]);
    expect(total(row({ rates: { character: "15" } }), { characters: 4_096 })).toEqual(["0.06144", "priced"]);
  });

  it("tells text and pictures apart; what is drawn costs as output where it has no rate of its own", () => {
    const used = { input: 10, imageInput: 40, output: 5, imageOutput: 50 };
    const rates = { input: "5", image_input: "8", output: "10" };
    // 10 × 5 + 40 × 8 + 5 × 10 + 50 × 10, and × 32.
    expect(total(row({ rates }), used)).toEqual(["0.00092", "priced"]);
    expect(total(row({ rates: { ...rates, image_output: "32" } }), used)).toEqual(["0.00202", "priced"]);
  });

  it("threat 38: sells no token for nothing that a model is asked for which is sold by the piece alone", () => {
    expect(total(row({ rates: { image: "0.04" } }), { input: 1_000 })).toEqual(["0.6", "unknown"]);
  });

  it("goes by the long-context rates above their threshold, not at it", () => {
    expect(total(sonnet, { input: 200_000 })[0]).toBe("0.6");
    expect(total(sonnet, { input: 200_001 })[0]).toBe("1.200006");
    expect(total(sonnet, { input: 100_000, cacheRead: 100_001 })[0]).toBe("0.6600006");
  });

  it("goes by the service tier of the answer; one that the row does not know is unknown and taken at the dearest, unless it is a cheaper one", () => {
    const tiered = row({ rates: { input: "2", output: "4" }, serviceTiers: { priority: { rates: { input: "4" } } } });
    expect(total(tiered, { input: 1_000_000, output: 1_000_000 }, "priority")).toEqual(["8", "priced"]);
    expect(total(tiered, { input: 1_000_000 }, "default")).toEqual(["2", "priced"]);
    expect(total(tiered, { input: 1_000_000 }, "scale")).toEqual(["4", "unknown"]);
    expect(total(tiered, { input: 1_000_000 }, "flex")).toEqual(["2", "priced"]);
    expect(total(tiered, { input: 1_000_000 }, "__proto__")[1]).toBe("unknown");
  });

  it("a long input at another tier is taken at the dearer of the two, and is not known", () => {
    const tiers = [{ aboveInputTokens: 100, rates: { input: "4", output: "8" } }];
    const serviceTiers = { flex: { rates: { input: "1", output: "2" } }, priority: { rates: { input: "10" } } };
    const both = row({ rates: { input: "2", output: "4" }, tiers, serviceTiers });
    expect(total(both, { input: 100, output: 100 }, "flex")).toEqual(["0.0003", "priced"]);
    expect(total(both, { input: 1_000_000, output: 1_000_000 }, "flex")).toEqual(["12", "unknown"]);
    expect(total(both, { input: 1_000_000, output: 1_000_000 }, "priority")).toEqual(["18", "unknown"]);
  });

  it("charges a class that has no rate at the dearest of its side", () => {
    const rates = { input: "2", cache_read: "1", output: "30", audio_output: "90" };
    expect(total(row({ rates }), { cacheWrite5m: 1_000_000 })).toEqual(["2", "unknown"]);
    expect(total(row({ rates }), { audioInput: 1_000_000 })).toEqual(["90", "unknown"]);
    expect(total(row({ rates: { input: "2", output: "30" } }), { audioInput: 1_000_000 })).toEqual(["2", "unknown"]);
    expect(total(row({ rates: { input: "2", output: "30" } }), { audioOutput: 1_000_000 })).toEqual(["30", "unknown"]);
    expect(total(row({ rates: { input: "2" } }), { output: 1_000_000 })).toEqual(["2", "unknown"]);
    expect(total(row({ rates }), { images: 3 })).toEqual(["3", "unknown"]);
  });

  it("threat 38: of a model without a price is never zero, whoever provides it", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("openai", "anthropic", "google", "groq", "nobody"),
        usage,
        fc.constantFrom(null, "priority", "x"),
        (provider, used, tier) => {
          fc.pre(used.input + used.cacheRead + used.cacheWrite5m + used.cacheWrite1h + used.output + used.webSearches > 0);
          const made = receipt(book.find(provider, "no-such-model", "t", NOW), used, tier, "h");
          expect(made.state).toBe("unknown");
          for (const line of made.lines) expect(femtoFromUsd(line.usd) > 0n).toBe(true);
          expect(made.total > 0n).toBe(true);
        },
      ),
    );
  });

  it("of what is free has lines that cost nothing", () => {
    const made = receipt({ state: "free", row: sonnet.row }, { ...NO_USAGE, input: 5 }, null, "h");
    expect([made.state, made.lines]).toEqual(["free", [{ class: "input", quantity: 5, rate: "0", per: 1_000_000, usd: "0" }]]);
  });
});

const load = fc.record<Load>({
  promptBytes: fc.integer({ min: 1, max: 2_000_000 }),
  likelyInput: fc.nat(200_000),
  uncountable: fc.boolean(),
  tools: fc.boolean(),
  maxOutput: fc.option(fc.nat(200_000), { nil: null }),
  choices: fc.integer({ min: 1, max: 20 }),
  hasOutput: fc.boolean(),
  serviceTier: fc.constantFrom(null, "auto", "priority", "fast", "us", "flex", "default", "standard_only", "invented"),
});
const request = (fields: Partial<Load>): Load => ({
  promptBytes: 100,
  likelyInput: 40,
  uncountable: false,
  tools: false,
  maxOutput: 10,
  choices: 1,
  hasOutput: true,
  serviceTier: null,
  ...fields,
});

/** Every priced row of the table, and one that has everything. */
const everything = row({
  rates: { input: "2", cache_read: "1", cache_write_1h: "5", output: "9", reasoning: "12", audio_input: "40", audio_output: "80" },
  tiers: [
    { aboveInputTokens: 1_000, rates: { input: "8" } },
    { aboveInputTokens: 50_000, rates: { input: "3", output: "20" } },
  ],
  serviceTiers: { priority: { rates: { input: "6", output: "18" } }, flex: { rates: { input: "1", output: "4" } } },
});
/** Rows in which a class that has no rate stands beside a dearer one of another side. */
const odd = [
  { input: "1", output: "9" },
  { input: "0", output: "9", audio_input: "1" },
  { input: "2", output: "4", audio_output: "50" },
  { output: "3", audio_input: "30" },
].map((rates) => row({ rates, serviceTiers: { priority: { rates: { web_search: "0.5" } } } }));
const prices = fc.constantFrom<Price>(everything, ...odd, ...book.rows("t", NOW).map((each): Price => ({ state: each.state, row: each })));
const ANSWERED = [null, "priority", "flex", "default", "fast", "us", "fast+us", "batch+us", "ultrafast"];
/** The tiers that an answer may name to a request that asked for one. */
const answered = (asked: string | null | undefined) =>
  asked === null || asked === "flex" || asked === "default" || asked === "standard_only" ? [asked] : ANSWERED;

describe("bounds", () => {
  it("threat 37: no usage within them costs more than the ceiling, and no output within a grant's cap more than the grant", () => {
    fc.assert(
      fc.property(load, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (given, share, split) => {
        const made = bounds(sonnet, given);
        const input = Math.floor(made.inputMax * share);
        const written = Math.floor(input * split);
        const used = (output: number): Usage => ({ ...NO_USAGE, input: input - written, cacheWrite1h: written, output });
        const cost = (output: number) => nanoCeil(receipt(sonnet, used(output), null, "h").total);
        expect(cost(made.outputMax)).toBeLessThanOrEqual(made.ceiling.nano);
        expect([
          made.floor.nano <= made.likely.nano,
          made.likely.nano <= made.ceiling.nano,
          made.floor.tokens <= made.ceiling.tokens,
        ]).toEqual([true, true, true]);
        const part = (from: number, to: number) => from + Math.floor((to - from) * split);
        const granted = {
          nano: part(made.floor.nano, made.ceiling.nano),
          tokens: part(made.floor.tokens, made.ceiling.tokens),
          requests: 1,
        };
        const cap = outputCap(made, granted);
        expect(cost(cap * given.choices)).toBeLessThanOrEqual(granted.nano);
        expect(made.inputMax + cap * given.choices).toBeLessThanOrEqual(granted.tokens);
      }),
      { numRuns: 500 },
    );
  });

  it("threat 37: whatever the row, the length, the class and the tier: what is used costs no more than the ceiling of what was asked", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const shares = fc.record({ part: share, read: share, written: share, thought: share, heard: share, spoken: share });
    fc.assert(
      fc.property(prices, load, shares, fc.nat(10), (price, given, { part, read, written, thought, heard, spoken }, webSearches) => {
        const made = bounds(price, given);
        let left = Math.floor(made.inputMax * part);
        const take = (of: number) => {
          const taken = Math.floor(left * of);
          left -= taken;
          return taken;
        };
        const audioOutput = Math.floor(made.outputMax * spoken);
        const output = made.outputMax - audioOutput;
        const used: Usage = {
          ...NO_USAGE,
          cacheRead: take(read),
          cacheWrite5m: take(written),
          cacheWrite1h: take(written),
          audioInput: given.uncountable ? take(heard) : 0,
          input: left,
          output,
          audioOutput,
          reasoning: Math.floor(output * thought),
          webSearches: given.uncountable ? webSearches : 0,
        };
        for (const tier of answered(given.serviceTier)) {
          expect(nanoCeil(receipt(price, used, tier, "h").total)).toBeLessThanOrEqual(made.ceiling.nano);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("threat 37: an answer that may be spoken is held at the rate of speech, a prompt that may be heard at that of hearing", () => {
    const audio = book.find("openai", "gpt-4o-audio-preview", "t", NOW);
    expect(bounds(audio, request({ promptBytes: 1, maxOutput: 1_000 })).ceiling.nano).toBe(80_002_500);
    expect(bounds(audio, request({ uncountable: true, maxOutput: 0 })).inputFemto).toBe(128_000n * 40_000_000_000n + 100_000_000_000_000n);
    expect(bounds(book.find("openai", "gpt-4o", "t", NOW), request({ uncountable: true, maxOutput: 1 })).outputFemto).toBe(10_000_000_000n);
  });

  it("text of a model that hears and does not speak is held at the rate of text", () => {
    const hears = book.find("google", "gemini-2.0-flash", "t", NOW);
    expect(hears.row.rates).toMatchObject({ output: "0.4", audio_input: "0.7" });
    expect(bounds(hears, request({ maxOutput: 1_000 })).outputFemto).toBe(400_000_000n);
  });

  it("threat 37: searches are held at the dearest rate that they may have", () => {
    const serviceTiers = { priority: { rates: { web_search: "0.5" } } };
    const made = (serviceTier: string | null) =>
      bounds(row({ rates: { input: "1", output: "1" }, serviceTiers }), request({ uncountable: true, maxOutput: 0, serviceTier }));
    expect(made("priority").ceiling.nano - made(null).ceiling.nano).toBe(10 * (500_000_000 - 10_000_000));
  });

  it("threat 38: a request for another tier is held at its rates; one that says none at the row's own; unseen, at the dearest", () => {
    const gpt5 = book.find("openai", "gpt-5", "t", NOW);
    const { serviceTier: _, ...unseen } = request({ maxOutput: 1_000 });
    const nano = (fields: Load) => bounds(gpt5, fields).ceiling.nano;
    const asked = (serviceTier: string | null) => nano(request({ maxOutput: 1_000, serviceTier }));
    expect([asked(null), asked("default"), asked("flex")]).toEqual([10_125_000, 10_125_000, 10_125_000]);
    expect([asked("priority"), asked("auto"), asked("invented"), nano(unseen)]).toEqual([20_250_000, 20_250_000, 20_250_000, 20_250_000]);
  });

  it("threat 37: a request to be fast, or to run in one place, is held at the dearest that both can cost", () => {
    const opus = book.find("anthropic", "claude-opus-5-5", "t", NOW);
    const output = (serviceTier: string | null) => bounds(opus, request({ serviceTier })).outputFemto;
    expect([output(null), output("fast"), output("standard_only+us")]).toEqual([20_000_000_000n, 44_000_000_000n, 44_000_000_000n]);
  });

  it("the operator's limits win over the table's; a row that stands in for an unknown model's lends it none", () => {
    const limits = { contextTokens: 9_000, maxOutputTokens: 70 };
    const own = bounds(sonnet, request({ uncountable: true, maxOutput: null, limits }));
    expect([own.inputMax, own.outputMax]).toEqual([9_000, 70]);
    const half = bounds(sonnet, request({ uncountable: true, maxOutput: null, limits: { contextTokens: null, maxOutputTokens: null } }));
    expect([half.inputMax, half.outputMax]).toEqual([200_000, 64_000]);
    const largest = Math.max(...book.rows("t", NOW).map(({ contextTokens }) => contextTokens ?? 0));
    const unknown = bounds({ state: "unknown", row: sonnet.row }, request({ uncountable: true, maxOutput: null }));
    expect([unknown.inputMax, unknown.outputMax]).toEqual([largest, 128_000]);
  });

  it("threat 37: amounts beyond what a counter holds saturate and never wrap", () => {
    const huge = bounds(sonnet, request({ maxOutput: Number.MAX_SAFE_INTEGER, choices: 10_000 }));
    expect(huge.ceiling).toEqual({ nano: NANO_MAX, tokens: Number.MAX_SAFE_INTEGER, requests: 1 });
    expect(outputCap(huge, huge.floor)).toBeLessThanOrEqual(512);
    const free = bounds({ state: "free", row: sonnet.row }, request({ uncountable: true }));
    expect([free.floor.nano, free.ceiling.nano]).toEqual([0, 0]);
  });

  it("covers the instructions that vendors add for tools, and takes the likely input as it was estimated", () => {
    const [plain, tools] = [false, true].map((offered) =>
      bounds(sonnet, request({ tools: offered, promptBytes: 3_000, likelyInput: 1_100, maxOutput: 2_000 })),
    );
    expect(tools!.inputMax - plain!.inputMax).toBeGreaterThanOrEqual(530);
    expect(plain!.floor.tokens).toBe(3_512);
    expect(plain!.likely.tokens).toBe(3_512);
    expect(plain!.ceiling.tokens).toBe(5_000);
    const short = bounds(sonnet, request({ promptBytes: 301, likelyInput: 119, maxOutput: 2_000 }));
    expect([short.likely.tokens, short.floor.tokens]).toEqual([119 + 1_024, 813]);
    const absurd = bounds(sonnet, request({ promptBytes: 301, likelyInput: 9_000, maxOutput: 2_000 }));
    expect(absurd.likely.tokens).toBe(301 + 1_024);
  });

  it("what has no output is held for its input alone, and capped at nothing", () => {
    const made = bounds(book.find("openai", "text-embedding-3-small", "t", NOW), request({ hasOutput: false, maxOutput: null }));
    expect([made.ceiling, outputCap(made, made.ceiling)]).toEqual([{ nano: 2_000, tokens: 100, requests: 1 }, 0]);
  });

  it("threat 37: ten thousand choices are priced ten thousand times", () => {
    const one = bounds(sonnet, {
      promptBytes: 100,
      likelyInput: 40,
      uncountable: false,
      tools: false,
      maxOutput: 1_000,
      choices: 1,
      hasOutput: true,
    });
    const many = bounds(sonnet, {
      promptBytes: 100,
      likelyInput: 40,
      uncountable: false,
      tools: false,
      maxOutput: 1_000,
      choices: 10_000,
      hasOutput: true,
    });
    expect(many.outputMax).toBe(10_000 * one.outputMax);
    expect(many.ceiling.nano).toBeGreaterThan(9_000 * one.outputMax * 15_000);
  });

  it("an input that cannot be counted is held at the model's context window", () => {
    const made = bounds(sonnet, {
      promptBytes: 100,
      likelyInput: 40,
      uncountable: true,
      tools: false,
      maxOutput: 10,
      choices: 1,
      hasOutput: true,
    });
    expect(made.inputMax).toBe(200_000);
  });

  it("a floor's cap is the first 512 tokens, and the ceiling's the whole", () => {
    const made = bounds(sonnet, {
      promptBytes: 400,
      likelyInput: 150,
      uncountable: false,
      tools: true,
      maxOutput: 4_000,
      choices: 2,
      hasOutput: true,
    });
    expect([outputCap(made, made.floor), outputCap(made, made.ceiling)]).toEqual([512, 4_000]);
  });
});
