/** The dialects that clients speak. */
export type Dialect =
  | "openai-chat"
  | "openai-responses"
  | "openai-completions"
  | "openai-embeddings"
  | "openai-images"
  | "openai-audio"
  | "openai-moderations"
  | "rerank"
  | "anthropic";

/** What is asked of models beside text for text; each is billed in units of its own. */
export const SURFACES = [
  "images.generations",
  "images.edits",
  "images.variations",
  "audio.speech",
  "audio.transcriptions",
  "audio.translations",
  "moderations",
  "rerank",
] as const;
export type Surface = (typeof SURFACES)[number];

/** What a request asks a provider to do; stands on the cost record. */
export type Capability = "chat.completions" | "completions" | "responses" | "embeddings" | "messages" | "count_tokens" | Surface;

const NO_TEXT_FOR_TEXT: ReadonlySet<Capability> = new Set(SURFACES);

/** Whether what is asked for is no text for text. */
export function isSurface(capability: Capability): capability is Surface {
  return NO_TEXT_FOR_TEXT.has(capability);
}

/** The two envelopes that errors come in. */
export type Envelope = "openai" | "anthropic";
