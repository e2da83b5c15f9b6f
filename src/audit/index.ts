export { type AuditEvent, auditEvent, type Event, event, type RequestEvent, requestEvent } from "./contract.ts";
