import { inputTokens, isSurface, NO_USAGE, nanoCeil, outputTokens, type Surface, type Usage } from "#core";
import { type Bounds, type Price, type RateClass, receipt } from "#models";
import type { Ask, Reported } from "#wire";
import type { Draft } from "./contract.ts";

/** The class that tells whether a surface's model is billed by the piece, and those that tell that it is by tokens. */
const UNITS: Readonly<Record<Surface, { readonly piece: RateClass; readonly tokens: readonly RateClass[] }>> = {
  "images.generations": { piece: "image", tokens: ["image_output", "output"] },
  "images.edits": { piece: "image", tokens: ["image_output", "output"] },
  "images.variations": { piece: "image", tokens: ["image_output", "output"] },
  "audio.speech": { piece: "character", tokens: ["audio_output", "output"] },
  "audio.transcriptions": { piece: "second", tokens: ["audio_input"] },
  "audio.translations": { piece: "second", tokens: ["audio_input"] },
  moderations: { piece: "extra", tokens: ["input"] },
  rerank: { piece: "ranking", tokens: ["input"] },
};
const PIECES = ["images", "characters", "seconds", "rankings"] as const;

/** Whether a model's calls are billed by tokens: its row rates those and not the pieces. Where no row is its own, pieces are certain to be meant. */
function byTokens(price: Price, surface: Surface): boolean {
  const { piece, tokens } = UNITS[surface];
  const { rates } = price.row;
  const rated = tokens.some((name) => (rates[name] ?? null) !== null);
  return surface === "moderations" || (price.state !== "unknown" && (rates[piece] ?? null) === null && rated);
}

/** The most that a request may be billed for, in the units of its model. */
export function mostOf(ask: Ask, price: Price): Usage {
  if (!ask.extent || !isSurface(ask.capability)) return NO_USAGE;
  const { tokens, pieces } = ask.extent;
  return { ...NO_USAGE, ...(byTokens(price, ask.capability) ? tokens : pieces) };
}

/** What a surface's request may cost: its most, since nothing that is sent upstream could cap it. */
export function surfaceBounds(ask: Ask, price: Price, tableHash: string): Bounds {
  const most = mostOf(ask, price);
  const { total } = receipt(price, most, null, tableHash);
  const amount = { nano: nanoCeil(total), tokens: inputTokens(most) + outputTokens(most), requests: 1 };
  return {
    floor: amount,
    likely: amount,
    ceiling: amount,
    inputMax: inputTokens(most),
    outputMax: 0,
    choices: 1,
    inputFemto: total,
    outputFemto: 0n,
  };
}

/** More than twice what a request can come to, and then some, is taken for a fault of who reports it. */
const [SLACK_TOKENS, SLACK_PIECES] = [8_192, 60];
/** Nobody says more: what was heard lasted at least so long, whatever the file's header claims. */
const HEARD_TOKENS_PER_SECOND = 8;

interface SurfaceUsed {
  readonly usage: Usage;
  readonly status: "actual" | "estimated";
}

/** What a surface's request used, in the units of its model: what the provider says of them, else the most that it can have come to. */
export function surfaceUsed(draft: Draft, { usage, complete, outputTokens: said }: Reported): SurfaceUsed {
  const { ask, price } = draft;
  const tokens = byTokens(price, ask.capability as Surface);
  const most = mostOf(ask, price);
  const told = usage && inUnits(usage, tokens);
  if (told && credible(told, most)) return { usage: told, status: complete ? "actual" : "estimated" };
  if (ask.capability === "moderations" && price.state === "free") return { usage: NO_USAGE, status: "actual" };
  const certain = complete && ask.extent?.certain === true && !tokens;
  const seconds = most.seconds === 0 ? 0 : Math.max(most.seconds, Math.ceil(said / HEARD_TOKENS_PER_SECOND));
  return { usage: { ...most, seconds }, status: certain ? "actual" : "estimated" };
}

/** The part of a report that is billed; null where it tells nothing of that. */
function inUnits(usage: Usage, tokens: boolean): Usage | null {
  const pieces = Object.fromEntries(PIECES.map((name) => [name, usage[name]]));
  const part = tokens ? { ...usage, images: 0, characters: 0, seconds: 0, rankings: 0 } : { ...NO_USAGE, ...pieces };
  return Object.values(part).some((count) => count > 0) ? part : null;
}

function credible(told: Usage, most: Usage): boolean {
  const slack = (name: string) => (PIECES.some((piece) => piece === name) ? SLACK_PIECES : SLACK_TOKENS);
  return (Object.keys(told) as (keyof Usage)[]).every((name) => told[name] <= 2 * most[name] + slack(name));
}

/**
 * What raw sound used, which tells nothing of itself: the characters that were spoken, or so many tokens of sound by its length. Null
 * where the tokens are not known yet.
 */
export function soundUsed({ ask, price }: Draft, tokens: number | null): SurfaceUsed | null {
  const most = mostOf(ask, price);
  if (!byTokens(price, "audio.speech")) return { usage: most, status: ask.extent?.certain ? "actual" : "estimated" };
  return tokens === null ? null : { usage: { ...most, audioOutput: tokens }, status: "estimated" };
}
