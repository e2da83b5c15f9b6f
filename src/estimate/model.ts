import { NO_USAGE, type Usage } from "#core";
import { anthropicPicture, messagesFraming } from "./anthropic.ts";
import type { Call, Cost, CostEstimator, Expected, ModelCall, Operation } from "./contract.ts";
import { chatFraming, openaiPicture } from "./openai.ts";
import type { Picture } from "./picture.ts";
import { type Prompt, readPrompt } from "./prompt.ts";
import { type TokenCounts, type Tokenizer, tokensOf } from "./tokens.ts";

/** How a family of models counts: its tokenizer where it is known, what stands around the text, and its pictures. */
interface Family {
  readonly name: string;
  readonly capabilities: readonly Operation[];
  readonly tokenizer: (model: string) => Tokenizer | null;
  readonly framing: (prompt: Prompt) => number;
  readonly picture: (model: string, picture: Picture) => number;
}

const O200K = /(?:^|\/)(?:gpt-4o|gpt-4\.[15]|gpt-[5-9]|gpt-oss|chatgpt|o\d|codex)/;
const CL100K = /(?:^|\/)(?:gpt-4|gpt-3\.5|text-embedding)/;
const LLAMA3 = /llama-?[34]/i;

function publishedTokenizer(model: string): Tokenizer | null {
  if (O200K.test(model)) return "o200k";
  if (CL100K.test(model)) return "cl100k";
  return LLAMA3.test(model) ? "llama3" : null;
}

/** Instructions that come with tools: Anthropic documents up to 804 tokens, others less. */
const TOOLS_MAX = 1_024;

function model(family: Family): CostEstimator {
  const usageOf = ({ tokens, outputTokens }: Expected): Usage => ({ ...NO_USAGE, input: tokens.close, output: outputTokens });
  const estimate = (_: Call, expected: Expected): Cost => expected.charge(usageOf(expected));
  return {
    name: family.name,
    capabilities: family.capabilities,
    supportsActualCost: true,
    tokens: (call) => (call.operation === "tool.execute" ? { strict: 0, tight: 0, close: 0 } : countsOf(call, family)),
    estimate,
    actual: (call, expected, reported) => (reported ? expected.charge(reported) : estimate(call, expected)),
  };
}

/** The body's bytes exceed its text's tokens and all that stands around them; pictures and a vendor's own instructions come on top. */
function countsOf({ ask, model }: ModelCall, { tokenizer, framing, picture }: Family): TokenCounts {
  const prompt = readPrompt(ask);
  const text = tokensOf(prompt.text, tokenizer(model));
  const pictures = prompt.pictures.reduce((sum, each) => sum + picture(model, each), 0);
  const around = framing(prompt) + prompt.ids + pictures;
  const strict = ask.promptBytes + pictures + (ask.tools ? TOOLS_MAX : 0);
  return { strict, tight: Math.min(strict, text.tight + around), close: Math.min(strict, text.close + around) };
}

/** OpenAI's models, and those that others serve in its dialects. */
export const OPENAI: CostEstimator = model({
  name: "openai",
  capabilities: ["chat.completions", "responses"],
  tokenizer: publishedTokenizer,
  framing: chatFraming,
  picture: openaiPicture,
});

/** Prompts that no chat stands around. */
export const PLAIN: CostEstimator = model({
  name: "plain",
  capabilities: ["completions", "embeddings"],
  tokenizer: publishedTokenizer,
  framing: () => 0,
  picture: openaiPicture,
});

/** Anthropic's models. Their tokenizer is not published. */
export const ANTHROPIC: CostEstimator = model({
  name: "anthropic",
  capabilities: ["messages", "count_tokens"],
  tokenizer: () => null,
  framing: messagesFraming,
  picture: anthropicPicture,
});
