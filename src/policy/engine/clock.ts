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
const formats = new Map<string, Intl.DateTimeFormat>();
/** More zones than there are; what else is asked for by mistake fills no memory. */
const FORMATS_MAX = 600;

/** The time in a zone; in UTC where the zone is none. */
export function wallTime(now: number, timeZone: string): WallTime {
  const format = formatOf(timeZone) ?? formatOf("UTC")!;
  const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const number = (name: string) => Number(parts[name]);
  return {
    now,
    iso: new Date(now).toISOString(),
    time_zone: format.resolvedOptions().timeZone,
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
  return formatOf(timeZone) !== null;
}

/** Formats are dear to make. */
function formatOf(timeZone: string): Intl.DateTimeFormat | null {
  const known = formats.get(timeZone);
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
    if (formats.size < FORMATS_MAX) formats.set(timeZone, format);
    return format;
  } catch {
    return null;
  }
}
