import { and, lt, ne } from "drizzle-orm";
import { type Db, tables } from "#db";

const DAY_MS = 86_400_000;
const COUNTED_DAYS = 8;
const DELIVERIES_DAYS = 30;

/** Drops counts that no rule looks at any more, and deliveries that ended long ago. Alerts stay: they say what has been said. */
export async function forget(db: Db, now: number): Promise<void> {
  const { keyHours, usageChecks, webhookDeliveries: sent } = tables;
  await db.delete(keyHours).where(lt(keyHours.hour, now - COUNTED_DAYS * DAY_MS));
  await db.delete(usageChecks).where(lt(usageChecks.day, now - COUNTED_DAYS * DAY_MS));
  await db.delete(sent).where(and(ne(sent.status, "pending"), lt(sent.createdAt, now - DELIVERIES_DAYS * DAY_MS)));
}
