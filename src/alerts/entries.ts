import { and, eq, gte, lt, type SQL } from "drizzle-orm";
import { type Db, tables } from "#db";
import type { Alert } from "./contract.ts";

const { auditEntries } = tables;
const HOUR_MS = 3_600_000;

/** One refusal is an agent's mistake; so many of one task within an hour are a pattern. */
const DENIALS = 5;

/** What is looked at of an audit entry. */
export interface Entry {
  readonly id: string;
  readonly at: number;
  readonly type: string;
  readonly severity: "info" | "warning" | "critical";
  readonly actor: { readonly kind: string; readonly id: string };
  readonly team: string | null;
  readonly key: string | null;
  readonly task: string | null;
  readonly request: string | null;
}

/**
 * What written audit entries give cause to say: whatever is critical, and refusals that are not but come again and again. Each once for
 * a task (without one for its key, then for who acted), type and hour.
 */
export async function alertsOfEntries(db: Db, entries: readonly Entry[]): Promise<Alert[]> {
  // An alert's own entry tells of it, and is no cause for another.
  const told = entries.filter(({ type }) => !type.startsWith("alert."));
  const critical = told.filter(({ severity }) => severity === "critical").map((entry) => alertOf(entry, {}));
  const denials = told.filter(({ type, severity }) => type === "permission_denied" && severity === "warning");
  const groups = Map.groupBy(denials, (entry) => JSON.stringify([subjectOf(entry), hourOf(entry)]));
  const repeated = await Promise.all([...groups.values()].map(([first]) => repeatedly(db, first!)));
  return [...critical, ...repeated.flat()];
}

async function repeatedly(db: Db, entry: Entry): Promise<Alert[]> {
  const hour = hourOf(entry);
  const within = and(gte(auditEntries.at, hour), lt(auditEntries.at, hour + HOUR_MS));
  const denials = await db.$count(auditEntries, and(whose(entry), eq(auditEntries.type, "permission_denied"), within));
  return denials < DENIALS ? [] : [alertOf(entry, { denials })];
}

function whose({ task, key, actor }: Entry): SQL {
  if (task !== null) return eq(auditEntries.task, task);
  return key === null ? eq(auditEntries.actorId, actor.id) : eq(auditEntries.key, key);
}

function subjectOf({ task, key, actor }: Entry) {
  if (task !== null) return { subjectKind: "task", subjectId: task } as const;
  return key === null ? ({ subjectKind: "actor", subjectId: actor.id } as const) : ({ subjectKind: "key", subjectId: key } as const);
}

function hourOf({ at }: Entry): number {
  return at - (at % HOUR_MS);
}

/** What an entry says stays in the audit: an alert leaves the deployment, and names the entry. */
function alertOf(entry: Entry, more: Readonly<Record<string, unknown>>): Alert {
  const { id, type: entryType, team, key, task, request } = entry;
  const data = { entry: id, entry_type: entryType, task, request, ...more };
  return { type: typeOf(entryType), severity: "critical", ...subjectOf(entry), threshold: 0, windowStart: hourOf(entry), team, key, data };
}

function typeOf(entryType: string): Alert["type"] {
  if (entryType === "permission_denied") return "permission.denied";
  return entryType === "security_event" ? "security.event" : "audit.critical";
}
