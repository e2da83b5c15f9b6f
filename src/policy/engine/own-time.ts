import { isZone, wallTime } from "./clock.ts";
import { isRecord } from "./read.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * The context of a policy's own test with its time told as the gateway would tell it: of a moment, given as `now` or `iso`, the parts are those
 * of the zone that the test's settings name. Parts that are given stand. @returns a sentence where a moment or a zone is none.
 */
export function withTime(context: Fields, settings: Fields, schema: Fields): Fields | string {
  const { time } = context;
  if (!isRecord(time)) return context;
  const zone = settings["time_zone"] ?? defaultOf(schema) ?? "UTC";
  if (typeof zone !== "string" || !isZone(zone)) return `the setting time_zone is no zone: ${JSON.stringify(zone)}`;
  const now = momentOf(time);
  if (now === null) return context;
  if (Number.isNaN(now)) return "time: now must be milliseconds, iso a moment such as 2026-01-04T09:00:00+09:00";
  const { iso: _, ...given } = time;
  return { ...context, time: { ...wallTime(now, zone), ...given } };
}

/** Milliseconds; null where no moment is given. */
function momentOf({ now, iso }: Fields): number | null {
  if (now !== undefined) return typeof now === "number" && Number.isFinite(now) ? now : Number.NaN;
  if (iso === undefined || iso === "") return null;
  return typeof iso === "string" ? Date.parse(iso) : Number.NaN;
}

function defaultOf({ properties }: Fields): unknown {
  const property = isRecord(properties) ? properties["time_zone"] : undefined;
  return isRecord(property) ? property["default"] : undefined;
}
