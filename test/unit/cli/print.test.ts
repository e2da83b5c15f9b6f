import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Output, type Stream } from "../../../cli/output.ts";
import { at, cell, jsonText, printable, table, widthOf } from "../../../cli/print.ts";

afterEach(() => vi.unstubAllEnvs());

/** A stream that keeps what is written, and is a terminal or not. */
function stream(isTTY: boolean) {
  const kept = new PassThrough();
  const terminal = { isTTY, getColorDepth: () => WriteStream.prototype.getColorDepth() };
  return { stream: Object.assign(kept, terminal) as Stream, text: () => String(kept.read() ?? "") };
}

const PEOPLE = { json: false, field: null };

describe("tables", () => {
  it("columns begin below each other, whatever the width of the letters in them", () => {
    const rows = [
      { name: "search", id: 1 },
      { name: "検索", id: 2 },
      { name: "👩‍👩‍👧 family", id: 3 },
      { name: "e\u0301tude", id: 4 },
    ];
    const lines = table(
      [
        { head: "NAME", path: "name" },
        { head: "ID", path: "id" },
      ],
      rows,
    );
    expect(new Set(lines.map((line) => widthOf(line.slice(0, line.search(/(ID|\d)$/)))))).toEqual(new Set([11]));
  });

  it("figures stand with their points below each other, and a dash where there is none", () => {
    const lines = table([{ head: "USD", path: "usd", figure: true }], [{ usd: "12.5" }, { usd: "0.0000072" }, { usd: "1000" }, {}]);
    expect(lines).toEqual(["         USD", "  12.5", "   0.0000072", "1000", "   -"]);
  });

  it("no line ends in blanks, and a head is never narrower than its column", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ a: fc.string(), b: fc.integer() }), { minLength: 1 }), (rows) => {
        const lines = table(
          [
            { head: "A", path: "a" },
            { head: "B", path: "b", figure: true },
          ],
          rows,
        );
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) expect(line).toBe(line.trimEnd());
      }),
    );
  });
});

describe("values", () => {
  it("are found by their paths, also where a name holds dots", () => {
    const row = { group: { "metadata.feature": "search" }, budgets: [{ status: { spent: "1" } }], none: null };
    expect(at(row, "group.metadata.feature")).toBe("search");
    expect(at(row, "budgets.0.status.spent")).toBe("1");
    expect(at(row, "none.at.all")).toBeUndefined();
    expect(at(row, "constructor")).toBeUndefined();
  });

  it("are one line each", () => {
    const shown = ["-", "-", "-", "-", "a, b", "true", "0", "2026-11-21T08:00:00Z"];
    expect([null, undefined, "", [], ["a", "b"], true, 0, "2026-11-21T08:00:00.123Z"].map(cell)).toEqual(shown);
  });

  it("reach a terminal without anything that it would obey, and a program unchanged", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        for (const shown of [printable(text), jsonText({ text })]) expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
        expect(JSON.parse(jsonText({ text }))).toEqual({ text });
      }),
    );
  });
});

describe("the terminal", () => {
  const HOSTILE = "\u001B]0;yours\u0007\u009B2J\u202E\r";
  const OBEYED = /[^\P{Cc}\r\n]|\r(?!\n)|\p{Bidi_Control}/u;

  it("obeys no name that a caller gave to its metadata, nor a column that a gateway made up", async () => {
    vi.stubEnv("FORCE_COLOR", undefined);
    const out = stream(false);
    const row = { metadata: { [HOSTILE]: "1" }, [`list${HOSTILE}`]: [{ [HOSTILE]: 1 }] };
    await new Output(out.stream, stream(false).stream, PEOPLE).object(row);
    const shown = out.text();
    expect(shown).toContain("metadata.\\u001b]0;");
    expect(shown).not.toMatch(OBEYED);
  });

  it("obeys nothing in an exported file, which is as it is everywhere else", async () => {
    const file = `id,end_user\r\n1,"${HOSTILE}\r\nx"\r\n`;
    for (const isTTY of [true, false]) {
      const out = stream(isTTY);
      await new Output(out.stream, stream(isTTY).stream, PEOPLE).file(file);
      if (isTTY) expect(out.text()).not.toMatch(OBEYED);
      else expect(out.text()).toBe(file);
    }
  });

  it("sees progress, each line over the last, and nobody else does", async () => {
    for (const isTTY of [true, false]) {
      const [out, err] = [stream(false), stream(isTTY)];
      const output = new Output(out.stream, err.stream, PEOPLE);
      await output.progress("1000 records");
      await output.progress("");
      expect([out.text(), err.text()]).toEqual(["", isTTY ? "\r\u001B[K1000 records\r\u001B[K" : ""]);
    }
  });

  it("sees heads in bold, unless NO_COLOR is set; a file never does", () => {
    vi.stubEnv("TERM", "xterm-256color");
    for (const name of ["CI", "TMUX", "FORCE_COLOR", "NO_COLOR", "NODE_DISABLE_COLORS"]) vi.stubEnv(name, undefined);
    const head = (isTTY: boolean) =>
      new Output(stream(isTTY).stream, stream(isTTY).stream, PEOPLE).table([{ head: "ID", path: "id" }], [])[0];
    expect([head(true), head(false)]).toEqual(["\u001B[1mID\u001B[22m", "ID"]);
    vi.stubEnv("NO_COLOR", "1");
    expect(head(true)).toBe("ID");
  });
});
