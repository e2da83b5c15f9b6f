export type * from "./contract.ts";
export { type BudgetRow, BudgetStore, type NewBudget } from "./store.ts";
export { type LedgerStub, ledgerOf } from "./stub.ts";
export { foresee } from "./foresee.ts";
