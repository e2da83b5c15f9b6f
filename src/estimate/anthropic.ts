import type { Picture } from "./picture.ts";
import type { Prompt } from "./prompt.ts";

/**
 * What Anthropic adds around text, and how it counts pictures, as its documentation gives it (docs.anthropic.com, pages on vision and on
 * tool use, read 2026-11). What stands around a message is published nowhere; the learned factor makes good what is wrong here.
 */
const PER_MESSAGE = 4;
const PER_ANSWER = 3;
/** The instructions that come with tools, for today's models where none is forced. */
const TOOLS = 346;

/** Tokens around a conversation's text. */
export function messagesFraming({ messages, tools }: Prompt): number {
  return PER_ANSWER + PER_MESSAGE * messages + (tools === 0 ? 0 : TOOLS);
}

const PIXELS_PER_TOKEN = 750;
/** The longest edge, and the most tokens, to which a picture is scaled down. */
const SHARP = { edge: 2_576, tokens: 4_784 };
const USUAL = { edge: 1_568, tokens: 1_600 };
const SHARP_MODELS = /claude-(?:opus|sonnet|haiku|[a-z]+)-(?:4-[7-9]|[5-9])(?!\d{2})/;

/** Tokens of a picture: its pixels over 750; the most that one can come to where its size is not known. */
export function anthropicPicture(model: string, { size }: Picture): number {
  const { edge, tokens } = SHARP_MODELS.test(model) ? SHARP : USUAL;
  if (!size) return tokens;
  const scale = Math.min(1, edge / Math.max(size.width, size.height, 1));
  return Math.min(tokens, Math.ceil((size.width * scale * (size.height * scale)) / PIXELS_PER_TOKEN));
}
