import { alertsOf, alertsOfEntries, announce, doubtfulUsage, fire, sendDue, spendAnomalies } from "#alerts";
import { auditEntry, type Event } from "#audit";
import { nanoFromUsd } from "#core";
import type { Platform } from "#http";

/** The cron of wrangler.toml that alerts go by. */
export const EVERY_MINUTE = "* * * * *";

/**
 * Looks at events that have just been written for what somebody should know of. Alerts are kept before it ends, so that an event
 * which fails comes again; telling of them goes on beside.
 */
export async function watch(platform: Platform, events: readonly Event[], beside: (work: Promise<unknown>) => void): Promise<void> {
  const { db, now } = platform;
  const finished = events.filter((event) => event.kind === "request");
  const entries = events.filter((event) => event.kind === "audit");
  const found = [
    ...(await alertsOf(db, finished, (ledger, budgets) => platform.ledger(ledger).budgetStatus(budgets))),
    ...(await alertsOfEntries(db, entries)),
  ];
  const fired = await fire(db, found, now());
  if (fired > 0) beside(tell(platform));
}

/** What the clock does every minute: judges what takes more than one request to see, and sends what is due. */
export async function watchTheClock(platform: Platform): Promise<void> {
  const { db, config, now } = platform;
  const ordinary = { factor: config.TOLLGATE_ANOMALY_FACTOR, floor: nanoFromUsd(config.TOLLGATE_ANOMALY_USD, "TOLLGATE_ANOMALY_USD") };
  const found = await Promise.all([spendAnomalies(db, ordinary, now()), doubtfulUsage(db, config.TOLLGATE_USAGE_DOUBT_PERCENT, now())]);
  await fire(db, found.flat(), now());
  await tell(platform);
}

const ACTOR = { kind: "system", id: "alerts" } as const;

/** Tells the audit and the webhooks. The entry bears the alert's own id, so that one told twice stands there once. */
async function tell(platform: Platform): Promise<void> {
  const { db, events, now } = platform;
  await announce(db, async ({ id, type, severity, subjectKind, subjectId, team, key, data, createdAt }) => {
    const subject = { kind: subjectKind, id: subjectId };
    const entry = auditEntry(
      { type: `alert.${type}`, severity, actor: ACTOR, subject, team, key, at: createdAt, details: { alert: id, ...data } },
      now(),
    );
    await events.send({ ...entry, id: id.replace(/^alr/, "aud") });
  });
  await sendDue(platform);
}
