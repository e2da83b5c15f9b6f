import { clockTime, isZone, wallTime } from "./clock.ts";
import { isRecord } from "./read.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The facts that tell the time, and how the gateway tells each. */
const TOLD = { time: wallTime, clock: clockTime } as const;

/**
 * The context of a policy's own test with its time told as the gateway would tell it: of a moment, given as `now` or `iso`, the parts are those
 * of the zone that the test's settings name. Parts that are given stand. @returns a sentence where a moment or a zone is none.
 */
export function withTime(context: Fields, settings: Fields, schema: Fields): Fields | string {
  let whole: Fields | string = context;
  for (const fact of ["time", "clock"] as const) if (typeof whole !== "string") whole = withFact(whole, fact, { settings, schema });
  return whole;
}

function withFact(
  context: Fields,
  fact: keyof typeof TOLD,
  { settings, schema }: { readonly settings: Fields; readonly schema: Fields },
): Fields | string {
  const { [fact]: time } = context;
  if (!isRecord(time)) return context;
  const zone = settings["time_zone"] ?? defaultOf(schema) ?? "UTC";
  if (typeof zone !== "string" || !isZone(zone)) return `the setting time_zone is no zone: ${JSON.stringify(zone)}`;
  const now = momentOf(time);
  if (now === null) return context;
  if (Number.isNaN(now)) return `${fact}: now must be milliseconds, iso a moment such as 2026-01-04T09:00:00+09:00`;
  const { iso: _, ...given } = time;
  const told = TOLD[fact](now, zone);
  // Of a clock's moment the parts that it does not show are as it tells them.
  return { ...context, [fact]: fact === "clock" ? { ...told, ...given, now: told.now, second: 0 } : { ...told, ...given } };
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
