import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Features, tokensOf } from "#estimate";
import { CLASSES, CORPUS } from "../../support/corpus.ts";
import { TOKENIZERS } from "../../support/tokenizers.ts";

const measured = TOKENIZERS.map(({ name, count }) => ({
  name,
  texts: CORPUS.map((each) => ({ ...each, tokens: count(each.text), estimate: tokensOf(new Features().add(each.text), name) })),
}));
const GUARDED: readonly string[] = ["prose", "code", "cjk"];

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

describe("the corpus", () => {
  it("holds at least 300 different texts of every class, half of them kept from the fit's eyes", () => {
    expect(new Set(CORPUS.map(({ text }) => text)).size).toBeGreaterThanOrEqual(300);
    for (const kind of CLASSES) {
      const own = CORPUS.filter((each) => each.class === kind);
      expect([kind, own.length >= 20, own.some(({ seen }) => seen), own.some(({ seen }) => !seen)]).toEqual([kind, true, true, true]);
    }
  });
});

describe("threat 40: letters, marks, blanks and controls that nobody writes so", () => {
  it.each([
    ["Georgian", "\u10d0\u10d1\u10d2\u10d3\u10d4"],
    ["Lao", "\u0e81\u0e82\u0e84\u0e87\u0e88"],
    ["Ethiopic", "\u1200\u1208\u1210\u1218\u1220"],
    ["private", "\ue000\ue123\ue456\ue789\uf123"],
    ["control", "\u0001\u0002\u0003\u0004\u0005"],
    ["piled up", "a\u0300\u0315\u0321\u0334\u0360"],
    ["blank", "     "],
    ["empty", "\n\n\n\n\n"],
    ["indented", "\t \t  "],
  ])("%s ones count, so that a stream given up before it is billed is not nearly free", (_, letters) => {
    const text = letters.repeat(200);
    for (const { name, count } of TOKENIZERS) {
      const { close } = tokensOf(new Features().add(text), name);
      expect([name, close >= count(text) / 4]).toEqual([name, true]);
    }
  });
});

describe.each(measured)("D2: estimates against the real tokenizer $name", ({ name, texts }) => {
  it("strict is under for no text", () => {
    for (const { name: text, tokens, estimate } of texts) expect([text, estimate.strict >= tokens]).toEqual([text, true]);
  });

  it.each(GUARDED)("tight is under for no text of class %s, and at most 1.35 times the truth on average", (kind) => {
    const own = texts.filter((each) => each.class === kind);
    for (const { name: text, tokens, estimate } of own) expect([text, estimate.tight >= tokens]).toEqual([text, true]);
    expect(mean(own.map(({ tokens, estimate }) => estimate.tight / tokens))).toBeLessThanOrEqual(1.35);
  });

  it("tight is at most 1.35 times the truth on average over all texts", () => {
    expect(mean(texts.map(({ tokens, estimate }) => estimate.tight / tokens))).toBeLessThanOrEqual(1.35);
  });

  it.each(CLASSES)("close errs by at most 6 % on average over texts of class %s", (kind) => {
    const own = texts.filter((each) => each.class === kind);
    expect(mean(own.map(({ tokens, estimate }) => Math.abs(estimate.close / tokens - 1)))).toBeLessThanOrEqual(0.06);
  });

  it("a model whose tokenizer is not known gets no less than one whose tokenizer is", () => {
    for (const { text, estimate } of texts) {
      const unknown = tokensOf(new Features().add(text), null);
      expect([unknown.tight >= estimate.tight, unknown.close >= estimate.close, name]).toEqual([true, true, name]);
    }
  });
});

describe("any text", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));

  it("strict is its UTF-8 bytes, and neither of the others passes it or falls below zero", () => {
    fc.assert(
      fc.property(text, fc.constantFrom("o200k", "cl100k", "llama3", null), (given, tokenizer) => {
        const { strict, tight, close } = tokensOf(new Features().add(given), tokenizer);
        expect(strict).toBe(Buffer.byteLength(given));
        expect([tight >= 0, tight <= strict, close >= 0, close <= strict]).toEqual([true, true, true, true]);
      }),
    );
  });

  it("strict is under for no text that anybody can think of", () => {
    fc.assert(
      fc.property(text, (given) => {
        for (const { count } of TOKENIZERS) expect(count(given)).toBeLessThanOrEqual(new Features().add(given).bytes);
      }),
      { numRuns: 300 },
    );
  });
});
