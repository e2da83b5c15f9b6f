import fc from "fast-check";
import { expect, it } from "vitest";
import { covers, matches } from "../../../../src/tasks/permissions/glob.ts";

it.each([
  ["git *", "git log", true],
  ["git *", "git", true],
  ["git *", "gitk", false],
  ["*", "", true],
  ["a*b*c", "abc", true],
  ["a*b*c", "acb", false],
  ["ab*ba", "aba", false],
])("%s and %s: %s", (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

it.each([
  ["git *", "git log *", true],
  ["git *", "git", true],
  ["git log *", "git *", false],
  ["git*", "git *", true],
  ["git *", "git*", false],
  ["*", "a*b", true],
  ["a*", "*", false],
  ["*a*", "*ba*", true],
  ["a * *", "a * *", true],
  ["a * *", "a", false],
])("A45: %s covers %s: %s", (outer, inner, expected) => {
  expect(covers(outer, inner)).toBe(expected);
});

const LETTERS = ["a", "b", " "];
const pattern = fc.array(fc.constantFrom(...LETTERS, "*"), { maxLength: 5 }).map((parts) => parts.join(""));

/** Each star as one of a few texts, one of them of a letter that no pattern holds. */
function filled(pattern: string): string[] {
  const [first = "", ...rest] = pattern.split("*");
  return rest.reduce((texts, part) => texts.flatMap((text) => ["", "a", "b", " ", "ab", "z"].map((star) => text + star + part)), [first]);
}

/** Texts of a pattern. A star at the end goes with the blank before it once: `git * *` is `git x`, and not `git`. */
function textsOf(inner: string): string[] {
  return [...filled(inner), ...(inner.endsWith(" *") ? filled(inner.slice(0, -2)) : [])];
}

it("inclusion is exact: what is covered is met with every text, and what is not is missed with one", () => {
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) => {
      expect(covers(outer, inner)).toBe(textsOf(inner).every((text) => matches(outer, text)));
    }),
    { numRuns: 2_000 },
  );
});
