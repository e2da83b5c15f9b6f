import { femtoFromNano, type Nano, SURFACES, usdFromNano } from "#core";
import type { Cost, CostEstimator, Operation } from "./contract.ts";
import type { TokenCounts } from "./tokens.ts";

const NO_TOKENS: TokenCounts = { strict: 0, tight: 0, close: 0 };
const NOTHING: Cost = { total: 0n, lines: [] };

/** Every operation, for estimators whose cost hangs on none. */
const ANY: readonly Operation[] = [
  "chat.completions",
  "completions",
  "responses",
  "embeddings",
  "messages",
  "count_tokens",
  ...SURFACES,
  "tool.execute",
];

/** For what costs nothing, whatever is done with it. */
export const NO_COST: CostEstimator = {
  name: "no-cost",
  capabilities: ANY,
  supportsActualCost: true,
  tokens: () => NO_TOKENS,
  estimate: () => NOTHING,
  actual: () => NOTHING,
};

/** For what costs the same each time: so many nano-USD per call. */
export function fixedCost(nano: Nano): CostEstimator {
  const usd = usdFromNano(nano);
  const cost: Cost = { total: femtoFromNano(nano), lines: [{ class: "call", quantity: 1, rate: usd, per: 1, usd }] };
  return {
    name: "fixed-cost",
    capabilities: ANY,
    supportsActualCost: false,
    tokens: () => NO_TOKENS,
    estimate: () => cost,
    actual: () => cost,
  };
}
