import type { AlertRow } from "./contract.ts";

/** An alert as lists and webhooks show it. */
export function alertShape(row: AlertRow) {
  return {
    id: row.id,
    object: "alert",
    type: row.type,
    severity: row.severity,
    created_at: new Date(row.createdAt).toISOString(),
    team: row.team,
    key: row.key,
    subject: { kind: row.subjectKind, id: row.subjectId },
    data: row.data,
  };
}
