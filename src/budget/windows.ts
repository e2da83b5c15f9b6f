import type { Window } from "./contract.ts";

/** A calendar window: milliseconds UTC, end exclusive; `total` has neither start nor end. */
export interface Period {
  readonly start: number | null;
  readonly end: number | null;
}

/** A moment as a wall clock of some zone shows it. */
interface Wall {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PHASE_AT = Date.UTC(2026, 0, 1);
const formats = new Map<string, Intl.DateTimeFormat>();
const periods = new Map<string, Period>();
const PERIODS_MAX = 1_000;

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(timeZone, format);
  }
  return format;
}

/** Whether a text names a time zone that the runtime knows. */
export function isTimeZone(timeZone: string): boolean {
  try {
    formatOf(timeZone);
    return true;
  } catch {
    return false;
  }
}

/** What the zone's clock shows at a moment, as if it were UTC. */
function wallMs(timeZone: string, atMs: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(atMs)) part[type] = Number(value);
  return Date.UTC(part["year"]!, part["month"]! - 1, part["day"], part["hour"], part["minute"], part["second"]);
}

/** The first moment at which the zone's clock shows `wall`, or has passed it where a change of clocks leaps over it. */
function momentOf(timeZone: string, wall: number): number {
  const guess = wall - (wallMs(timeZone, wall) - wall);
  // The offset may differ on either side of a change of clocks: of the candidates, the earliest that shows the wall time or later.
  const candidates = [guess - HOUR_MS, guess - HOUR_MS / 2, guess, guess + HOUR_MS / 2, guess + HOUR_MS];
  return candidates.find((moment) => wallMs(timeZone, moment) >= wall) ?? guess;
}

function wallOf(timeZone: string, atMs: number): Wall {
  const wall = new Date(wallMs(timeZone, atMs));
  return { year: wall.getUTCFullYear(), month: wall.getUTCMonth(), day: wall.getUTCDate(), hour: wall.getUTCHours() };
}

/** Where the window begins and ends on the wall clock. Weeks begin on Monday. */
function wallBounds(window: "day" | "week" | "month", { year, month, day }: Wall): readonly [number, number] {
  if (window === "month") return [Date.UTC(year, month), Date.UTC(year, month + 1)];
  const today = Date.UTC(year, month, day);
  if (window === "day") return [today, today + DAY_MS];
  const monday = today - ((new Date(today).getUTCDay() + 6) % 7) * DAY_MS;
  return [monday, monday + 7 * DAY_MS];
}

function periodAt(window: "hour" | "day" | "week" | "month", timeZone: string, nowMs: number): Period {
  if (window === "hour") {
    // Hours are counted in elapsed time, so that an hour repeated by a change of clocks is two windows. Their phase is the zone's
    // own at a fixed moment: the one zone whose clocks change by half an hour keeps one phase all year.
    const phase = wallMs(timeZone, PHASE_AT) % HOUR_MS;
    const start = Math.floor((nowMs + phase) / HOUR_MS) * HOUR_MS - phase;
    return { start, end: start + HOUR_MS };
  }
  const [from, to] = wallBounds(window, wallOf(timeZone, nowMs));
  return { start: momentOf(timeZone, from), end: momentOf(timeZone, to) };
}

/** The window that a moment falls into, by the calendar of a time zone. */
export function windowAt(window: Window, timeZone: string, nowMs: number): Period {
  if (window === "total") return { start: null, end: null };
  const key = `${window} ${timeZone}`;
  const known = periods.get(key);
  if (known && known.start! <= nowMs && nowMs < known.end!) return known;
  const found = periodAt(window, timeZone, nowMs);
  if (periods.size >= PERIODS_MAX) periods.clear();
  periods.set(key, found);
  return found;
}
