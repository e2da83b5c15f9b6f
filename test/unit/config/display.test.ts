import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../../src/config/config.ts";

const SECRETS = { TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: "e".repeat(32) };
const EURO = { TOLLGATE_DISPLAY_CURRENCY: "EUR", TOLLGATE_DISPLAY_RATE: "0.9213", TOLLGATE_DISPLAY_RATE_DATE: "2026-11-20" };

describe("D17: the display currency of a deployment", () => {
  it("is its currency, its rate and the rate's day, or none", () => {
    expect(readConfig({ ...SECRETS, ...EURO }).display).toEqual({ code: "EUR", rate: "0.9213", date: "2026-11-20" });
    expect(readConfig(SECRETS).display).toBeNull();
  });

  it.each(Object.keys(EURO))("without %s is wrong, and the message names it", (name) => {
    expect(() => readConfig({ ...SECRETS, ...EURO, [name]: "" })).toThrow(new RegExp(`${name}: missing`));
  });

  it.each([
    ["TOLLGATE_DISPLAY_CURRENCY", "euro"],
    ["TOLLGATE_DISPLAY_RATE", "0"],
    ["TOLLGATE_DISPLAY_RATE", "-1"],
    ["TOLLGATE_DISPLAY_RATE", "0.92130000001"],
    ["TOLLGATE_DISPLAY_RATE", "1e3"],
    ["TOLLGATE_DISPLAY_RATE_DATE", "2026-02-30"],
    ["TOLLGATE_DISPLAY_RATE_DATE", "yesterday"],
  ])("%s of %j is wrong, and the message names it and not its value", (name, value) => {
    const reading = () => readConfig({ ...SECRETS, ...EURO, [name]: value });
    expect(reading).toThrow(ConfigError);
    expect(reading).toThrow(new RegExp(name));
  });
});
