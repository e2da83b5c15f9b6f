import { type Femto, nanoCeil } from "#core";
import type { Amount, Bounds, Load, Price, PriceRow } from "./contract.ts";
import { dearest, dearestSearch, possibleRates, TEXT_IN, TEXT_OUT } from "./rates.ts";
import { BUNDLED } from "./table.ts";

/** What a request that cannot be counted may hold where the model's context window is not known: the largest that is. */
const CONTEXT_TOKENS = Math.max(...BUNDLED.map(({ contextTokens }) => contextTokens ?? 0));
/** The most output of any model known, for one whose own limit is not. */
const OUTPUT_TOKENS = 128_000;
const FIRST_OUTPUT_TOKENS = 512;
/** What one answer likely comes to, where its cap allows it. */
export const LIKELY_OUTPUT_TOKENS = 1_024;
/** Hidden instructions that vendors add for tools: Anthropic documents up to 530 tokens, others less. */
const TOOL_TOKENS = 1_024;
/** Searches that one answer may make unseen. */
const SEARCHES = 10n;

/**
 * What a request may cost before it is sent. The ceiling is what the provider can bill at the very most: a prompt has no more
 * tokens than its body has bytes, which the JSON around each message exceeds by more than the vendors' own markup; every token is
 * taken at the dearest rate it could have.
 */
export function bounds(price: Price, load: Load): Bounds {
  const { contextTokens, maxOutputTokens } = limitsOf(price, load);
  const counted = load.promptBytes + (load.tools ? TOOL_TOKENS : 0);
  const inputMax = load.uncountable ? Math.max(counted, contextTokens) : counted;
  const perChoice = load.hasOutput ? (load.maxOutput ?? maxOutputTokens) : 0;
  const worst = worstRates(price, inputMax, load);
  const inputFemto = BigInt(inputMax) * worst.input + worst.searches;
  const amount = (input: number, inputCost: Femto, outputEach: number): Amount => {
    const output = countable(Math.min(outputEach, perChoice) * load.choices);
    return { nano: nanoCeil(inputCost + BigInt(output) * worst.output), tokens: countable(input + output), requests: 1 };
  };
  const floor = amount(inputMax, inputFemto, FIRST_OUTPUT_TOKENS);
  const ceiling = amount(inputMax, inputFemto, perChoice);
  const likelyInput = Math.min(inputMax, load.likelyInput);
  const guessed = amount(likelyInput, BigInt(likelyInput) * worst.plainInput, LIKELY_OUTPUT_TOKENS);
  const outputMax = countable(perChoice * load.choices);
  return {
    floor,
    likely: between(floor, guessed, ceiling),
    ceiling,
    inputMax,
    outputMax,
    choices: load.choices,
    inputFemto,
    outputFemto: worst.output,
  };
}

/** What the operator says of the model, else the table; a row that only stands in for an unknown model's says nothing of it. */
function limitsOf({ state, row }: Price, { limits }: Load) {
  const known = state === "unknown" ? null : row;
  return {
    contextTokens: limits?.contextTokens ?? known?.contextTokens ?? CONTEXT_TOKENS,
    maxOutputTokens: limits?.maxOutputTokens ?? known?.maxOutputTokens ?? OUTPUT_TOKENS,
  };
}

/** Tokens as the ledger can count them. */
function countable(tokens: number): number {
  return Math.min(tokens, Number.MAX_SAFE_INTEGER);
}

/** The dearest that a token of each side can cost, the plain input rate, and the searches that an answer may make unseen. */
interface Worst {
  readonly input: Femto;
  readonly plainInput: Femto;
  readonly output: Femto;
  readonly searches: Femto;
}

const NOTHING: Worst = { input: 0n, plainInput: 0n, output: 0n, searches: 0n };
/** What was found of a row: rows are never changed, and calls of one kind ask the same of them each time. */
const found = new WeakMap<PriceRow, Map<string, Worst>>();
/** A service tier is the caller's own word: so many kinds of call of a row are remembered, and no more. */
const KINDS_MAX = 64;

function worstRates({ row, state }: Price, inputMax: number, load: Load): Worst {
  if (state === "free") return NOTHING;
  const tiersPassed = row.tiers.filter(({ aboveInputTokens }) => inputMax > aboveInputTokens).length;
  const kind = `${tiersPassed} ${load.uncountable} ${JSON.stringify(load.serviceTier)}`;
  const kinds = found.get(row) ?? new Map<string, Worst>();
  const known = kinds.get(kind);
  if (known) return known;
  const worst = worstOf(row, inputMax, load);
  if (kinds.size < KINDS_MAX) found.set(row, kinds.set(kind, worst));
  return worst;
}

/**
 * What is heard makes a prompt uncountable; whether the answer is spoken nothing here says, so that a model that speaks is taken to.
 */
function worstOf(row: PriceRow, inputMax: number, { uncountable, serviceTier }: Load): Worst {
  const lists = possibleRates(row, inputMax, serviceTier);
  return {
    input: dearest(lists, uncountable ? [...TEXT_IN, "audio_input"] : TEXT_IN),
    plainInput: dearest(lists, ["input"]),
    output: dearest(lists, [...TEXT_OUT, "audio_output"]),
    searches: uncountable ? SEARCHES * dearestSearch(lists) : 0n,
  };
}

function between(floor: Amount, guessed: Amount, ceiling: Amount): Amount {
  return {
    nano: Math.min(ceiling.nano, Math.max(floor.nano, guessed.nano)),
    tokens: Math.min(ceiling.tokens, Math.max(floor.tokens, guessed.tokens)),
    requests: 1,
  };
}

/** Output tokens per choice that a grant pays for: never more than it covers in money or in tokens. */
export function outputCap({ inputMax, inputFemto, outputFemto, outputMax, choices }: Bounds, granted: Amount): number {
  const FEMTO_PER_NANO = 1_000_000n;
  const left = BigInt(granted.nano) * FEMTO_PER_NANO - inputFemto;
  const byMoney = outputFemto === 0n ? outputMax : Number((left > 0n ? left : 0n) / outputFemto);
  const byTokens = Math.max(0, granted.tokens - inputMax);
  return Math.floor(Math.min(byMoney, byTokens, outputMax) / Math.max(1, choices));
}
