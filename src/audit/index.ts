export { consume } from "./consumer.ts";
export { type AuditEvent, auditEvent, type Event, event, type RequestEvent, requestEvent } from "./contract.ts";
export { auditEntry, type AuditFacts } from "./entry.ts";
export {
  type Attribution,
  type AuditFilter,
  type AuditRow,
  type CostRow,
  getRecord,
  getRequest,
  type Listing,
  listRecords,
  listRequests,
  type Paging,
  type RequestRow,
  searchAudit,
} from "./records.ts";
export { pruneRequests } from "./retention.ts";
export { costSummary, type Summary, type SummaryQuery, type Sums } from "./summary.ts";
