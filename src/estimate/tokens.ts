import { type Feature, FEATURES } from "./alphabet.ts";
import type { Features } from "./features.ts";
import fits from "./fits.json" with { type: "json" };

/** Tokenizers that the estimators are fitted to. */
export type Tokenizer = keyof typeof fits.tokenizers;

/**
 * Three counts of the same text. `strict` is never under, whatever the tokenizer: no token is shorter than a byte. `tight` is not under
 * for prose, code and Chinese, Japanese and Korean, and mostly a fifth above. `close` errs to either side, by a few percent. `tight` and
 * `close` never pass `strict`.
 */
export interface TokenCounts {
  readonly strict: number;
  readonly tight: number;
  readonly close: number;
}

const MARGIN = 1.1;
const SLACK = 8;

interface Fit {
  readonly tight: Float64Array;
  readonly close: Float64Array;
}

type Weights = Readonly<Partial<Record<Feature, number>>>;
/** What the texts that were fitted to hold too little of to be weighed: taken at a token each, lest a prompt be built of what costs nothing. */
const UNWEIGHED: Weights = { otherLetters: 1, controls: 1 };

const FITS: ReadonlyMap<string, Fit> = new Map(
  Object.entries<Readonly<Record<"tight" | "close", Weights>>>(fits.tokenizers).map(([name, { tight, close }]) => [
    name,
    { tight: inOrder(tight), close: inOrder(close) },
  ]),
);

function inOrder(weights: Weights): Float64Array {
  return Float64Array.from(FEATURES, (name) => weights[name] ?? UNWEIGHED[name] ?? 0);
}

/** The tokens of a text by its features. Where nobody published the tokenizer, the one of those known that makes most of it. */
export function tokensOf(features: Features, tokenizer: Tokenizer | null): TokenCounts {
  const known = tokenizer === null ? null : FITS.get(tokenizer)!;
  const most = (which: keyof Fit) =>
    known ? sum(known[which], features) : Math.max(...[...FITS.values()].map((fit) => sum(fit[which], features)));
  const strict = features.bytes;
  return {
    strict,
    tight: Math.min(strict, Math.ceil(most("tight") * MARGIN) + SLACK),
    close: Math.min(strict, Math.ceil(most("close"))),
  };
}

function sum(weights: Float64Array, { counts }: Features): number {
  let total = 0;
  for (let at = 0; at < weights.length; at++) total += weights[at]! * counts[at]!;
  return total;
}
