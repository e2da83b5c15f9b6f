import type { Prompt } from "./prompt.ts";
import type { Picture, Size } from "./picture.ts";

/**
 * How OpenAI counts pictures: developers.openai.com/api/docs/guides/images-vision, read in a copy of 2026-07-15. What it adds around text
 * is published for GPT-4o and before it: 3 tokens and the role around a message, 3 before the answer, 7 around a tool, 12 after them
 * (its cookbook's "How to count tokens with tiktoken", read in undated copies). The learned factor makes good what is wrong for others.
 */
const PER_MESSAGE = 4;
const PER_ANSWER = 3;
const PER_TOOL = 7;
const TOOLS = 12;

/** Tokens around a chat's text. Plain prompts and embeddings have none. */
export function chatFraming({ messages, tools }: Prompt): number {
  return PER_ANSWER + PER_MESSAGE * messages + (tools === 0 ? 0 : TOOLS + PER_TOOL * tools);
}

/** To what a picture is scaled down: its patches, and its longest edge. */
interface Limit {
  readonly patches: number;
  readonly edge: number;
}

const SMALL: Limit = { patches: 1_536, edge: 2_048 };
const HIGH: Limit = { patches: 2_500, edge: 2_048 };
const ORIGINAL: Limit = { patches: 10_000, edge: 6_000 };
/** The whole picture, which no limit scales down but that of what a JPEG can be. */
const WHOLE: Limit = { patches: 2_048 ** 2, edge: 65_536 };
/** A version of 512 pixels. */
const LOW: Limit = { patches: 256, edge: 512 };

/** Models that see patches of 32 pixels: what each costs, and how far a picture is scaled down; otherwise so where its original is asked for. */
interface Patches {
  readonly perPatch: number;
  readonly limit: Limit;
  readonly original?: Limit;
  /** Who says nothing asks for the original. */
  readonly originally?: true;
}

/** Models that see tiles of 512 pixels. */
interface Tiles {
  readonly base: number;
  readonly tile: number;
}

const SIGHTS: readonly (readonly [RegExp, Patches | Tiles])[] = [
  [/^gpt-5[\w.]*-mini|^gpt-4\.1-mini/, { perPatch: 1.62, limit: SMALL }],
  [/^gpt-5[\w.]*-nano|^gpt-4\.1-nano/, { perPatch: 2.46, limit: SMALL }],
  [/^o4-mini/, { perPatch: 1.72, limit: SMALL }],
  [/^gpt-5\.[23]/, { perPatch: 1, limit: SMALL }],
  [/^gpt-5\.4/, { perPatch: 1, limit: HIGH, original: ORIGINAL }],
  [/^gpt-5\.5/, { perPatch: 1, limit: HIGH, original: ORIGINAL, originally: true }],
  // Of GPT-6 nothing was read; it is taken to see as GPT-5.6 does.
  [/^gpt-5\.[6-9]|^gpt-[6-9]/, { perPatch: 1, limit: HIGH, original: WHOLE, originally: true }],
  [/^gpt-4o-mini/, { base: 2_833, tile: 5_667 }],
  [/^gpt-5/, { base: 70, tile: 140 }],
  [/^o1|^o3/, { base: 75, tile: 150 }],
  [/^computer-use/, { base: 65, tile: 129 }],
];
/** GPT-4o, 4.1 and 4.5, and the ones that follow its example. */
const USUAL: Tiles = { base: 85, tile: 170 };

const LONG_MAX = 2_048;
const SHORT_MAX = 768;
const TILE = 512;
/** Of a picture of 2,048 by 768. */
const TILES_MAX = 8;
const PATCH = 32;
/** Of a picture of unknown size where no limit is: that of the models before. Larger ones cost more than was reserved. */
const PATCHES_MAX = ORIGINAL.patches;

/** Tokens of a picture; the most that one can come to where its size is not known. */
export function openaiPicture(model: string, { size, detail }: Picture): number {
  const sight = SIGHTS.find(([pattern]) => pattern.test(model))?.[1] ?? USUAL;
  if ("perPatch" in sight) {
    const limit = limitOf(sight, detail);
    return Math.ceil((size ? patches(size, limit) : Math.min(limit.patches, PATCHES_MAX)) * sight.perPatch);
  }
  if (detail === "low") return sight.base;
  return sight.base + sight.tile * (size ? tiles(size) : TILES_MAX);
}

function limitOf({ limit, original = limit, originally }: Patches, detail: string | null): Limit {
  if (detail === "low") return LOW;
  const unsaid = detail === null || detail === "auto";
  return detail === "original" || (unsaid && originally) ? original : limit;
}

function tiles({ width, height }: Size): number {
  const fit = Math.min(1, LONG_MAX / Math.max(width, height, 1));
  const scale = fit * Math.min(1, SHORT_MAX / Math.max(1, Math.min(width, height) * fit));
  return Math.max(1, Math.ceil(Math.round(width * scale) / TILE)) * Math.max(1, Math.ceil(Math.round(height * scale) / TILE));
}

/** A picture of too many patches is scaled down until it has at most so many, whole ones along one edge. */
function patches({ width, height }: Size, { patches: most, edge }: Limit): number {
  const shrunk = Math.min(1, edge / Math.max(width, height, 1)) / PATCH;
  const [across, down] = [Math.max(1, width) * shrunk, Math.max(1, height) * shrunk];
  if (patchesOf(across) * patchesOf(down) <= most) return patchesOf(across) * patchesOf(down);
  const fit = Math.sqrt(most / (across * down));
  const whole = (side: number) => Math.floor(side * fit) / (side * fit);
  const scale = fit * Math.min(whole(across), whole(down));
  return Math.min(most, patchesOf(across * scale) * patchesOf(down * scale));
}

/** Patches along an edge; an edge that was scaled to whole ones may miss them by a rounding. */
function patchesOf(edge: number): number {
  return Math.max(1, Math.ceil(edge - 1e-9));
}
