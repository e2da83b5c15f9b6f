import type { Picture, Size } from "./picture.ts";
import type { Prompt } from "./prompt.ts";

/**
 * What Anthropic adds around text, and how it counts pictures: platform.claude.com/docs/en/about-claude/pricing (tool use) and
 * build-with-claude/vision and vision-coordinates, read in copies of 2026-08-21 and 2026-08-22. What stands around a message is published
 * nowhere; the learned factor makes good what is wrong here.
 */
const PER_MESSAGE = 4;
const PER_ANSWER = 3;
/** The instructions that come with tools where none is forced: from 264 to 675 by model, so many of most. */
const TOOLS = 497;

/** Tokens around a conversation's text. */
export function messagesFraming({ messages, tools }: Prompt): number {
  return PER_ANSWER + PER_MESSAGE * messages + (tools === 0 ? 0 : TOOLS);
}

/** Pixels along an edge of what counts as a token. */
const PATCH = 28;

/** To what a picture is scaled down: its longest edge, and its tokens. */
interface Limit {
  readonly edge: number;
  readonly tokens: number;
}

const SHARP: Limit = { edge: 2_576, tokens: 4_784 };
const USUAL: Limit = { edge: 1_568, tokens: 1_568 };
const SHARP_MODELS = /claude-(?:opus|sonnet|haiku|[a-z]+)-(?:4-[7-9]|[5-9])(?!\d{2})/;

/** Tokens of a picture: its patches; the most that one can come to where its size is not known. */
export function anthropicPicture(model: string, { size }: Picture): number {
  const limit = SHARP_MODELS.test(model) ? SHARP : USUAL;
  return size ? patches(size, limit) : limit.tokens;
}

/** Patches of the largest picture of the same proportions within the limit. */
function patches({ width, height }: Size, { edge, tokens }: Limit): number {
  const long = Math.max(width, height, 1);
  const proportion = Math.min(width, height) / long;
  const along = (pixels: number) => Math.max(1, Math.ceil(pixels / PATCH));
  const count = (pixels: number) => along(pixels) * along(Math.round(pixels * proportion));
  const fits = (pixels: number) => along(pixels) * PATCH <= edge && count(pixels) <= tokens;
  if (fits(long)) return count(long);
  let [within, beyond] = [1, long];
  while (within + 1 < beyond) {
    const between = Math.floor((within + beyond) / 2);
    if (fits(between)) within = between;
    else beyond = between;
  }
  return count(within);
}
