import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandsIn, commandsOf } from "../../../../src/tasks/permissions/shell.ts";
import type { Command } from "../../../../src/tasks/permissions/shell-text.ts";

const lines = (found: readonly Command[] | null) => found?.map(({ words }) => words.join(" ")) ?? null;

describe("A36: the commands in a shell's text", () => {
  it.each<[string, readonly string[]]>([
    ["git log", ["git log"]],
    ["a && b; c | d || e & f", ["a", "b", "c", "d", "e", "f"]],
    ["a\nb # c; d\ne", ["a", "b", "e"]],
    ["echo 'a; b' \"c && d\" e\\;f", ["echo a; b c && d e;f"]],
    ["'rm' -\"rf\" /", ["rm -rf /"]],
    ["r\\m x", ["rm x"]],
    ["echo $(rm x) y", ["rm x", "echo $(rm x) y"]],
    ['echo "$(rm x)"', ["rm x", "echo $(rm x)"]],
    ["echo `rm x`", ["rm x", "echo `rm x`"]],
    ["echo $HOME ${X}", ["echo $HOME ${X}"]],
    ["if a; then b; else c; fi", ["a", "b", "c"]],
    ["for f in a b; do rm $f; done", ["rm $f"]],
    ["for f in $(ls); do rm $f; done", ["ls", "rm $f"]],
    ["while true; do a; done", ["true", "a"]],
    ["(cd x && make) > log", ["cd x", "make", ""]],
    ["{ a; b; } 2>&1", ["a", "b", ""]],
    ["! a", ["a"]],
    ["diff <(a) <(b)", ["a", "b", "diff <(a) <(b)"]],
    ["a \\\n  b", ["a b"]],
    ["bash -c 'a; b'", ["a", "b"]],
    ["bash -lc \"bash -c 'a b'\"", ["a b"]],
    ["/bin/sh -e -c a", ["a"]],
    ["bash -o pipefail -c 'a | b'", ["a", "b"]],
    ["bash x.sh -c 'git log'", ["bash x.sh -c git log"]],
    ["bash --rcfile x -c 'git log'", ["bash --rcfile x -c git log"]],
    ["eval 'a; b'", ["a", "b"]],
    ["cat <<'E'\n$(rm x)\nE\nb", ["cat", "b"]],
    ["cat <<E\nplain\nE", ["cat"]],
    ["X=1 a", ["X=1 a"]],
    ["", []],
  ])("%j", (text, expected) => {
    const found = lines(commandsIn(text))?.filter((line) => line !== "");
    expect(found).toEqual(expected.filter((line) => line !== ""));
  });

  it.each([
    ["$CMD x"],
    ["`x` y"],
    ["a; 'b"],
    ['a "b'],
    ["a (b"],
    ["a )"],
    ["( a"],
    ["$(a"],
    ["case x in a) b;; esac"],
    ["f() { a; }"],
    ["[[ a && b ]]"],
    ["((i++))"],
    ["{rm,-rf,/}"],
    ["/bin/r?"],
    ["echo $'a'"],
    ["echo ${X:-$(a)}"],
    ["cat <<E\n$(a)\nE"],
    ["cat <<E\nno end"],
    ['bash -c "git $X"'],
    ['eval "$X"'],
    ["a >"],
    ["a\0b"],
    ["(".repeat(50_000)],
    ["$(".repeat(50_000)],
  ])("%j cannot be told", (text) => {
    expect(commandsIn(text)).toBe(null);
  });

  it("says which files are written, and that sinks are none", () => {
    const writes = (text: string) => commandsIn(text)?.flatMap((each) => each.writes);
    expect(writes("a > b 2>> c &> d >| e <> f")).toEqual(["b", "c", "d", "e", "f"]);
    expect(writes("a >/dev/null 2>&1 <in <<<word >&-")).toEqual([]);
    expect(writes("(a; b) > c; bash -c 'x' > d")).toEqual(["c", "d"]);
  });

  it("of a list of arguments no word is a shell's", () => {
    expect(lines(commandsOf(["echo", "a; rm b", "$(c)"]))).toEqual(["echo a; rm b $(c)"]);
    expect(lines(commandsOf(["bash", "-lc", "a && b"]))).toEqual(["a", "b"]);
  });
});

const word = fc.stringMatching(/^[a-z0-9;&|<>(){}#$'"\\ *?=~!`\n-]{1,6}$/);
const name = fc.constantFrom("git", "rm", "ls", "make");
const quoted = (text: string, way: number) =>
  way === 0
    ? `'${text.replaceAll("'", "'\\''")}'`
    : way === 1
      ? `"${text.replaceAll(/[\\"$`]/g, "\\$&")}"`
      : text.replaceAll(/[^a-z0-9]/g, (each) => (each === "\n" ? "'\n'" : `\\${each}`));
const simple = fc.tuple(name, fc.array(fc.tuple(word, fc.nat(2)), { maxLength: 4 }));

it("whatever is quoted, in whatever way, and whatever joins them: the commands come out as they went in", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(simple, fc.constantFrom(" && ", ";", " | ", "\n", " & ", "||", "|&")), { minLength: 1, maxLength: 5 }),
      (parts) => {
        const text = parts
          .map(([[first, rest], join]) => [first, ...rest.map(([each, way]) => quoted(each, way))].join(" ") + join)
          .join("");
        expect(commandsIn(text)?.map(({ words }) => words)).toEqual(parts.map(([[first, rest]]) => [first, ...rest.map(([each]) => each)]));
      },
    ),
    { numRuns: 1_000 },
  );
});

it("any text at all is told or is not, and takes no time", () => {
  const before = performance.now();
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(..."ab $`'\"\\;&|<>(){}#\n!=-".split("")), maxLength: 60 }), (text) => {
    const found = commandsIn(text);
    expect(found === null || Array.isArray(found)).toBe(true);
  }), { numRuns: 3_000 }); // prettier-ignore
  for (const piece of ["a ", "a;", "<<E\n", "'", "\\\n", "`a` ", "$a", "${a", "(a)"]) commandsIn(piece.repeat(20_000));
  expect(performance.now() - before).toBeLessThan(10_000);
});
