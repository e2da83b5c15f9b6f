export { larger, lesser } from "./amount.ts";
export type * from "./contract.ts";
export { type BudgetRow, BudgetStore, type NewBudget } from "./store.ts";
export { foresee } from "./foresee.ts";
export { refusalError } from "./refusal-error.ts";
export { type LedgerRemote, type LedgerStub, ledgerOf } from "./stub.ts";
export { WiderScopes } from "./wider.ts";
export { Tills } from "./till.ts";
