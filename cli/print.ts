import type { Row } from "./gateway.ts";

/** One column of a table: its head, and where its value stands in a row. */
export interface Column {
  readonly head: string;
  readonly path: string;
  /** A figure: aligned at its decimal point. */
  readonly figure?: boolean;
}

/** The value at a path of an object, or undefined. A name may hold dots itself, as metadata's names do. */
export function at(value: unknown, path: string): unknown {
  if (path === "") return value;
  if (typeof value !== "object" || value === null) return undefined;
  const own = Object.keys(value).filter((name) => path === name || path.startsWith(`${name}.`));
  for (const name of own.sort((one, other) => other.length - one.length)) {
    const found = at((value as Record<string, unknown>)[name], path.slice(name.length + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

const ABSENT = "-";
const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d+)?Z$/;

/** A value as a cell of one line: what is not there is a dash, a list is its members, a time has no fraction of a second. */
export function cell(value: unknown): string {
  if (value === null || value === undefined || value === "") return ABSENT;
  if (Array.isArray(value)) return value.length === 0 ? ABSENT : value.map(cell).join(", ");
  return printable(typeof value === "string" ? value.replace(TIME, "$1Z") : JSON.stringify(value));
}

/**
 * Text without what a terminal would obey: names, tags and models are written by callers, and an escape sequence among them
 * could rewrite the screen of whoever lists them, or turn a line's direction.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (mark) => `\\u${mark.codePointAt(0)!.toString(16).padStart(4, "0")}`);
}

/** A part of a file, as a terminal may show it: its lines end, and nothing else in it is obeyed. */
export function printableLines(text: string): string {
  return text
    .split(/(\r?\n)/)
    .map((part, at) => (at % 2 === 0 ? printable(part) : part))
    .join("");
}

/** JSON with nothing in it that a terminal would obey; it parses to the same value. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\u007F-\u009F\p{Bidi_Control}]/gu, printable);
}

/** Lines of a table: its head, then its rows. Columns are parted by two blanks, and no line ends in one. */
export function table(columns: readonly Column[], rows: readonly unknown[]): string[] {
  const heads = columns.map(({ head }) => printable(head));
  const body = rows.map((row) => columns.map(({ path }) => cell(at(row, path))));
  const aligned = columns.map(({ figure }, place) => {
    const cells = body.map((cells) => cells[place]!);
    return figure ? atPoint(cells, heads[place]!) : padded([heads[place]!, ...cells]);
  });
  return [heads, ...body].map((_, line) =>
    aligned
      .map((column) => column[line]!)
      .join("  ")
      .trimEnd(),
  );
}

/** Lines of names and values. Names are callers' own too, as metadata's are. */
export function pairs(entries: readonly (readonly [string, unknown])[]): string[] {
  const names = padded(entries.map(([name]) => printable(name)));
  return entries.map(([, value], line) => `${names[line]}  ${cell(value)}`);
}

/** Columns an amount takes on a terminal: wide letters and emoji take two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

const GRAPHEMES = new Intl.Segmenter();
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

function padded(cells: readonly string[]): string[] {
  const width = Math.max(...cells.map(widthOf));
  return cells.map((each) => each + " ".repeat(width - widthOf(each)));
}

/** Figures below each other by their points, under a head that stands at the right. */
function atPoint(cells: readonly string[], head: string): string[] {
  const parts = cells.map((each) => {
    const point = each.indexOf(".");
    return point < 0 ? [each, ""] : [each.slice(0, point), each.slice(point)];
  });
  const whole = Math.max(0, ...parts.map(([left]) => left!.length));
  const fraction = Math.max(0, ...parts.map(([, right]) => right!.length));
  const lines = parts.map(([left, right]) => left!.padStart(whole) + right!.padEnd(fraction));
  const width = Math.max(whole + fraction, head.length);
  return [head.padStart(width), ...lines.map((line) => line.padStart(width))];
}

/** An object's single values, and the lists of objects in it, each by its path. */
type Parts = { readonly values: [string, unknown][]; readonly lists: [string, readonly Row[]][] };

/** An object's single values by their paths, apart from the lists of objects within it. */
export function apart(row: Row, prefix = ""): Parts {
  const parts: Parts = { values: [], lists: [] };
  for (const [name, value] of Object.entries(row)) {
    const path = `${prefix}${name}`;
    if (isObject(value) && Object.keys(value).length > 0) {
      const inner = apart(value, `${path}.`);
      parts.values.push(...inner.values);
      parts.lists.push(...inner.lists);
    } else if (Array.isArray(value) && value.some(isObject)) parts.lists.push([path, value.filter(isObject)]);
    else parts.values.push([path, isObject(value) ? null : value]);
  }
  return parts;
}

/** A column for each value that any of the rows has. */
export function columnsOf(rows: readonly Row[]): Column[] {
  const values = rows.map((row) => apart(row).values);
  const paths = [...new Set(values.flatMap((each) => each.map(([path]) => path)))];
  return paths.map((path) => ({ head: path, path, figure: rows.every((row) => /^-?\d+(\.\d+)?$|^-$/.test(cell(at(row, path)))) }));
}

function isObject(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
