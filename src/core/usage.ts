/**
 * What a call consumed, in disjoint input classes. `reasoning` is a part of `output`, not beside it; `audioInput` and
 * `audioOutput` are beside `input` and `output`. Counts are non-negative safe integers.
 */
export interface Usage {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
  readonly reasoning: number;
  readonly audioInput: number;
  readonly audioOutput: number;
  readonly images: number;
  readonly webSearches: number;
}

/** Nothing consumed. */
export const NO_USAGE: Usage = {
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  reasoning: 0,
  audioInput: 0,
  audioOutput: 0,
  images: 0,
  webSearches: 0,
};

/** All input tokens, whatever they cost. */
export function inputTokens(usage: Usage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h + usage.audioInput;
}

/** All output tokens, reasoning included. */
export function outputTokens(usage: Usage): number {
  return usage.output + usage.audioOutput;
}
