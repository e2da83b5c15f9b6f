/**
 * What a call consumed, in disjoint input classes. `reasoning` is a part of `output`, not beside it; what is heard,
 * said, seen and drawn (`audioInput` to `imageOutput`) is beside `input` and `output`. Counts are non-negative safe integers.
 *
 * What is billed by the piece stands last: pictures made, searches of the web and of files, sources read by a search that is billed
 * by them, `extras`, whatever else a vendor bills apart (a container for code, a search of posts, a second of audio in a chat), and
 * what is asked for beside text: characters spoken, seconds heard, and searches that rank.
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
  readonly imageInput: number;
  readonly imageOutput: number;
  readonly images: number;
  readonly webSearches: number;
  readonly fileSearches: number;
  readonly searchSources: number;
  readonly extras: number;
  readonly characters: number;
  readonly seconds: number;
  readonly rankings: number;
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
  imageInput: 0,
  imageOutput: 0,
  images: 0,
  webSearches: 0,
  fileSearches: 0,
  searchSources: 0,
  extras: 0,
  characters: 0,
  seconds: 0,
  rankings: 0,
};

const CLASSES = Object.keys(NO_USAGE) as (keyof Usage)[];

/** Both together, class by class; never past what is a safe integer, whatever was claimed. */
export function addUsage(one: Usage, other: Usage): Usage {
  const sum = (name: keyof Usage) => [name, Math.min(one[name] + other[name], Number.MAX_SAFE_INTEGER)] as const;
  return Object.fromEntries(CLASSES.map(sum)) as Record<keyof Usage, number>;
}

type Input = Pick<Usage, "input" | "cacheRead" | "cacheWrite5m" | "cacheWrite1h" | "audioInput" | "imageInput">;

/** All input tokens, whatever they cost. */
export function inputTokens(usage: Input): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h + usage.audioInput + usage.imageInput;
}

/** All output tokens, reasoning included. */
export function outputTokens(usage: Pick<Usage, "output" | "audioOutput" | "imageOutput">): number {
  return usage.output + usage.audioOutput + usage.imageOutput;
}
