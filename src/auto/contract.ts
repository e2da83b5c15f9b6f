import type { Capability } from "#core";

/** A name that a caller sends in the place of a model's, to have one chosen. */
export const AUTO = "auto";

/** What is read of a request to choose a model for it; spelt as in the API, since rules and explanations name them so. */
export interface Features {
  readonly operation: Capability;
  /** By estimate. */
  readonly input_tokens: number;
  /** The most that the caller lets the answer hold; null where it does not say. */
  readonly max_output_tokens: number | null;
  readonly messages: number;
  readonly tools: number;
  readonly images: number;
  readonly files: number;
  readonly audio: number;
  /** The latest messages hold code, or speak of it. */
  readonly code: boolean;
  /** Of what the user said last: a BCP 47 tag, `und` where it cannot be told. */
  readonly language: string;
  /** The caller asks for reasoning. */
  readonly reasoning: boolean;
  /** The caller asks for JSON. */
  readonly structured: boolean;
  readonly stream: boolean;
  /** Of the tightest budget in USD that binds the key; null where none does. */
  readonly budget_left_percent: number | null;
}

/** A number within bounds, each inclusive; true means more than none. */
export type Amount = boolean | { readonly min?: number | undefined; readonly max?: number | undefined };

/** What must hold of a request, all of it; what is not named may be anything. */
export interface Condition {
  readonly operation?: readonly string[] | undefined;
  readonly input_tokens?: Amount | undefined;
  readonly max_output_tokens?: Amount | undefined;
  readonly messages?: Amount | undefined;
  readonly tools?: Amount | undefined;
  readonly images?: Amount | undefined;
  readonly files?: Amount | undefined;
  readonly audio?: Amount | undefined;
  readonly code?: boolean | undefined;
  readonly language?: readonly string[] | undefined;
  readonly reasoning?: boolean | undefined;
  readonly structured?: boolean | undefined;
  readonly stream?: boolean | undefined;
  readonly budget_left_percent?: Amount | undefined;
}

/** Where requests of a kind go. */
export interface Rule {
  readonly name: string;
  readonly when: Condition;
  readonly tier: string;
}

/** Models that are as good as each other, the preferred first: `provider/model`, or an alias. */
export interface Tier {
  readonly name: string;
  readonly models: readonly string[];
}

/** How models are chosen: the first rule that matches names a tier. */
export interface AutoTable {
  /** From the weakest to the strongest. */
  readonly tiers: readonly Tier[];
  readonly rules: readonly Rule[];
  /** The tier of what no rule matches. */
  readonly otherwise: string;
}

/** A rule held against a request. */
export interface Tried {
  readonly name: string;
  readonly matched: boolean;
  readonly reason: string;
}

/** Why a model cannot take a request. */
export interface Out {
  readonly code:
    | "unknown_provider"
    | "unknown_model"
    | "no_credential"
    | "not_allowed"
    | "not_offered"
    | "not_expressible"
    | "unknown_price"
    | "too_long"
    | "over_budget"
    | "over_max_cost"
    | "not_meant";
  readonly message: string;
}

/** A model held against a request. */
export interface Candidate {
  readonly model: string;
  /** Null for what is at hand beside the table. */
  readonly tier: string | null;
  readonly out: Out | null;
}

/** What was chosen for a request, and all that led there. */
export interface Decision {
  readonly features: Features;
  /** Up to the one that matched. */
  readonly rules: readonly Tried[];
  /** The rule that matched; null where none did. */
  readonly rule: string | null;
  readonly tier: string;
  /** Up to the last that is of use; all that there are, where all were asked for. */
  readonly candidates: readonly Candidate[];
  /** Null where none can take it. */
  readonly model: string | null;
  /** What can take it as well, of the same tier, in order: gone on to where the chosen one fails. */
  readonly spares: readonly string[];
}
