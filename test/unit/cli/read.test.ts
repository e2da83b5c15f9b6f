import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Misread, readCount, readDuration, readMoment, readPair } from "../../../cli/read.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");

describe("what the command line reads", () => {
  it.each([
    ["90s", 90],
    ["15m", 900],
    ["1h", 3_600],
    ["30d", 2_592_000],
    ["2w", 1_209_600],
    ["0s", 0],
  ])("the duration %s is %d seconds", (text, seconds) => expect(readDuration(text)).toBe(seconds));

  it.each(["", "30", "h", "1.5h", "-1h", "1 h", "1H", "1y", "9999999999s"])("%j is no duration", (text) =>
    expect(() => readDuration(text)).toThrow(Misread),
  );

  it.each([
    ["2026-11", "ago", "2026-11-01T00:00:00.000Z"],
    ["2026-11-21", "ago", "2026-11-21T00:00:00.000Z"],
    ["2028-02-29", "ahead", "2028-02-29T00:00:00.000Z"],
    ["2026-11-21T08:00:00+02:00", "ago", "2026-11-21T06:00:00.000Z"],
    ["2026-11-21T08:00:00.250Z", "ahead", "2026-11-21T08:00:00.250Z"],
    ["1d", "ago", "2026-02-28T12:00:00.000Z"],
    ["1d", "ahead", "2026-03-02T12:00:00.000Z"],
  ] as const)("the moment %s (%s) is %s", (text, direction, moment) => expect(readMoment(text, direction, NOW)).toBe(moment));

  it.each(["", "2026", "2026-13", "2026-02-30", "2027-02-29", "2026-11-21T08:00:00", "2026-11-21 08:00", "2026-11-21T25:00:00Z", "today"])(
    "%j is no moment: no day that the calendar lacks, and no time without its zone",
    (text) => expect(() => readMoment(text, "ago", NOW)).toThrow(Misread),
  );

  it("every day of the calendar is read as its midnight UTC", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40_000 }), (days) => {
        const midnight = new Date(days * 86_400_000).toISOString();
        expect(readMoment(midnight.slice(0, 10), "ago", NOW)).toBe(midnight);
      }),
    );
  });

  it("a count is a whole number that arithmetic can hold, and at least its least", () => {
    expect(readCount("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
    for (const text of ["", "-1", "1.0", "1e3", "0x1", " 1", "9007199254740993"]) expect(() => readCount(text)).toThrow(Misread);
    expect(() => readCount("0", 1)).toThrow("at least 1");
  });

  it("a pair is parted at its first sign", () => {
    expect(readPair("query=a=b")).toEqual(["query", "a=b"]);
    expect(readPair("empty=")).toEqual(["empty", ""]);
    for (const text of ["", "=x", "x"]) expect(() => readPair(text)).toThrow(Misread);
  });
});
