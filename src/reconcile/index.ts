export { amountOf } from "./amount.ts";
export { CAUSES, COUNTS, type Difference, type Figures, FORMATS, type Part, type Reconciliation } from "./contract.ts";
export { reconcile } from "./reconcile.ts";
