import type { Capability, Dialect, Usage } from "#core";

/** A member of the request's top-level object, by offsets into the text. */
export interface Member {
  readonly key: string;
  /** Offset of the key's opening quote. */
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A request body: the bytes as they came, the same as text, and where its top-level members stand. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly members: ReadonlyMap<string, Member>;
  /** Offset of the closing brace, where a new member is spliced in. */
  readonly end: number;
}

/** What the gateway must understand of a request; everything else passes as it came. */
export interface Ask {
  readonly capability: Capability;
  readonly dialect: Dialect;
  /** As the client wrote it. */
  readonly model: string;
  readonly stream: boolean;
  /** The client's own cap on output tokens; null where it set none or the dialect has none. */
  readonly maxOutput: { readonly name: string; readonly tokens: number } | null;
  /** How many answers were asked for (`n`, `best_of`); each may cost the whole output. */
  readonly choices: number;
  /** Chat only: the client asked for the usage chunk itself. */
  readonly wantsUsage: boolean;
  /** What the caller reports: OpenAI `user` / `safety_identifier`, Anthropic `metadata.user_id`. */
  readonly endUser: string | null;
  readonly serviceTier: string | null;
  /** Always at least the prompt's tokens as text: UTF-8 bytes of the body. */
  readonly promptBytes: number;
  /** True where the prompt holds what bytes do not bound (images, files or audio by URL or id, earlier responses by id). */
  readonly uncountable: boolean;
  readonly body: Body;
}

/** The closed list of edits the gateway makes to a request, each a splice of the original text. */
export interface Edits {
  readonly model?: string;
  readonly maxOutput?: { readonly name: string; readonly tokens: number };
  /** Chat only: ask the provider for the usage chunk. */
  readonly includeUsage?: boolean;
}

/** What an answer said of itself. */
export interface Reported {
  /** Null where the provider reported none. */
  readonly usage: Usage | null;
  readonly serviceTier: string | null;
  /** The stream reached its dialect's own end; always true of a JSON answer that parsed. */
  readonly complete: boolean;
  /** The provider itself reported an error in band. */
  readonly failed: boolean;
  /** UTF-8 bytes of generated text seen so far (content, reasoning and tool arguments): bounds the output tokens when usage never comes. */
  readonly outputBytes: number;
}
