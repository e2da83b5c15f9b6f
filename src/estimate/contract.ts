import type { Capability, Femto, Usage } from "#core";
import type { Ask } from "#wire";
import type { TokenCounts } from "./tokens.ts";

/** What can be estimated: a model's answer, or the run of a tool. */
export type Operation = Capability | "tool.execute";

/** One line of a cost: quantity times rate over `per` is `usd`, exactly. */
export interface CostLine {
  readonly class: string;
  readonly quantity: number;
  readonly rate: string;
  readonly per: number;
  readonly usd: string;
}

/** What something costs, and the arithmetic: the lines' sum is `total`. */
export interface Cost {
  readonly total: Femto;
  readonly lines: readonly CostLine[];
}

/** A call to a model. */
export interface ModelCall {
  readonly operation: Capability;
  readonly provider: string;
  readonly model: string;
  readonly ask: Ask;
}

/** The run of a tool. */
export interface ToolCall {
  readonly operation: "tool.execute";
  readonly tool: string;
}

export type Call = ModelCall | ToolCall;

/** What an estimator is given beside the call: prices are the caller's business. */
export interface Expected {
  readonly tokens: TokenCounts;
  /** Output tokens that the call is expected to come to. */
  readonly outputTokens: number;
  /** Prices a usage at the call's price row. */
  readonly charge: (usage: Usage) => Cost;
}

/** Says what a call will cost before it is made, and what it did cost after. Pure: it keeps nothing between two calls. */
export interface CostEstimator {
  readonly name: string;
  /** What it can estimate; for any other operation the registry asks another one. */
  readonly capabilities: readonly Operation[];
  /** Whether `actual` follows what was reported; where not, it repeats the estimate. */
  readonly supportsActualCost: boolean;
  /** The input's tokens, before anything is sent. */
  tokens(call: Call): TokenCounts;
  estimate(call: Call, expected: Expected): Cost;
  /** `reported` is null where nobody reported a usage. */
  actual(call: Call, expected: Expected, reported: Usage | null): Cost;
}
