import type { Call, Cost, CostEstimator, Expected, ModelCall } from "./contract.ts";
import { NO_COST } from "./flat.ts";
import { LearnedFactors } from "./learned.ts";
import { ANTHROPIC, OPENAI, PLAIN } from "./model.ts";
import type { TokenCounts } from "./tokens.ts";

/** Estimators of a deployment's own, by the name of a provider or a tool; given at composition and never changed after. */
export interface Registered {
  readonly providers?: Readonly<Record<string, CostEstimator>>;
  readonly tools?: Readonly<Record<string, CostEstimator>>;
}

const BUILT_IN: readonly CostEstimator[] = [OPENAI, PLAIN, ANTHROPIC];

/** What everything costs before it is done: finds the estimator of a call, and learns from what was reported after. */
export class Estimators {
  readonly #providers: ReadonlyMap<string, CostEstimator>;
  readonly #tools: ReadonlyMap<string, CostEstimator>;
  readonly #learned = new LearnedFactors();

  constructor({ providers = {}, tools = {} }: Registered = {}) {
    this.#providers = new Map(Object.entries(providers));
    this.#tools = new Map(Object.entries(tools));
  }

  /** The estimator registered for the call's provider or tool, else the built-in one of its dialect; a tool nobody priced costs nothing. */
  for(call: Call): CostEstimator {
    const own = call.operation === "tool.execute" ? this.#tools.get(call.tool) : this.#providers.get(call.provider);
    const fits = (estimator: CostEstimator) => estimator.capabilities.includes(call.operation);
    return own && fits(own) ? own : (BUILT_IN.find(fits) ?? NO_COST);
  }

  /** The input's tokens; the close count with what was learned of the model. */
  tokens(call: Call): TokenCounts {
    const counts = this.for(call).tokens(call);
    if (call.operation === "tool.execute") return counts;
    return { ...counts, close: Math.min(counts.strict, Math.ceil(counts.close * this.#learned.factor(nameOf(call)))) };
  }

  /** What the call is expected to cost. */
  estimate(call: Call, expected: Expected): Cost {
    return this.for(call).estimate(call, expected);
  }

  /** Takes a provider's report of a call's input tokens beside what had been estimated for it. */
  learn(call: ModelCall, estimated: TokenCounts, reported: number): void {
    if (!call.ask.uncountable) this.#learned.learn(nameOf(call), estimated.close, reported);
  }
}

function nameOf({ provider, model }: ModelCall): string {
  return `${provider}/${model}`;
}
