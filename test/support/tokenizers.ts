import { Tiktoken } from "js-tiktoken/lite";
import cl100k from "js-tiktoken/ranks/cl100k_base";
import o200k from "js-tiktoken/ranks/o200k_base";
import llama3 from "llama3-tokenizer-js";

/** Real tokenizers, which no request ever waits for: they are what the estimators are fitted to and judged by. */
export interface Tokenizer {
  readonly name: "o200k" | "cl100k" | "llama3";
  readonly count: (text: string) => number;
}

function tiktoken(ranks: ConstructorParameters<typeof Tiktoken>[0]): (text: string) => number {
  const encoding = new Tiktoken(ranks);
  return (text) => encoding.encode(text, [], []).length;
}

export const TOKENIZERS: readonly Tokenizer[] = [
  { name: "o200k", count: tiktoken(o200k) },
  { name: "cl100k", count: tiktoken(cl100k) },
  { name: "llama3", count: (text) => llama3.encode(text, { bos: false, eos: false }).length },
];
