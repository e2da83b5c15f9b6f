import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { joined, name, u32 } from "../../../scripts/meter/binary.ts";
import { meter } from "../../../scripts/meter/meter.ts";
import { inspect } from "../../../scripts/meter/verify.ts";
import { FLOOR } from "../../../src/policy/engine/machine.ts";

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

  it("has no store that could write below the floor, which is where the machine begins to wipe", () => {
    const { floor, stores } = inspect(metered());
    expect(floor).toBe(FLOOR);
    expect(stores).toBeGreaterThan(6_000);
  });

  it("is found out wherever one store is held to a lower floor", () => {
    const whole = metered();
    // A constant of three bytes, i32.lt_u, a trap, local.get: what stands before a store.
    const guards = placesOf(whole, [0x41, null, null, null, 0x49, 0x04, 0x40, 0x00, 0x0b, 0x20]);
    expect(guards.length).toBeGreaterThan(6_000);
    for (const at of sample(guards, 20)) {
      const spoilt = metered();
      spoilt[at + 3] = 0;
      expect(inspect(spoilt).faults).toEqual([expect.stringContaining("may write below the floor")]);
    }
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
    for (const at of sample(charges, 20)) {
      const spoilt = metered();
      spoilt[at + 1] = 0;
      expect(inspect(spoilt).faults[0]).toContain("is not charged");
    }
  });

  it("is found out wherever one bulk operation is not paid for, or the memory may grow", () => {
    const whole = metered();
    const bulk = [...placesOf(whole, [0x10, null, null, 0xfc, 0x0a, 0, 0]), ...placesOf(whole, [0x10, null, null, 0xfc, 0x0b, 0])];
    expect(bulk.length).toBeGreaterThan(100);
    for (const at of sample(bulk, 10)) {
      const spoilt = metered();
      spoilt.fill(0x01, at, at + 3);
      expect(inspect(spoilt).faults).toEqual([expect.stringContaining("is not paid for")]);
    }
  });
});

/** A module of one memory, whose functions are each one instruction: what is stored, filled or copied, and where, is theirs to be given. */
const [I32, I64, F32, F64] = [0x7f, 0x7e, 0x7d, 0x7c] as const;
const FAR = 60_000;
const INSTRUCTIONS = {
  i32: { given: [I32, I32], code: [0x36, 2, 0] },
  i64: { given: [I32, I64], code: [0x37, 3, 0] },
  f32: { given: [I32, F32], code: [0x38, 2, 0] },
  f64: { given: [I32, F64], code: [0x39, 3, 0] },
  byte: { given: [I32, I32], code: [0x3a, 0, 0] },
  "32 bits of i64": { given: [I32, I64], code: [0x3e, 2, 0] },
  far: { given: [I32, I32], code: [0x36, 2, ...u32(FAR)] },
  fill: { given: [I32, I32, I32], code: [0xfc, 0x0b, 0] },
  copy: { given: [I32, I32, I32], code: [0xfc, 0x0a, 0, 0] },
} as const;

function moduleOfOne({ given, code }: (typeof INSTRUCTIONS)[keyof typeof INSTRUCTIONS]): Uint8Array {
  const section = (id: number, body: readonly number[]) => [id, ...u32(body.length), ...body];
  const body = [0, ...given.flatMap((_, at) => [0x20, at]), ...code, 0x0b];
  return joined([
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, [1, 0x60, given.length, ...given, 0]),
    section(3, [1, 0]),
    section(5, [1, 0, 2]),
    section(6, [0]),
    section(7, [2, ...name("memory"), 2, 0, ...name("run"), 0, 0]),
    section(10, [1, body.length, ...body]),
  ]);
}

/** Runs one instruction of a metered module; answers the first byte of its memory that is not zero, or that it trapped. */
function wroteAt(which: keyof typeof INSTRUCTIONS, floor: number, ...operands: readonly (number | bigint)[]): number | "trapped" {
  const { Module } = WebAssembly as unknown as { readonly Module: new (bytes: Uint8Array) => WebAssembly.Module };
  const made = new Module(meter(moduleOfOne(INSTRUCTIONS[which]), { pagesMax: 2, floor, exports: ["memory", "run"] }));
  const { fuel, memory, run } = new WebAssembly.Instance(made).exports as unknown as {
    readonly fuel: WebAssembly.Global;
    readonly memory: WebAssembly.Memory;
    readonly run: (...operands: readonly (number | bigint)[]) => void;
  };
  fuel.value = 1_000;
  try {
    run(...operands);
  } catch (trap) {
    expect(trap).toBeInstanceOf(WebAssembly.RuntimeError);
    return "trapped";
  }
  return new Uint8Array(memory.buffer).findIndex((byte) => byte !== 0);
}

describe("threat 32: below its floor a metered module", () => {
  const floor = 65_536;

  it.each([
    ["i32", 0x01010101],
    ["i64", 0x0101010101010101n],
    ["f32", 1e10],
    ["f64", 1e10 / 3],
    ["byte", 1],
    ["32 bits of i64", 0x01010101n],
  ] as const)("stores no %s", (which, value) => {
    const stored = wroteAt(which, floor, floor, value);
    expect(stored).toBeGreaterThanOrEqual(floor);
    expect(stored).toBeLessThan(floor + 8);
    expect(wroteAt(which, floor, floor - 1, value)).toBe("trapped");
    expect(wroteAt(which, floor, 0, value)).toBe("trapped");
  });

  it("stores nothing by an offset that does not reach it, and what reaches it may be stored", () => {
    expect(wroteAt("far", floor, floor - FAR, 0x01010101)).toBe(floor);
    expect(wroteAt("far", floor, floor - FAR - 1, 0x01010101)).toBe("trapped");
    expect(wroteAt("far", FAR, 0, 0x01010101)).toBe(FAR);
  });

  it("fills and copies nothing, unless it is nothing", () => {
    expect(wroteAt("fill", floor, floor, 7, 100)).toBe(floor);
    expect(wroteAt("fill", floor, floor - 1, 7, 100)).toBe("trapped");
    expect(wroteAt("fill", floor, 0, 7, 0)).toBe(-1);
    expect(wroteAt("copy", floor, floor - 1, floor, 1)).toBe("trapped");
    expect(wroteAt("copy", floor, floor, 0, 1)).toBe(-1);
  });
});
