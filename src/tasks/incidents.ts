import { auditEntry, type AuditEvent } from "#audit";
import type { Incident as RunnerIncident } from "#runner-protocol";
import type { Task, TaskNote } from "./contract.ts";

/** Something in a task that is a matter of security: as its runner saw it, as the gateway did, or as its end tells. */
export type Incident =
  | RunnerIncident
  /** Its credential was shown when it opened nothing any more. */
  | { readonly event: "credential_refused"; readonly reason: string }
  /** Its agent asked for a verdict that nobody could give. */
  | { readonly event: "question_refused"; readonly reason: "uncounted" | "unshowable" | "unasked" }
  | { readonly event: "oom"; readonly memory_peak_bytes: number | null }
  | { readonly event: "system_call_killed"; readonly exit_code: number };

/** What of an incident's task its entry names. */
type Whose = Pick<Task, "id" | "key" | "team">;

/** The audit entry of an incident. What can hardly be an agent's mistake is critical, and told at once: a way into a private network, a claim put to another use. */
export function incidentEntry({ id, key, team }: Whose, incident: Incident, at: number): AuditEvent {
  return auditEntry({
    type: "security_event",
    severity: isCritical(incident) ? "critical" : "warning",
    outcome: "denied",
    actor: { kind: "task", id },
    subject: { kind: "task", id },
    at,
    team,
    key,
    task: id,
    details: { ...incident },
  });
}

/** The event of an incident that the gateway saw; the same is the same event. */
export function incidentNote(incident: Incident, at: number): TaskNote {
  return { origin: `security:${JSON.stringify(incident)}`, at, type: "security", data: incident };
}

function isCritical(incident: Incident): boolean {
  return "reason" in incident && (incident.reason === "not_public" || incident.reason === "rebound");
}
