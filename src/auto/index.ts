export { AUTO, type AutoTable, type Candidate, type Decision, type Features, type Out } from "./contract.ts";
export { decide, reasonOf } from "./decide.ts";
export { readFeatures } from "./features.ts";
export { AutoStore, type StoredTable } from "./store.ts";
export { autoTable, BUILT_IN } from "./table.ts";
