import fc from "fast-check";
import { expect, test } from "vitest";
import { clockTime, wallTime } from "../../../src/policy/engine/clock.ts";

const ZONES = [
  "UTC",
  "Asia/Tokyo",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/St_Johns",
  "Pacific/Apia",
  "Europe/Berlin",
  "Africa/Monrovia",
];

/** The same told by the platform itself, with nothing kept. */
function toldBy(now: number, timeZone: string): string {
  return new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", dateStyle: "short", timeStyle: "medium" }).format(now);
}

function shown({ year, month, day, hour, minute, second }: ReturnType<typeof wallTime>): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${month}/${day}/${two(year % 100)}, ${two(hour)}:${two(minute)}:${two(second)}`;
}

test("D12: a policy is told the time as the zone's clocks show it, at any moment, whatever was asked before", () => {
  const moments = fc.integer({ min: Date.UTC(1890), max: Date.UTC(2100) });
  const near = fc.array(fc.integer({ min: -90_000, max: 90_000 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), moments, near, (zone, moment, steps) => {
      for (const step of steps) expect(shown(wallTime(moment + step, zone))).toBe(toldBy(moment + step, zone));
    }),
    { numRuns: 300 },
  );
});

test("an offset that ends, or a day that is skipped, is told in its first second", () => {
  const before = Date.UTC(2026, 2, 29, 0, 59, 59, 999);
  expect(shown(wallTime(before, "Europe/Berlin"))).toBe("3/29/26, 01:59:59");
  expect(shown(wallTime(before + 1, "Europe/Berlin"))).toBe("3/29/26, 03:00:00");
  expect(wallTime(before + 1, "Europe/Berlin")).toMatchObject({ now: before + 1, iso: "2026-03-29T01:00:00.000Z", weekday: 7, time_zone: "Europe/Berlin" }); // prettier-ignore
});

test("a clock stands still for a minute, before 1970 as after", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 4e12 }), fc.integer({ min: 0, max: 59_999 }), (moment, ms) => {
      const minute = Math.floor(moment / 60_000) * 60_000;
      expect(clockTime(minute + ms, "Asia/Tokyo")).toEqual(wallTime(minute, "Asia/Tokyo"));
    }),
  );
});
