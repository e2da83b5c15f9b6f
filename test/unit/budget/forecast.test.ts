import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forecast } from "../../../src/budget/forecast.ts";

const day = { start: 0, end: 86_400_000 };

describe("D17: what a window will come to", () => {
  it.each([
    ["a quarter of the day", 100, 21_600_000, 400],
    ["the whole day", 100, 86_400_000, 100],
    ["a third, rounded up", 100, 28_800_000 + 1, 300],
    ["nothing spent", 0, 43_200_000, 0],
    ["hardly begun", 100, 4_000_000, null],
  ])("%s", (_, spent, now, expected) => {
    expect(forecast(spent, day, now)).toBe(expected);
  });

  it("is not told of a window without an end", () => {
    expect(forecast(5, { start: null, end: null }, 1)).toBeNull();
  });

  it("is a count that is never less than what was spent", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 90_000_000 }), (spent, now) => {
        const told = forecast(spent, day, now);
        if (told !== null) expect(Number.isSafeInteger(told) && told >= spent).toBe(true);
      }),
    );
  });
});
