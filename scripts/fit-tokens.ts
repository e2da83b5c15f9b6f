import { readFileSync, writeFileSync } from "node:fs";
import cl100k from "js-tiktoken/ranks/cl100k_base";
import o200k from "js-tiktoken/ranks/o200k_base";
import { BITS_PER_WORD, EMPTY, hashed, slotOf, TABLE_BYTES } from "../src/estimate/word-hash.ts";
import { CLASSES, CORPUS, type CorpusText } from "../test/support/corpus.ts";
import { TOKENIZERS } from "../test/support/tokenizers.ts";

/**
 * `npm run tokens`: fits the token estimators to real tokenizers over the corpus, writes src/estimate/fits.json and vocabulary.json, and
 * shows how well they do. With `-- --held-out` the fit sees only half of the corpus, the other half is what is shown, and the fits stay as
 * they are.
 */

const VOCABULARY = "src/estimate/vocabulary.json";
const FILE = "src/estimate/fits.json";
const heldOut = process.argv.includes("--held-out");
const RIDGE = 1e-4;
const SWEEPS = 4_000;

interface Sample {
  readonly x: Float64Array;
  readonly tokens: number;
  readonly text: CorpusText;
}

/** Least squares over relative errors, no weight below zero: by coordinate descent. */
function fit(samples: readonly Sample[], importance: (sample: Sample) => number): number[] {
  const size = FEATURES.length;
  const square = Array.from({ length: size }, () => new Float64Array(size));
  const toward = new Float64Array(size);
  for (const sample of samples) {
    const weight = importance(sample) / sample.tokens ** 2;
    for (let i = 0; i < size; i++) {
      if (sample.x[i] === 0) continue;
      toward[i]! += weight * sample.x[i]! * sample.tokens;
      for (let j = 0; j < size; j++) square[i]![j]! += weight * sample.x[i]! * sample.x[j]!;
    }
  }
  const weights = new Float64Array(size).fill(0.5);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let i = 0; i < size; i++) {
      let rest = toward[i]!;
      for (let j = 0; j < size; j++) if (j !== i) rest -= square[i]![j]! * weights[j]!;
      weights[i] = Math.max(0, rest / (square[i]![i]! + RIDGE));
    }
  }
  return [...weights].map((weight) => Number(weight.toFixed(4)));
}

function dot(weights: readonly number[], x: Float64Array): number {
  return weights.reduce((sum, weight, at) => sum + weight * x[at]!, 0);
}

/** Every class counts the same, however many texts it has. */
function balanced(samples: readonly Sample[]): (sample: Sample) => number {
  const sizes = new Map(CLASSES.map((name) => [name, samples.filter(({ text }) => text.class === name).length]));
  return ({ text }) => 1 / Math.max(1, sizes.get(text.class) ?? 1);
}

const MARGIN = 1.1;
const SLACK = 8;
/** How far above a guarded text the fit must come out: what it has not seen needs room as well. */
const GUARD = 0.92;
const GUARDED = new Set<string>(["prose", "code", "cjk"]);

/** The same fit, drawn up wherever it would come out under a guarded text by more than the margin that is added to it. */
function fitAbove(samples: readonly Sample[]): number[] {
  const pull = new Map<Sample, number>(samples.map((sample) => [sample, 1]));
  const importance = balanced(samples);
  let weights: number[] = [];
  for (let round = 0; round < 40; round++) {
    weights = fit(samples, (sample) => importance(sample) * pull.get(sample)!);
    const under = samples.filter(
      ({ x, tokens, text }) => dot(weights, x) * MARGIN * (GUARDED.has(text.class) ? GUARD : 1) + SLACK < tokens,
    );
    if (under.length === 0) break;
    for (const sample of under) pull.set(sample, pull.get(sample)! * 2);
  }
  return weights;
}

/** Pairs of letters that make up this share of English prose and code are common. */
const COMMON_SHARE = 0.93;

/** The pairs as a row of bits, `aa` first. */
function commonPairs(): string {
  const seen = new Float64Array(26 * 26);
  for (const { class: kind, name, text } of CORPUS) {
    if (kind !== "code" && !name.startsWith("en-")) continue;
    for (const [word] of text.toLowerCase().matchAll(/[a-z]+/g))
      for (let at = 1; at < word.length; at++) seen[(word.charCodeAt(at - 1) - 97) * 26 + word.charCodeAt(at) - 97]!++;
  }
  const total = seen.reduce((sum, each) => sum + each, 0);
  const common = new Set<number>();
  let covered = 0;
  for (const [pair, times] of [...seen.entries()].sort(([, a], [, b]) => b - a)) {
    if (covered >= COMMON_SHARE * total) break;
    common.add(pair);
    covered += times;
  }
  return [...seen.keys()].map((pair) => (common.has(pair) ? "1" : "0")).join("");
}

const pairs = commonPairs();
if (!heldOut) writeFileSync(FILE, JSON.stringify({ ...(JSON.parse(readFileSync(FILE, "utf8")) as object), commonPairs: pairs }));

/** Words as tokens of a vocabulary: letters only, or a pair of characters where words have no spaces; small letters. */
function wordsOf(ranks: string): Set<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const words = new Set<string>();
  for (const token of ranks.split("\n").flatMap((line) => line.split(" ").slice(2))) {
    let text = "";
    try {
      text = decoder.decode(Buffer.from(token, "base64"));
    } catch {
      continue;
    }
    if (/^ ?[\p{sc=Latin}\p{sc=Cyrillic}\p{sc=Greek}]\p{Ll}{3,}$/u.test(text)) words.add(text.trim().toLowerCase());
    else if (/^ ?\p{sc=Latin}{1,3}$/u.test(text) && /[^ -~]/.test(text)) words.add(text.trim().toLowerCase());
    else if (/^\p{M}$/u.test(text)) words.add(text);
    else if (/^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]{1,2}$/u.test(text)) words.add(text);
    else if (/^ ?[\p{sc=Cyrillic}\p{sc=Greek}]{1,3}$/u.test(text)) words.add(text.trim().toLowerCase());
  }
  return words;
}

/** The words as bits of a table. */
function bitsOf(words: Iterable<string>): string {
  const bits = new Uint8Array(TABLE_BYTES);
  for (const word of words) {
    const hash = [...Array(word.length).keys()].reduce((hash, at) => hashed(hash, word.charCodeAt(at)), EMPTY);
    for (let which = 0; which < BITS_PER_WORD; which++) {
      const bit = slotOf(hash, which);
      bits[bit >> 3]! |= 1 << (bit & 7);
    }
  }
  return Buffer.from(bits).toString("base64");
}

const [older, newer] = [wordsOf(cl100k.bpe_ranks), wordsOf(o200k.bpe_ranks)];
const vocabulary = {
  old: bitsOf([...older].filter((word) => newer.has(word))),
  new: bitsOf([...newer].filter((word) => !older.has(word))),
};
if (!heldOut) writeFileSync(VOCABULARY, `${JSON.stringify(vocabulary, null, 1)}\n`);

/** Weights by the features' names, without those that are nought. */
function named(fits: typeof tokenizers) {
  const byName = (weights: readonly number[]) =>
    Object.fromEntries(FEATURES.map((name, at) => [name, weights[at]!]).filter(([, weight]) => weight !== 0));
  return Object.fromEntries(Object.entries(fits).map(([name, { close, tight }]) => [name, { close: byName(close), tight: byName(tight) }]));
}

const { FEATURES } = await import("../src/estimate/alphabet.ts");
const { Features } = await import("../src/estimate/features.ts");
const only = heldOut ? CORPUS.filter(({ seen }) => seen) : CORPUS;
const tokenizers: Record<string, { close: number[]; tight: number[] }> = {};
for (const { name, count } of TOKENIZERS) {
  const samples = only.map((text): Sample => ({ x: new Features().add(text.text).counts, tokens: count(text.text), text }));
  tokenizers[name] = { close: fit(samples, balanced(samples)), tight: fitAbove(samples) };
}
if (!heldOut) writeFileSync(FILE, `${JSON.stringify({ commonPairs: pairs, tokenizers: named(tokenizers) }, null, 1)}\n`);

for (const { name, count } of TOKENIZERS) {
  const rows = CLASSES.map((kind) => {
    const errors: number[] = [];
    const ratios: number[] = [];
    for (const { class: own, text, seen } of CORPUS) {
      if (own !== kind || (heldOut && seen)) continue;
      const { counts } = new Features().add(text);
      const tokens = count(text);
      errors.push(Math.abs(dot(tokenizers[name]!.close, counts) / tokens - 1));
      ratios.push((dot(tokenizers[name]!.tight, counts) * MARGIN + SLACK) / tokens);
    }
    const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
    return {
      tokenizer: name,
      class: kind,
      texts: errors.length,
      "close: mean error %": Number((100 * mean(errors)).toFixed(1)),
      "max %": Number((100 * Math.max(...errors)).toFixed(0)),
      "tight: mean": Number(mean(ratios).toFixed(2)),
      "tight: least": Number(Math.min(...ratios).toFixed(2)),
    };
  });
  console.table(rows);
}
