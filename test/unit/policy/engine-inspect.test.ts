import { describe, expect, it } from "vitest";
import { complaintsOf } from "../../../src/policy/engine/inspect.ts";

const POLICY = `export default { name: "p", version: "1.0.0", evaluate: () => ({ allowed: true }) };\n`;

describe("D13: a bundle is read before any of it runs", () => {
  it("nothing is said of one that may work", () => {
    expect(complaintsOf(POLICY)).toEqual([]);
    expect(complaintsOf(`const p = { evaluate() {} };\nexport { p as default };`)).toEqual([]);
    expect(complaintsOf(`// eval(1); import "x"\nconst t = "import('y')", evaluate = (f) => f.eval;\n${POLICY}`)).toEqual([]);
  });

  it.each([
    [`import fs from "node:fs";\n${POLICY}`, 1, 1, `imports "node:fs"`],
    [`${POLICY}  import { DurableObject } from "cloudflare:workers";`, 2, 3, `imports "cloudflare:workers"`],
    [`export * from "./other.js";\n${POLICY}`, 1, 1, `imports "./other.js"`],
    [`export { a } from "other";\n${POLICY}`, 1, 1, `imports "other"`],
    [`${POLICY}const x = 1;\nconst y = () => import("node:" + x);`, 3, 17, "imports at run time"],
    [`${POLICY}const f = (text) => {\n  return eval(text);\n};`, 3, 10, "calls eval"],
    [`${POLICY}const f = new Function("return 1");`, 2, 11, "calls Function"],
    [`${POLICY}const f = Function("return 1");`, 2, 11, "calls Function"],
    [`${POLICY}const a = ;`, 2, 11, "Unexpected token"],
    [`${POLICY}const a = 1; const a = 2;`, 2, 20, "already been declared"],
    [`export const policy = {};`, 1, 1, "default export"],
    [`module.exports = {};`, 1, 1, "default export"],
    ["", 1, 1, "default export"],
  ])("%j: line %i, column %i: %s", (source, line, column, message) => {
    expect(complaintsOf(source)).toEqual([{ line, column, message: expect.stringContaining(message) }]);
  });

  it("everything that is wrong is said at once, in the order of the text", () => {
    const lines = complaintsOf(`import "a";\nimport "b";\n${POLICY}eval("1");\nimport("c");`).map(({ line }) => line);
    expect(lines).toEqual([1, 2, 4, 5]);
  });

  it("a bundle over 256 KB is not read", () => {
    const [complaint, ...others] = complaintsOf(`${POLICY}// ${"é".repeat(131_072)}`);
    expect(complaint?.message).toMatch(/^the bundle has \d+ bytes, and may have 262144$/);
    expect(others).toEqual([]);
  });

  it("nesting without end is a complaint and no end of the reader", () => {
    for (const source of ["(".repeat(200_000), `${"[".repeat(100_000)}${"]".repeat(100_000)}`, `x${"=>x".repeat(80_000)}`])
      expect(complaintsOf(source)).toHaveLength(1);
    expect(complaintsOf(`export default ${"!".repeat(2_000)}1;`)).toEqual([]);
  });
});
