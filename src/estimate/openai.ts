import type { Prompt } from "./prompt.ts";
import type { Picture, Size } from "./picture.ts";

/**
 * What OpenAI adds around text, and how it counts pictures, as its guides on token counting and on images give the arithmetic
 * (platform.openai.com/docs/guides/images-vision, cookbook.openai.com "How to count tokens", read 2026-11).
 */
const PER_MESSAGE = 4;
const PER_ANSWER = 3;
const PER_TOOL = 7;
const TOOLS = 12;

/** Tokens around a chat's text. Plain prompts and embeddings have none. */
export function chatFraming({ messages, tools }: Prompt): number {
  return PER_ANSWER + PER_MESSAGE * messages + (tools === 0 ? 0 : TOOLS + PER_TOOL * tools);
}

/** Older and larger models see tiles of 512 pixels, smaller ones patches of 32. */
type Sight = { readonly base: number; readonly tile: number } | { readonly perPatch: number };

const SIGHTS: readonly (readonly [RegExp, Sight])[] = [
  [/^gpt-5[\w.]*-mini|^gpt-4\.1-mini/, { perPatch: 1.62 }],
  [/^gpt-5[\w.]*-nano|^gpt-4\.1-nano/, { perPatch: 2.46 }],
  [/^o4-mini/, { perPatch: 1.72 }],
  [/^gpt-4o-mini/, { base: 2_833, tile: 5_667 }],
  [/^gpt-5/, { base: 70, tile: 140 }],
  [/^o1|^o3/, { base: 75, tile: 150 }],
  [/^computer-use/, { base: 65, tile: 129 }],
];
/** GPT-4o, 4.1 and 4.5, and the ones that follow its example. */
const USUAL: Sight = { base: 85, tile: 170 };

const LONG_MAX = 2_048;
const SHORT_MAX = 768;
const TILE = 512;
/** Of a picture of 2,048 by 768. */
const TILES_MAX = 8;
const PATCH = 32;
const PATCHES_MAX = 1_536;

/** Tokens of a picture; the most that one can come to where its size is not known. */
export function openaiPicture(model: string, { size, detail }: Picture): number {
  const sight = SIGHTS.find(([pattern]) => pattern.test(model))?.[1] ?? USUAL;
  if ("perPatch" in sight) return Math.ceil((size ? patches(size) : PATCHES_MAX) * sight.perPatch);
  if (detail === "low") return sight.base;
  return sight.base + sight.tile * (size ? tiles(size) : TILES_MAX);
}

function tiles({ width, height }: Size): number {
  const fit = Math.min(1, LONG_MAX / Math.max(width, height, 1));
  const scale = fit * Math.min(1, SHORT_MAX / Math.max(1, Math.min(width, height) * fit));
  return Math.max(1, Math.ceil(Math.round(width * scale) / TILE)) * Math.max(1, Math.ceil(Math.round(height * scale) / TILE));
}

/** A picture of too many patches is scaled down until it has at most so many, whole ones along one edge. */
function patches({ width, height }: Size): number {
  const [across, down] = [Math.max(1, width) / PATCH, Math.max(1, height) / PATCH];
  if (Math.ceil(across) * Math.ceil(down) <= PATCHES_MAX) return Math.ceil(across) * Math.ceil(down);
  const fit = Math.sqrt(PATCHES_MAX / (across * down));
  const whole = (edge: number) => Math.floor(edge * fit) / (edge * fit);
  const scale = fit * Math.min(whole(across), whole(down));
  return Math.min(PATCHES_MAX, patchesOf(across * scale) * patchesOf(down * scale));
}

/** Patches along an edge; an edge that was scaled to whole ones may miss them by a rounding. */
function patchesOf(edge: number): number {
  return Math.max(1, Math.ceil(edge - 1e-9));
}
