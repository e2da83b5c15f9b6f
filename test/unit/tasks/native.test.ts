import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { native } from "../../../src/tasks/engines/native.ts";

const line = (value: unknown) => `${JSON.stringify(value)}\n`;

describe("what the native agent wrote", () => {
  it("A19: is read by its result, whatever stands around it", () => {
    const result = { type: "result", reason: "ok", text: "Done.", structured: { sum: 3 }, message: null };
    const stdout = `${line({ type: "text", text: "first" })}noise\n[1]\n${line(result)}`;
    expect(native.read(stdout)).toEqual({ text: "Done.", structured: { sum: 3 }, failure: null });
  });

  it("is what it said last where it was killed before its result", () => {
    const stdout = `${line({ type: "text", text: "first" })}${line({ type: "text", text: "second" })}{"type":"resu`;
    expect(native.read(stdout)).toEqual({ text: "second", structured: null });
  });

  it("may be anything, and is never more than it says", () => {
    const odd = fc.oneof(fc.string(), fc.json(), fc.record({ type: fc.constantFrom("result", "text"), text: fc.anything() }).map(told));
    fc.assert(
      fc.property(fc.array(odd), (lines) => {
        const stdout = lines.join("\n");
        const { text, structured } = native.read(stdout);
        expect(stdout).toContain(JSON.stringify(text).slice(1, -1));
        expect(structured).toBeNull();
      }),
    );
  });
});

/** As JSON, as far as it has any. */
function told(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}
