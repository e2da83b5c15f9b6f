import { tokensOf } from "./turn.ts";

const DIMENSIONS = 64;

/** A unit vector that depends on the text alone: character counts hashed into buckets. */
function vectorOf(text: string, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => 0);
  let hash = 2166136261;
  for (const character of ` ${text}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619) >>> 0;
    const at = hash % dimensions;
    vector[at] = (vector[at] ?? 0) + 1;
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function base64Of(vector: readonly number[]): string {
  return btoa(String.fromCharCode(...new Uint8Array(new Float32Array(vector).buffer)));
}

function inputsOf(input: unknown): string[] {
  if (!Array.isArray(input)) return [String(input)];
  return typeof input[0] === "number" ? [input.join(" ")] : input.map(String);
}

/** OpenAI Embeddings: deterministic vectors, as floats or base64. */
export function embed(body: Readonly<Record<string, unknown>>, model: string): unknown {
  const texts = inputsOf(body["input"]);
  const asked = body["dimensions"];
  const dimensions = typeof asked === "number" && asked >= 1 && asked <= 4096 ? Math.floor(asked) : DIMENSIONS;
  const data = texts.map((text, index) => {
    const vector = vectorOf(text, dimensions);
    return { object: "embedding", index, embedding: body["encoding_format"] === "base64" ? base64Of(vector) : vector };
  });
  const tokens = texts.reduce((sum, text) => sum + tokensOf(text).length, 0);
  return { object: "list", data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}
