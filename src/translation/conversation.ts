import type { Usage } from "#core";
import type { Effort } from "./effort.ts";

/**
 * What the dialects say, in none of them. Everything that a dialect's request or answer means is one of these nouns; `at` is the path
 * of what it was read from, so that a dialect that cannot say it can name the caller's own field.
 */

/** A mark up to which the prompt is kept in the provider's cache; `ttl` is null for the vendor's own lifetime. */
export interface Mark {
  readonly ttl: "5m" | "1h" | null;
}

/** What a model thought, closed by its maker, so that the maker takes it back in a later turn and nobody else has to read it. */
export interface Seal {
  /** `chat` is a provider of Chat Completions that wants its reasoning back as it was, without any closing. */
  readonly maker: "anthropic" | "openai" | "chat";
  readonly data: string;
  /** OpenAI's reasoning items are known by an id. */
  readonly id?: string;
  /** Anthropic's redacted thinking: nothing of it can be shown. */
  readonly hidden?: boolean;
}

/** Where a picture's or document's content is. */
export type Source =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "data"; readonly mediaType: string; readonly base64: string };

/** A piece of text. */
export interface TextPart {
  readonly kind: "text";
  readonly text: string;
  readonly mark?: Mark;
  readonly at: string;
}

/** A picture; `detail` is OpenAI's word for how closely it is looked at. */
export interface ImagePart {
  readonly kind: "image";
  readonly source: Source;
  readonly detail?: string;
  readonly mark?: Mark;
  readonly at: string;
}

/** A document, by its content or its address. */
export interface DocumentPart {
  readonly kind: "document";
  readonly source: Source;
  readonly name?: string;
  readonly mark?: Mark;
  readonly at: string;
}

/** A call of a tool by the model; `input` is JSON text as the model wrote it, of a custom tool the text itself. */
export interface CallPart {
  readonly kind: "call";
  readonly id: string;
  readonly name: string;
  readonly input: string;
  readonly custom?: true;
  /** Where its tool stands; absent where names are one. */
  readonly namespace?: string;
  readonly mark?: Mark;
  readonly at: string;
}

/** What a tool gave back. */
export interface ResultPart {
  readonly kind: "result";
  readonly id: string;
  readonly parts: readonly (TextPart | ImagePart | DocumentPart)[];
  readonly failed: boolean;
  readonly mark?: Mark;
  readonly at: string;
}

/** What the model thought before it spoke. */
export interface ReasoningPart {
  readonly kind: "reasoning";
  readonly text: string;
  readonly seal: Seal | null;
  readonly at: string;
}

/** The model's words in place of an answer that it does not give. */
export interface RefusalPart {
  readonly kind: "refusal";
  readonly text: string;
  readonly at: string;
}

export type Part = TextPart | ImagePart | DocumentPart | CallPart | ResultPart | ReasoningPart | RefusalPart;

/** One turn. Results of tools stand in the user's. */
export interface Message {
  readonly role: "system" | "developer" | "user" | "assistant";
  readonly parts: readonly Part[];
  readonly at: string;
}

/** What a custom tool's text must match. */
export interface Grammar {
  readonly syntax: string;
  readonly definition: string;
}

/** Where a tool stands that the caller keeps in a namespace, and its name there. */
export interface Spaced {
  readonly namespace: string;
  readonly name: string;
}

/** A function that the client runs; `schema` describes its arguments. A custom one takes a text in their place. */
export interface Tool {
  readonly name: string;
  readonly description: string | null;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly strict: boolean | null;
  readonly custom?: { readonly grammar: Grammar | null };
  /** Where the caller keeps it; its name holds both then. */
  readonly spaced?: Spaced;
  readonly mark?: Mark;
  readonly at: string;
}

/** Which tools the model may or must call. */
export type ToolChoice =
  | { readonly kind: "auto" }
  | { readonly kind: "none" }
  | { readonly kind: "any" }
  | { readonly kind: "one"; readonly name: string };

/** The form that an answer must have. */
export type Format =
  | { readonly kind: "json" }
  | {
      readonly kind: "schema";
      readonly name: string | null;
      readonly description: string | null;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly strict: boolean | null;
    };

/** A request. What is null was not asked for. */
export interface Conversation {
  readonly model: string;
  readonly stream: boolean;
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice | null;
  /** Whether several tools may be called at once. */
  readonly parallel: boolean | null;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly stop: readonly string[];
  readonly effort: Effort | null;
  readonly format: Format | null;
  /** OpenAI's word for how much is said. */
  readonly verbosity: string | null;
  readonly endUser: string | null;
  readonly tier: "auto" | "standard" | null;
  /** What OpenAI's two dialects share and nobody else has, as it came; empty on the way to another vendor. */
  readonly kin: Readonly<Record<string, unknown>>;
}

/** Why a model stopped. */
export type Stop = "end" | "length" | "sequence" | "tools" | "refusal" | "pause" | "context";

/** A usage as the provider told it, and its cost where the gateway has put one in. */
export interface Told {
  readonly usage: Usage | null;
  readonly cost?: unknown;
  readonly costDetails?: unknown;
}

/** A whole answer. */
export interface Answer {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly Part[];
  readonly stop: Stop;
  /** The stop sequence that was met; null where the provider does not say which. */
  readonly sequence: string | null;
  readonly told: Told;
  readonly tier: string | null;
}

/** What a response of Responses says beside the answer itself. */
export interface Echo {
  /** The id by which it can be named: the gateway's, since a provider's of another dialect names nothing. */
  readonly id: string;
  /** Fields of the request that the response repeats. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A provider's own error, whatever envelope it came in. */
export interface Failure {
  readonly message: string;
  readonly type: string | null;
  readonly code: string | null;
  readonly param: string | null;
}

/** A part of an answer as it begins. */
export type Opening =
  | { readonly kind: "text" }
  | { readonly kind: "refusal" }
  | { readonly kind: "reasoning"; readonly seal: Seal | null }
  | { readonly kind: "call"; readonly id: string; readonly name: string; readonly custom?: true; readonly namespace?: string };

/**
 * What a stream says, one step at a time. One part is open at a time: `opened`, any number of `grew`, `closed`. A stream that was told
 * to its end has `ended` last, or `failed` where its provider reported an error; one that broke off has neither.
 */
export type Step =
  | { readonly kind: "begun"; readonly id: string; readonly model: string; readonly told: Told; readonly tier: string | null }
  | { readonly kind: "opened"; readonly part: Opening }
  | { readonly kind: "grew"; readonly text: string }
  | { readonly kind: "closed"; readonly seal?: Seal }
  | { readonly kind: "alive" }
  | { readonly kind: "ended"; readonly stop: Stop; readonly sequence: string | null; readonly told: Told; readonly tier: string | null }
  | { readonly kind: "failed"; readonly failure: Failure };
