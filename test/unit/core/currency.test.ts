import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Currency, inCurrency, usdFromFemto } from "#core";

const euro: Currency = { code: "EUR", rate: "0.9213", date: "2026-11-20" };

describe("D17: another currency for display", () => {
  it.each([
    ["0", "0"],
    ["1", "0.9213"],
    ["0.000000000000001", "0.0000000000000009213"],
    ["9007199.254740991", "8298332.6733928750083"],
  ])("%s USD is %s EUR, exactly", (usd, eur) => {
    expect(inCurrency(usd, euro)).toBe(eur);
  });

  it("sums of what is shown are what the sum is shown as", () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 22n });
    const femto = (text: string) => {
      const [whole = "0", part = ""] = text.split(".");
      return BigInt(whole + part.padEnd(24, "0"));
    };
    fc.assert(
      fc.property(amount, amount, (one, other) => {
        const shown = (value: bigint) => femto(inCurrency(usdFromFemto(value), euro));
        return shown(one) + shown(other) === shown(one + other);
      }),
    );
  });

  it.each(["-1", "1e3", "", "x"])("refuses %j, which is no amount", (text) => {
    expect(() => inCurrency(text, euro)).toThrow(RangeError);
  });
});
