/** A moment as a clock on a wall tells it: there is no calendar where policies run. */
export interface WallTime {
  /** Milliseconds UTC. */
  readonly now: number;
  readonly iso: string;
  readonly time_zone: string;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** 1 is Monday, 7 is Sunday. */
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTE_MS = 60_000;

/** What a wall's clock shows for a whole minute. */
type Minute = Omit<WallTime, "now" | "iso" | "second">;

/** A zone: how its time is told, its own name, and the minute that was asked for last. */
interface Zone {
  readonly format: Intl.DateTimeFormat;
  readonly name: string;
  last: { readonly from: number; readonly shown: Minute } | null;
}

const zones = new Map<string, Zone>();
/** More zones than there are; what else is asked for by mistake fills no memory. */
const ZONES_MAX = 600;
/** Zones differ by whole minutes since; before, some clocks went by the sun. */
const WHOLE_MINUTES_SINCE = Date.UTC(1973);

/** The time in a zone; in UTC where the zone is none. */
export function wallTime(now: number, timeZone: string): WallTime {
  const zone = zoneOf(timeZone) ?? zoneOf("UTC")!;
  const iso = new Date(now).toISOString();
  if (now < WHOLE_MINUTES_SINCE) return { now, iso, ...told(zone, now) };
  const second = Math.floor((now % MINUTE_MS) / 1_000);
  const from = now - (now % MINUTE_MS);
  if (zone.last?.from !== from) {
    const { second: _, ...shown } = told(zone, now);
    zone.last = { from, shown };
  }
  return { now, iso, ...zone.last.shown, second };
}

/** The same as a clock without a second hand shows it: what stands as it is for a minute. */
export function clockTime(now: number, timeZone: string): WallTime {
  return wallTime(Math.floor(now / MINUTE_MS) * MINUTE_MS, timeZone);
}

/** Having a moment told in full is dear. */
function told({ format, name }: Zone, now: number): Minute & Pick<WallTime, "second"> {
  const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const number = (part: string) => Number(parts[part]);
  return {
    time_zone: name,
    year: number("year"),
    month: number("month"),
    day: number("day"),
    weekday: WEEKDAYS.indexOf(parts["weekday"] ?? "") + 1,
    hour: number("hour"),
    minute: number("minute"),
    second: number("second"),
  };
}

/** Whether a text names a zone. */
export function isZone(timeZone: string): boolean {
  return zoneOf(timeZone) !== null;
}

/** Formats are dear to make. */
function zoneOf(timeZone: string): Zone | null {
  const known = zones.get(timeZone);
  if (known) return known;
  try {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      weekday: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    const zone = { format, name: format.resolvedOptions().timeZone, last: null };
    if (zones.size < ZONES_MAX) zones.set(timeZone, zone);
    return zone;
  } catch {
    return null;
  }
}
