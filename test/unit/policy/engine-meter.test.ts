import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inspect } from "../../../scripts/meter/verify.ts";

const metered = () => new Uint8Array(readFileSync("src/policy/engine/quickjs.wasm"));

/** Every place where `pattern` stands; null stands for any byte. */
function placesOf(bytes: Uint8Array, pattern: readonly (number | null)[]): number[] {
  const places: number[] = [];
  for (let at = 0; at + pattern.length <= bytes.length; at++)
    if (pattern.every((byte, offset) => byte === null || bytes[at + offset] === byte)) places.push(at);
  return places;
}

const sample = (places: readonly number[], count: number) =>
  places.filter((_, nth) => nth % Math.max(1, Math.floor(places.length / count)) === 0);

describe("the metered engine (threat 44)", () => {
  it("has no place that runs without paying", () => {
    const { faults, functions, loops, bulk } = inspect(metered());
    expect(faults).toEqual([]);
    expect(functions).toBeGreaterThan(1_500);
    expect(loops).toBeGreaterThan(1_000);
    expect(bulk).toBeGreaterThan(100);
  });

  it("is the work of the rewriter: what the package ships pays nowhere, and the inspector says so of every function", () => {
    const { faults, functions, loops } = inspect(new Uint8Array(readFileSync("node_modules/quickjs-wasi/quickjs.wasm")));
    expect(faults.length).toBeGreaterThanOrEqual(functions + loops);
  });

  it("is found out wherever one charge burns nothing", () => {
    const whole = metered();
    // i32.const 1, i32.sub, global.set with an index of one byte: the end of every charge.
    const charges = placesOf(whole, [0x41, 0x01, 0x6b, 0x24]).filter((at) => whole[at - 2] === 0x23 && whole[at - 1] === whole[at + 4]);
    expect(charges.length).toBeGreaterThan(2_900);
    for (const at of sample(charges, 40)) {
      const spoilt = metered();
      spoilt[at + 1] = 0;
      expect(inspect(spoilt).faults[0]).toContain("is not charged");
    }
  });

  it("is found out wherever one bulk operation is not paid for, or the memory may grow", () => {
    const whole = metered();
    const bulk = [...placesOf(whole, [0x10, null, null, 0xfc, 0x0a, 0, 0]), ...placesOf(whole, [0x10, null, null, 0xfc, 0x0b, 0])];
    expect(bulk.length).toBeGreaterThan(100);
    for (const at of sample(bulk, 20)) {
      const spoilt = metered();
      spoilt.fill(0x01, at, at + 3);
      expect(inspect(spoilt).faults).toEqual([expect.stringContaining("is not paid for")]);
    }
  });
});
