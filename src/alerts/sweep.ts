import { and, count, eq, gte, inArray, lt, sql, sum } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { type Nano, usdFromNano } from "#core";
import { type Db, tables } from "#db";
import type { Alert } from "./contract.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const USUAL_DAYS = 7;
/** Fewer hours than these say nothing of what is usual. */
const USUAL_HOURS_MIN = 3;
/** Fewer answers than these may differ by chance. */
const ANSWERS_MIN = 20;

/** From when on an hour's spend is out of the ordinary. */
export interface Ordinary {
  /** How many times the usual hour. */
  readonly factor: number;
  /** Less than this is nobody's concern. */
  readonly floor: Nano;
}

/**
 * Keys that spend more in this hour, or did in the last one, than so many times their usual hour: the mean of the hours of the seven
 * days before in which they were used at all.
 */
export async function spendAnomalies(db: Db, { factor, floor }: Ordinary, now: number): Promise<Alert[]> {
  const hour = now - (now % HOUR_MS);
  const { keyHours } = tables;
  const past = alias(keyHours, "past");
  const rows = await db
    .select({
      key: keyHours.key,
      hour: keyHours.hour,
      team: keyHours.team,
      nano: keyHours.nano,
      hours: count(past.hour),
      usual: sum(past.nano),
    })
    .from(keyHours)
    .innerJoin(
      past,
      and(eq(past.key, keyHours.key), gte(past.hour, sql`${keyHours.hour} - ${USUAL_DAYS * DAY_MS}`), lt(past.hour, keyHours.hour)),
    )
    .where(and(inArray(keyHours.hour, [hour, hour - HOUR_MS]), gte(keyHours.nano, floor)))
    .groupBy(keyHours.key, keyHours.hour)
    .having(gte(count(past.hour), USUAL_HOURS_MIN));
  return rows.flatMap((row) => {
    const usual = Math.ceil(Number(row.usual) / row.hours);
    if (row.nano <= factor * usual) return [];
    const { key, team, hour: windowStart, nano } = row;
    const data = { hour: new Date(windowStart).toISOString(), spent_usd: usdFromNano(nano), usual_usd: usdFromNano(usual), factor };
    return [
      { type: "spend.anomaly", severity: "critical", subjectKind: "key", subjectId: key, threshold: 0, windowStart, team, key, data },
    ];
  });
}

/**
 * Providers that say more output, by over `percent`, than was counted here, on the mean of a day's answers of a model. Only more: what
 * is counted here is a guess that runs too high for many languages and rarely too low (docs/guides/alerts.md).
 */
export async function doubtfulUsage(db: Db, percent: number, now: number): Promise<Alert[]> {
  const { usageChecks } = tables;
  const today = now - (now % DAY_MS);
  const rows = await db
    .select()
    .from(usageChecks)
    .where(and(gte(usageChecks.day, today - DAY_MS), gte(usageChecks.answers, ANSWERS_MIN)));
  return rows
    .filter(({ reported, own }) => reported * 100 > own * (100 + percent))
    .map(({ day, provider, model, answers, reported, own }) => ({
      type: "usage.doubtful",
      severity: "warning",
      subjectKind: "model",
      subjectId: `${provider}/${model}`,
      threshold: 0,
      windowStart: day,
      team: null,
      key: null,
      data: { provider, model, day: new Date(day).toISOString().slice(0, 10), answers, reported_output: reported, counted_output: own },
    }));
}
