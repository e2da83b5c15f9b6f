import { describe, expect, it } from "vitest";
import { readCsv } from "../../../src/reconcile/csv.ts";

describe("a provider's file", () => {
  it("threat 18: with a million bytes of columns is refused as fast as any other", () => {
    const columns = Array.from({ length: 150_000 }, (_, at) => `c${at.toString(36)}`).join(",");
    const from = performance.now();
    expect(() => readCsv(`day,usd,${columns}\n2026-10-05,1`, "exports.0.data")).toThrow("unknown column");
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  it("that names a column twice is refused by its name", () => {
    expect(() => readCsv("day,usd,USD \n2026-10-05,1,2", "exports.0.data")).toThrow("names the column usd twice");
  });
});
