export { type Attribution } from "./attribution.ts";
export { type AuditChain, auditChainOf, sealEntries } from "./chain-stub.ts";
export { consume } from "./consumer.ts";
export { type AuditEvent, type Event, type PolicyDecision, type RequestEvent } from "./contract.ts";
export { appendCorrections, type Correction } from "./corrections.ts";
export { auditEntry, type AuditFacts } from "./entry.ts";
export {
  type CostRow,
  CURRENT,
  getRecord,
  getRequest,
  listCurrent,
  listRecords,
  listRequests,
  recordsOf,
  type RequestRow,
} from "./records.ts";
export { type AuditRow, searchAudit } from "./search.ts";
export type { Head } from "./seals.ts";
export { pruneRequests } from "./retention.ts";
export { costSummary, type Sums } from "./summary.ts";
export { toolCallEntries } from "./tool-calls.ts";
export { type Fault, verifyAudit } from "./verify.ts";
export { type Histogram, traffic } from "./traffic.ts";
