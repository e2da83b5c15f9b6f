import { describe, expect, it } from "vitest";
import { isTimeZone, windowAt } from "../../../src/budget/windows.ts";

const at = (text: string) => Date.parse(text);
const shown = ({ start, end }: { start: number | null; end: number | null }) =>
  [start, end].map((ms) => (ms === null ? null : new Date(ms).toISOString()));

describe("windows", () => {
  it("a day begins at local midnight, in summer and in winter", () => {
    expect(shown(windowAt("day", "Europe/Berlin", at("2026-07-01T10:00:00Z")))).toEqual([
      "2026-06-30T22:00:00.000Z",
      "2026-07-01T22:00:00.000Z",
    ]);
    expect(shown(windowAt("day", "Europe/Berlin", at("2026-01-15T23:30:00Z")))).toEqual([
      "2026-01-15T23:00:00.000Z",
      "2026-01-16T23:00:00.000Z",
    ]);
  });

  it("the days on which clocks change have 23 and 25 hours", () => {
    const hours = (text: string) => {
      const { start, end } = windowAt("day", "Europe/Berlin", at(text));
      return (end! - start!) / 3_600_000;
    };
    expect(hours("2026-03-29T12:00:00Z")).toBe(23);
    expect(hours("2026-10-25T12:00:00Z")).toBe(25);
  });

  it("a week begins on Monday", () => {
    expect(shown(windowAt("week", "UTC", at("2026-11-22T23:59:59Z")))).toEqual(["2026-11-16T00:00:00.000Z", "2026-11-23T00:00:00.000Z"]);
    expect(shown(windowAt("week", "UTC", at("2026-11-23T00:00:00Z")))).toEqual(["2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"]);
  });

  it("a month ends with its calendar, leap years included", () => {
    expect(shown(windowAt("month", "UTC", at("2028-02-29T12:00:00Z")))).toEqual(["2028-02-01T00:00:00.000Z", "2028-03-01T00:00:00.000Z"]);
    expect(shown(windowAt("month", "America/New_York", at("2026-11-01T03:00:00Z")))).toEqual([
      "2026-10-01T04:00:00.000Z",
      "2026-11-01T04:00:00.000Z",
    ]);
  });

  it("an hour follows a zone whose offset is half an hour", () => {
    expect(shown(windowAt("hour", "Asia/Kolkata", at("2026-11-21T10:45:10.500Z")))).toEqual([
      "2026-11-21T10:30:00.000Z",
      "2026-11-21T11:30:00.000Z",
    ]);
  });

  it("a day that begins by a leap over midnight begins at the first moment after it", () => {
    expect(shown(windowAt("day", "America/Santiago", at("2026-09-06T12:00:00Z")))[0]).toBe("2026-09-06T04:00:00.000Z");
  });

  it("total has no bounds", () => {
    expect(windowAt("total", "UTC", 0)).toEqual({ start: null, end: null });
  });

  it.each(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham", "America/Santiago", "Africa/Cairo"])(
    "windows of %s tile time without gap or overlap",
    (zone) => {
      for (const window of ["hour", "day", "week", "month"] as const) {
        let next = windowAt(window, zone, at("2026-01-01T00:00:00Z")).end!;
        for (let count = 0; count < (window === "hour" ? 24 * 370 : 400); count++) {
          const period = windowAt(window, zone, next);
          expect(period.start).toBe(next);
          expect(windowAt(window, zone, period.end! - 1)).toEqual(period);
          next = period.end!;
        }
      }
    },
    20_000,
  );

  it("knows time zones from inventions", () => {
    expect([isTimeZone("Europe/Berlin"), isTimeZone("Mars/Olympus"), isTimeZone("")]).toEqual([true, false, false]);
  });
});
