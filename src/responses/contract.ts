/** A JSON object as it was parsed. */
export type Json = Readonly<Record<string, unknown>>;

/** A response, or an item of one, that its provider keeps: whose it is, which nobody can ask the provider, as all tenants share its account. */
export interface Elsewhere {
  readonly v: 1;
  readonly at: "provider";
  readonly provider: string;
  /** Which of its credentials it was made with; null for its first. */
  readonly account: string | null;
}

/** A response that is kept here, since its provider keeps none. */
export interface Here {
  readonly v: 1;
  readonly at: "here";
  /** The response as its caller was told it. */
  readonly response: Json;
  /** All that the model was given, in its order and each with an id: the conversation before it and what it was asked. */
  readonly input: readonly Json[];
}

/** What is known under an id. */
export type Kept = Elsewhere | Here;
