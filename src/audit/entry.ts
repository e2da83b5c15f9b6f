import { newId } from "#core";
import type { AuditEvent } from "./contract.ts";

/** What a room says of something that happened; the rest has a default. */
export type AuditFacts = Pick<AuditEvent, "type" | "actor"> & Partial<Omit<AuditEvent, "v" | "kind" | "id" | "type" | "actor">>;

const SECRET_NAME = /secret|password|authorization|credential|digest|pepper|^token$|(^|[_-])token$|[a-z]Token$|api_?key/i;
const SECRET_TEXT = /\b(?:sk-[A-Za-z0-9_-]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*|AIza[\w-]{20,})|\bBearer\s+\S+/g;
const MASK = "[redacted]";
const DEPTH_MAX = 12;

/** An audit entry ready for the queue: secrets are masked in `before`, `after` and `details`, whatever the writer passed. */
export function auditEntry(facts: AuditFacts, nowMs: number = Date.now()): AuditEvent {
  const at = facts.at ?? nowMs;
  return {
    v: 1,
    kind: "audit",
    id: newId("aud", at),
    severity: "info",
    outcome: "ok",
    subject: null,
    team: null,
    key: null,
    request: null,
    task: null,
    ...facts,
    at,
    before: masked(facts.before ?? null, 0),
    after: masked(facts.after ?? null, 0),
    details: Object.fromEntries(Object.entries(facts.details ?? {}).map(([name, value]) => [name, maskedField(name, value, 0)])),
  };
}

/** A text under a secret's name goes whole; a structure under it is searched, so that `{set, last4}` stays readable. */
function maskedField(name: string, value: unknown, depth: number): unknown {
  return typeof value === "string" && SECRET_NAME.test(name) ? MASK : masked(value, depth + 1);
}

function masked(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.replace(SECRET_TEXT, MASK);
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEPTH_MAX) return MASK;
  if (Array.isArray(value)) return value.map((item) => masked(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, maskedField(name, item, depth)]));
}
