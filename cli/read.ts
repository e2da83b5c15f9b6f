/** A text that an option cannot take; the message completes a sentence that begins with the option's name. */
export class Misread extends Error {
  override readonly name = "Misread";
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
const DURATION = /^(\d{1,9})([smhdw])$/;

/** Seconds of a duration such as `90s`, `15m`, `1h`, `30d` or `2w`. @throws Misread */
export function readDuration(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined) throw new Misread("takes a duration such as 90s, 15m, 1h, 30d or 2w");
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}

/** A whole number of at least `least`. @throws Misread */
export function readCount(text: string, least = 0): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count) || count < least) throw new Misread(`takes a whole number of at least ${least}`);
  return count;
}

/** `name=value` as a pair. @throws Misread */
export function readPair(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Misread("takes name=value");
  return [text.slice(0, at), text.slice(at + 1)];
}

const DAY = /^\d{4}-\d{2}(-\d{2})?$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/;

/**
 * A moment as ISO 8601 in UTC, from a month (`2026-11`), a day (`2026-11-21`), a time with its zone, or a duration counted from
 * now: `7d` is a week ago where `direction` is `ago`, and in a week where it is `ahead`. Months and days begin at midnight UTC.
 * @throws Misread
 */
export function readMoment(text: string, direction: "ago" | "ahead", now: number = Date.now()): string {
  if (DURATION.test(text)) {
    const ms = readDuration(text) * 1000;
    return iso(direction === "ago" ? now - ms : now + ms);
  }
  if (DAY.test(text)) {
    const found = iso(Date.parse(`${text.length === 7 ? `${text}-01` : text}T00:00:00Z`));
    // The 30th of February parses in some engines, as a day of March.
    if (found.startsWith(text)) return found;
  }
  if (INSTANT.test(text)) return iso(Date.parse(text));
  throw new Misread("takes a day (2026-11-21), a month (2026-11), a time with its zone (2026-11-21T08:00:00Z) or a duration (7d)");
}

function iso(ms: number): string {
  const moment = new Date(ms);
  if (Number.isNaN(moment.getTime())) throw new Misread("names no day of the calendar");
  return moment.toISOString();
}
