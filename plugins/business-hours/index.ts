import { definePolicy, type Time } from "#plugin-sdk";

const MINUTES_A_DAY = 24 * 60;

export default definePolicy({
  name: "business-hours",
  version: "1.0.0",
  priority: 100,
  needs: ["clock", "request"],
  config: {
    type: "object",
    properties: {
      time_zone: { type: "string", default: "UTC", description: "IANA name of the zone whose clock counts." },
      days: {
        type: "array",
        items: { type: "integer", minimum: 1, maximum: 7 },
        default: [1, 2, 3, 4, 5],
        description: "Days that are open, 1 is Monday.",
      },
      opens: { type: "string", pattern: "^\\d\\d:\\d\\d$", default: "09:00" },
      closes: {
        type: "string",
        pattern: "^\\d\\d:\\d\\d$",
        default: "17:00",
        description: "Before `opens`: the hours go on past midnight.",
      },
      models: {
        type: "array",
        items: { type: "string" },
        default: ["*"],
        description: "Models that keep these hours; * at the end stands for anything.",
      },
    },
  },
  evaluate({ clock, request, config }) {
    if (!config.models.some((pattern) => fits(request, pattern))) return { allowed: true };
    const opens = minutesOf(config.opens);
    const closes = minutesOf(config.closes);
    if (isOpen(clock, config.days, { opens, closes })) return { allowed: true };
    const wait = minutesUntilOpen(clock, config.days, opens);
    if (wait === null) return { allowed: false, reason: `${request.model} is never open: no day is.` };
    const at = new Date(clock.now + wait * 60_000).toISOString();
    return {
      allowed: false,
      reason: `${request.model} is open from ${config.opens} to ${config.closes}, ${clock.time_zone}. Retry at ${at}.`,
      metadata: { retry_at: at, retry_after_s: wait * 60 },
    };
  },
  tests: [
    {
      name: "open on a Monday at ten",
      context: { request: { model: "gpt-5" }, clock: monday(10, 0) },
      expect: { allowed: true },
    },
    {
      name: "closed at five sharp, and says that it opens on Tuesday",
      context: { request: { model: "gpt-5" }, clock: monday(17, 0) },
      expect: { allowed: false, metadata: { retry_at: "2026-01-06T09:00:00.000Z", retry_after_s: 57_600 } },
    },
    {
      name: "closed on a day that is not open, until the next that is",
      config: { days: [3] },
      context: { request: { model: "gpt-5" }, clock: monday(12, 0) },
      expect: { allowed: false, metadata: { retry_at: "2026-01-07T09:00:00.000Z", retry_after_s: 162_000 } },
    },
    {
      name: "a model that keeps no hours is always open",
      config: { models: ["gpt-5*"] },
      context: { request: { model: "gpt-4o-mini" }, clock: monday(3, 0) },
      expect: { allowed: true },
    },
    {
      name: "a pattern fits what begins like it",
      config: { models: ["gpt-5*"] },
      context: { request: { model: "gpt-5-pro" }, clock: monday(3, 0) },
      expect: { allowed: false },
    },
    {
      name: "hours past midnight belong to the day on which they began",
      config: { days: [7], opens: "22:00", closes: "06:00" },
      context: { request: { model: "gpt-5" }, clock: monday(5, 59) },
      expect: { allowed: true },
    },
    {
      name: "no day is open",
      config: { days: [] },
      context: { request: { model: "gpt-5" }, clock: monday(12, 0) },
      expect: { allowed: false, reason: "gpt-5 is never open: no day is." },
    },
  ],
});

/** Monday, 5 January 2026, UTC: for the tests. */
function monday(hour: number, minute: number): Time {
  const now = Date.UTC(2026, 0, 5, hour, minute);
  return { now, iso: "", time_zone: "UTC", year: 2026, month: 1, day: 5, weekday: 1, hour, minute, second: 0 };
}

function fits({ model, requested }: { readonly model: string; readonly requested: string }, pattern: string): boolean {
  const begins = (name: string | undefined) => (pattern.endsWith("*") ? name?.startsWith(pattern.slice(0, -1)) : name === pattern);
  return begins(model) === true || begins(requested) === true;
}

function minutesOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

function isOpen(time: Time, days: readonly number[], { opens, closes }: { readonly opens: number; readonly closes: number }): boolean {
  const minute = time.hour * 60 + time.minute;
  const today = days.includes(time.weekday);
  if (opens < closes) return today && minute >= opens && minute < closes;
  const yesterday = days.includes(((time.weekday + 5) % 7) + 1);
  return (today && minute >= opens) || (yesterday && minute < closes);
}

/** Minutes until the doors open next, by the clock on the wall: off by the hour that is lost or won where the clock is changed meanwhile. */
function minutesUntilOpen(time: Time, days: readonly number[], opens: number): number | null {
  const minute = time.hour * 60 + time.minute;
  for (let ahead = 0; ahead <= 7; ahead++) {
    const wait = ahead * MINUTES_A_DAY + opens - minute;
    if (wait > 0 && days.includes(((time.weekday - 1 + ahead) % 7) + 1)) return wait;
  }
  return null;
}
