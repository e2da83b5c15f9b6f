import type { Fields } from "#core";
import type { Extent } from "./contract.ts";
import { readCount, readText, wrong } from "./fields.ts";
import { secondsMax, secondsOf } from "./sound.ts";

/** How much requests may be billed for that are no text for text: what they show, taken above where it leaves a choice. */

/** A file of a form. */
export interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();

/** Bytes of a value's text, of which its tokens are never more. */
export function bytesOf(value: unknown): number {
  return value === undefined || value === null ? 0 : encoder.encode(typeof value === "string" ? value : JSON.stringify(value)).byteLength;
}

/** A form's name for one of several: `image[]` is an image. */
export function bare(name: string): string {
  return name.replace(/\[\d*\]$/, "");
}

const PICTURES_MAX = 1_000;
/** A picture that is sent along, with the tokens that drawing true to it adds: OpenAI documents up to 6,240 of them. */
const SEEN_TOKENS = 8_192;
/** What each picture that is shown half drawn adds (OpenAI's guide to image generation). */
const PARTIAL_TOKENS = 100;
/**
 * A picture's tokens grow with the square of its quality's factor and with its area, as OpenAI's calculator has them for low, medium and
 * high (16, 48, 96); the first is taken higher since older models draw it with more, and those above high are not published.
 */
const QUALITY: Readonly<Record<string, number>> = { low: 24, medium: 48, standard: 48, high: 96, hd: 96, xhigh: 144, max: 192, auto: 144 };
const QUALITY_MAX = 192;
const [OFFSET_PIXELS, SCALE_PIXELS] = [2_000_000, 4_000_000];
/** The largest of the usual sizes, which a model left to choose takes, and the largest of all. */
const [USUAL_PIXELS, PIXELS_MAX] = [1_536 * 1_024, 8_294_400];

/** Where a JSON request links or holds the pictures that it sends along. */
const SEEN = ["images", "image", "mask", "markup"] as const;

/** Pictures to be made, after others or not. */
export function pictures(fields: Fields, files: readonly File[]): Extent {
  if ((fields["svg"] ?? null) !== null || fields["output_format"] === "svg")
    throw wrong("svg", "is not offered: a second model, which is named within it, draws at rates of its own");
  const count = (name: string, least: number) => {
    const value = readCount(fields, name, least) ?? least;
    if (value > PICTURES_MAX) throw wrong(name, `must be at most ${PICTURES_MAX}`);
    return value;
  };
  const [asked, frames, partial] = [count("n", 1), count("frame_count", 1), count("partial_images", 0)];
  const linked = SEEN.flatMap((name) => fields[name] ?? []).length;
  const output = asked * (frames * tokensOf(readText(fields, "quality"), readText(fields, "size")) + partial * PARTIAL_TOKENS);
  const input = bytesOf(fields["prompt"]);
  return {
    pieces: { images: asked },
    tokens: { input, imageInput: (files.length + linked) * SEEN_TOKENS, imageOutput: output },
    certain: false,
  };
}

function tokensOf(quality: string | null, size: string | null): number {
  const factor = QUALITY[quality ?? "auto"] ?? QUALITY_MAX;
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size ?? "") ?? [];
  const pixels = width && height ? Number(width) * Number(height) : (size ?? "auto") === "auto" ? USUAL_PIXELS : PIXELS_MAX;
  return Math.ceil((factor * factor * (OFFSET_PIXELS + Math.max(USUAL_PIXELS, pixels))) / SCALE_PIXELS);
}

/** 12 USD a million tokens are 0.015 USD a minute, as OpenAI lists both for one voice. */
const SPOKEN_TOKENS_PER_MINUTE = 1_250;
/** Nobody speaks slower: half a second for each character, in any script. */
const SECONDS_PER_CHARACTER = 0.5;
const SLOWEST = 0.25;

/** Tokens of so much sound that a model speaks. */
export function spokenTokens(seconds: number): number {
  return Math.ceil(Number(((seconds * SPOKEN_TOKENS_PER_MINUTE) / 60).toFixed(6)));
}

/** A text to be spoken. */
export function spoken(fields: Fields): Extent {
  const { input, speed = 1 } = fields;
  if (typeof input !== "string") throw wrong("input", "must be a string");
  if (typeof speed !== "number" || !(speed > 0)) throw wrong("speed", "must be a positive number");
  const seconds = (input.length * SECONDS_PER_CHARACTER) / Math.max(SLOWEST, speed);
  return {
    pieces: { characters: input.length },
    tokens: { input: bytesOf(input) + bytesOf(fields["instructions"]), audioOutput: spokenTokens(seconds) },
    // Whether a character outside the plane of most is one or two, vendors do not say.
    certain: !/[\ud800-\udfff]/.test(input),
  };
}

/** A second heard is ten tokens or less of sound (OpenAI's guide to audio), and at most as many of text. */
const HEARD_TOKENS_PER_SECOND = 20;
/** Sound that is not packed at all: what a file's header claims beyond is not believed. */
const BYTES_PER_SECOND_MAX = 192_000;
/** A voice to be known again may be sent along in so much sound. */
const REFERENCE_SECONDS = 10;
const REFERENCES = "known_speaker_references";

/** A file of sound to be written down. */
export function heard(fields: Fields, files: readonly File[]): Extent {
  const file = files.find(({ name }) => name === "file");
  const other = files.find((each) => each !== file);
  if (other) throw wrong(other.name, "is a file that is not asked for");
  if (!file) throw wrong("file", "must be a file");
  const told = secondsOf(file.bytes);
  const own = told === null ? secondsMax(file.bytes.length) : Math.max(told, file.bytes.length / BYTES_PER_SECOND_MAX);
  const references = Object.keys(fields).some((name) => bare(name) === REFERENCES) ? 4 * REFERENCE_SECONDS : 0;
  const seconds = Math.ceil(own + references);
  const tokens = seconds * HEARD_TOKENS_PER_SECOND;
  return { pieces: { seconds }, tokens: { audioInput: tokens, input: bytesOf(fields["prompt"]), output: tokens }, certain: false };
}

/** Cohere splits what is longer than 510 tokens, and bills a search for each hundred pieces. */
const [CHUNK_BYTES, CHUNKS_PER_SEARCH] = [510, 100];

/** Documents to be ranked. Some vendors read the question with each of them. */
export function ranked({ query, documents }: Fields): Extent {
  if (!Array.isArray(documents) || documents.length === 0) throw wrong("documents", "must be a list of at least one document");
  const sizes = documents.map(bytesOf);
  const chunks = sizes.reduce((sum, size) => sum + Math.max(1, Math.ceil(size / CHUNK_BYTES)), 0);
  const input = sizes.reduce((sum, size) => sum + size + bytesOf(query), 0);
  return { pieces: { rankings: Math.ceil(chunks / CHUNKS_PER_SEARCH) }, tokens: { input }, certain: false };
}
