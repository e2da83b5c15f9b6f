import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { femtoFromUsd, nanoCeil, NO_USAGE, type Usage, usdFromFemto } from "#core";
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
    { output: 10 },
  ] as Partial<Usage>[])("says unknown and charges for a class that has no rate: %j", (used) => {
    const [usd, state] = total(row({ rates: { input: "3" } }), used);
    expect(state).toBe("unknown");
    expect(Number(usd)).toBeGreaterThan(0);
  });

  it("goes by the long-context rates above their threshold, not at it", () => {
    expect(total(sonnet, { input: 200_000 })[0]).toBe("0.6");
    expect(total(sonnet, { input: 200_001 })[0]).toBe("1.200006");
    expect(total(sonnet, { input: 100_000, cacheRead: 100_001 })[0]).toBe("0.6600006");
  });

  it("goes by the service tier of the answer; one that the row does not know is unknown, unless it is a cheaper one", () => {
    const tiered = row({ rates: { input: "2", output: "4" }, serviceTiers: { priority: { rates: { input: "4" } } } });
    expect(total(tiered, { input: 1_000_000, output: 1_000_000 }, "priority")).toEqual(["8", "priced"]);
    expect(total(tiered, { input: 1_000_000 }, "default")).toEqual(["2", "priced"]);
    expect(total(tiered, { input: 1_000_000 }, "scale")).toEqual(["2", "unknown"]);
    expect(total(tiered, { input: 1_000_000 }, "flex")).toEqual(["2", "priced"]);
    expect(total(tiered, { input: 1_000_000 }, "__proto__")[1]).toBe("unknown");
  });

  it("of what is free has lines that cost nothing", () => {
    const made = receipt({ state: "free", row: sonnet.row }, { ...NO_USAGE, input: 5 }, null, "h");
    expect([made.state, made.lines]).toEqual(["free", [{ class: "input", quantity: 5, rate: "0", per: 1_000_000, usd: "0" }]]);
  });
});

const load = fc.record<Load>({
  promptBytes: fc.integer({ min: 1, max: 2_000_000 }),
  uncountable: fc.boolean(),
  tools: fc.boolean(),
  maxOutput: fc.option(fc.nat(200_000), { nil: null }),
  choices: fc.integer({ min: 1, max: 20 }),
  hasOutput: fc.boolean(),
});

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

  it("threat 37: ten thousand choices are priced ten thousand times", () => {
    const one = bounds(sonnet, { promptBytes: 100, uncountable: false, tools: false, maxOutput: 1_000, choices: 1, hasOutput: true });
    const many = bounds(sonnet, { promptBytes: 100, uncountable: false, tools: false, maxOutput: 1_000, choices: 10_000, hasOutput: true });
    expect(many.outputMax).toBe(10_000 * one.outputMax);
    expect(many.ceiling.nano).toBeGreaterThan(9_000 * one.outputMax * 15_000);
  });

  it("an input that cannot be counted is held at the model's context window", () => {
    const made = bounds(sonnet, { promptBytes: 100, uncountable: true, tools: false, maxOutput: 10, choices: 1, hasOutput: true });
    expect(made.inputMax).toBe(200_000);
  });

  it("a floor's cap is the first 512 tokens, and the ceiling's the whole", () => {
    const made = bounds(sonnet, { promptBytes: 400, uncountable: false, tools: true, maxOutput: 4_000, choices: 2, hasOutput: true });
    expect([outputCap(made, made.floor), outputCap(made, made.ceiling)]).toEqual([512, 4_000]);
  });
});
