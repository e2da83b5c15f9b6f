import { asc, eq, inArray, sql } from "drizzle-orm";
import { newId } from "#core";
import { type Db, tables } from "#db";
import type { Alert, AlertRow } from "./contract.ts";

const { alerts, webhooks, webhookDeliveries } = tables;

/** D1 takes at most a hundred parameters, of which an alert needs twelve. */
const ROWS_PER_STATEMENT = 8;
const ANNOUNCED_AT_ONCE = 100;

/**
 * Keeps those alerts that are news, each with a delivery to every webhook that wants it, in one transaction: an alert that is there
 * already has had its own. Answers how many were news.
 */
export async function fire(db: Db, found: readonly Alert[], now: number): Promise<number> {
  const distinct = [...Map.groupBy(found, nameOf).values()].map(([first]) => first!);
  let fired = 0;
  for (let at = 0; at < distinct.length; at += ROWS_PER_STATEMENT) {
    fired += await fireSome(db, distinct.slice(at, at + ROWS_PER_STATEMENT), now);
  }
  return fired;
}

function nameOf({ type, subjectKind, subjectId, threshold, windowStart }: Alert): string {
  return JSON.stringify([type, subjectKind, subjectId, threshold, windowStart]);
}

async function fireSome(db: Db, some: readonly Alert[], now: number): Promise<number> {
  const rows = some.map((each) => ({ ...each, id: newId("alr", now), audited: false, createdAt: now }));
  const [fired] = await db.batch([
    db.insert(alerts).values(rows).onConflictDoNothing().returning({ id: alerts.id }),
    addressed(
      db,
      rows.map(({ id }) => id),
    ),
  ]);
  return fired.length;
}

/** A delivery for each of the alerts and each webhook that wants it; the id of one that was no news names no alert, and so gets none. */
function addressed(db: Db, ids: readonly string[]) {
  const wanted = sql`(json_array_length(${webhooks.events}) = 0 or ${alerts.type} in (select value from json_each(${webhooks.events})))`;
  const chosen = sql`select 'dlv' || substr(${alerts.id}, 4) || substr(${webhooks.id}, 4), ${webhooks.id}, ${alerts.id}, 'pending', 0,
    ${alerts.createdAt}, null, null, ${alerts.createdAt}, null
    from ${alerts} join ${webhooks} on ${webhooks.status} = 'active' and ${wanted}
    where ${alerts.id} in (select value from json_each(${JSON.stringify(ids)}))`;
  return db.insert(webhookDeliveries).select(chosen);
}

/**
 * Hands alerts that the audit has not been told of to `tell`, and notes it. What is lost between the two is told again, so `tell`
 * must take the alert's id for its own.
 */
export async function announce(db: Db, tell: (alert: AlertRow) => Promise<void>): Promise<void> {
  const news = await db.select().from(alerts).where(eq(alerts.audited, false)).orderBy(asc(alerts.createdAt)).limit(ANNOUNCED_AT_ONCE);
  if (news.length === 0) return;
  for (const alert of news) await tell(alert);
  const ids = JSON.stringify(news.map(({ id }) => id));
  await db
    .update(alerts)
    .set({ audited: true })
    .where(inArray(alerts.id, sql`(select value from json_each(${ids}))`));
}
