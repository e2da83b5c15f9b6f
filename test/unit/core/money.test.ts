import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { femtoFromNano, femtoFromUsd, NANO_MAX, nanoCeil, nanoFromUsd, TollgateError, usdFromFemto, usdFromNano } from "#core";

describe("money", () => {
  it("reads back every counter it writes", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: NANO_MAX }), (nano) => nanoFromUsd(usdFromNano(nano), "limit_usd") === nano));
  });

  it("reads back every exact amount it writes", () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 24n }), (femto) => femtoFromUsd(usdFromFemto(femto)) === femto));
  });

  it("never rounds a cost down, and never up by a whole nano-USD", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), (femto) => {
        const rounded = femtoFromNano(nanoCeil(femto));
        return rounded >= femto && rounded - femto < 1_000_000n;
      }),
    );
  });

  it("writes the shortest exact decimal, without exponent or trailing zeros", () => {
    expect(usdFromNano(0)).toBe("0");
    expect(usdFromNano(3100)).toBe("0.0000031");
    expect(usdFromNano(5_000_000_000)).toBe("5");
    expect(usdFromFemto(7_200_000_000n)).toBe("0.0000072");
  });

  it("accepts JSON numbers as people write them", () => {
    expect(nanoFromUsd(5, "limit_usd")).toBe(5_000_000_000);
    expect(nanoFromUsd(0.1, "limit_usd")).toBe(100_000_000);
    expect(nanoFromUsd(1e-9, "limit_usd")).toBe(1);
  });

  it.each(["-1", "1e3", "0x10", "", " 1", "1.0000000001", "NaN", "01", "9007199.254740992"])("refuses %j naming the field", (text) => {
    expect(() => nanoFromUsd(text, "budgets.0.limit_usd")).toThrow(TollgateError);
    expect(() => nanoFromUsd(text, "budgets.0.limit_usd")).toThrow(/budgets\.0\.limit_usd/);
  });
});
