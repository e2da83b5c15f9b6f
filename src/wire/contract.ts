import type { Capability, Dialect, Usage } from "#core";
import type { FormPart } from "./form.ts";

/** A request body: the bytes as they came, the same as text, and what the text says. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** The parts of a form, whose plain fields `text` and `value` hold as JSON would; absent for a body that is JSON. */
  readonly form?: readonly FormPart[];
}

/** How much of what is no text for text a request may be billed for at the most, counted in each of the ways in which vendors bill it. */
export interface Extent {
  readonly pieces: Partial<Usage>;
  readonly tokens: Partial<Usage>;
  /** The pieces are no guess: the provider bills what stands in the request. */
  readonly certain: boolean;
}

/** One cap on output tokens as the client wrote it. */
export interface OutputCap {
  readonly name: string;
  readonly tokens: number;
}

/** What the gateway must understand of a request; everything else passes as it came. */
export interface Ask {
  readonly capability: Capability;
  readonly dialect: Dialect;
  /** As the client wrote it. */
  readonly model: string;
  readonly stream: boolean;
  /** Every cap that the client set, under whichever of its dialect's names; empty where it set none or the dialect has none. */
  readonly outputCaps: readonly OutputCap[];
  /** How many answers were asked for (`n`, `best_of`, several prompts); each may cost the whole output. */
  readonly choices: number;
  /** Chat and completions: the client asked for the usage chunk itself. */
  readonly wantsUsage: boolean;
  /** What the caller reports: OpenAI `user` or `safety_identifier`, Anthropic `metadata.user_id`. */
  readonly endUser: string | null;
  readonly serviceTier: string | null;
  /** Always at least the prompt's tokens as text: UTF-8 bytes of the body. */
  readonly promptBytes: number;
  /** True where the prompt holds what its bytes do not bound: images, files, audio, hosted tools, earlier responses by id. */
  readonly uncountable: boolean;
  /** Tools are offered; providers add hidden instructions for them. */
  readonly tools: boolean;
  /** Null for text for text. */
  readonly extent: Extent | null;
  /** What it goes on from; absent where it stands alone. */
  readonly resumed?: Resumed;
  readonly body: Body;
}

/** A provider, and which of its accounts: null for its first. */
export interface Holder {
  readonly provider: string;
  readonly account: string | null;
}

/** What a request of Responses goes on from. */
export interface Resumed {
  /** The id by which it was named; null where only items were. */
  readonly from: string | null;
  /** The provider that keeps it and alone can go on with it; null where it stands in the request itself. */
  readonly heldBy: Holder | null;
}

/** The closed list of edits the gateway makes to a request, each a splice of the original text. */
export interface Edits {
  readonly model?: string;
  /** Every cap above `tokens` is cut to it; where the client set none, one is put in under `name`. */
  readonly outputCap?: OutputCap;
  /** Chat and completions: ask the provider for the usage chunk. */
  readonly includeUsage?: boolean;
}

/** What an answer said of itself. */
export interface Reported {
  /** Null where the provider reported none. */
  readonly usage: Usage | null;
  readonly serviceTier: string | null;
  /** The stream reached its dialect's own end; true of a JSON answer that parsed. */
  readonly complete: boolean;
  /** The provider itself reported an error in band. */
  readonly failed: boolean;
  /** The provider tells counts that it does not bill: Anthropic's of a request that it refused before a word. */
  readonly unbilled: boolean;
  /** Output tokens by our own count of the text seen: one for each short delta, a quarter of the bytes of a longer text. */
  readonly outputTokens: number;
}

/** A cost as it is put into an answer's usage: USD as decimal text, and the same by class. */
export interface ShownCost {
  readonly cost: string;
  readonly details: Readonly<Record<string, string>>;
}
