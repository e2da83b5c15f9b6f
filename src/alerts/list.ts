import { and, desc, eq, gte, lt } from "drizzle-orm";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import type { AlertRow } from "./contract.ts";
import type { DeliveryRow } from "./webhooks.ts";

const { alerts, webhookDeliveries } = tables;

/** Which alerts; times are milliseconds UTC, `from` inclusive, `to` exclusive. */
export interface AlertFilter {
  readonly type?: AlertRow["type"];
  readonly severity?: AlertRow["severity"];
  readonly team?: string;
  readonly key?: string;
  readonly subject?: string;
  readonly from?: number;
  readonly to?: number;
}

/** Alerts, newest first. */
export async function listAlerts(db: Db, filter: AlertFilter, { limit, cursor }: Paging): Promise<Page<AlertRow>> {
  const { type, severity, team, key, subject, from, to } = filter;
  const rows = await db
    .select()
    .from(alerts)
    .where(
      and(
        type && eq(alerts.type, type),
        severity && eq(alerts.severity, severity),
        team === undefined ? undefined : eq(alerts.team, team),
        key === undefined ? undefined : eq(alerts.key, key),
        subject === undefined ? undefined : eq(alerts.subjectId, subject),
        from === undefined ? undefined : gte(alerts.createdAt, from),
        to === undefined ? undefined : lt(alerts.createdAt, to),
        after(alerts, cursor),
      ),
    )
    .orderBy(desc(alerts.createdAt), desc(alerts.id))
    .limit(limit + 1);
  return paged(rows, limit);
}

/** What was sent to a webhook, or will be; newest first. */
export async function listDeliveries(db: Db, webhook: string, { limit, cursor }: Paging): Promise<Page<DeliveryRow>> {
  const rows = await db
    .select()
    .from(webhookDeliveries)
    .where(and(eq(webhookDeliveries.webhook, webhook), after(webhookDeliveries, cursor)))
    .orderBy(desc(webhookDeliveries.createdAt), desc(webhookDeliveries.id))
    .limit(limit + 1);
  return paged(rows, limit);
}
