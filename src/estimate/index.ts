export type { Call, Cost, CostEstimator, Expected, ModelCall } from "./contract.ts";
export { Estimators } from "./estimators.ts";
export { Features } from "./features.ts";
export { fixedCost, NO_COST } from "./flat.ts";
export { type TokenCounts, tokensOf } from "./tokens.ts";
