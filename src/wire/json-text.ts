/**
 * Finds things in JSON text without building it anew: every edit of the gateway is a splice of the original, so that what
 * nobody changed stays as it was, byte for byte. All but `shapeOf`, `endOfString` and `skipSpace` take text that is known to parse.
 */

/** A member of an object, by offsets into the text. */
export interface Member {
  /** Decoded. */
  readonly key: string;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** An object's members in order, as far as they were asked for, and the offset of its closing brace. */
export interface ObjectText {
  readonly members: readonly Member[];
  readonly empty: boolean;
  readonly end: number;
}

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [123, 125, 91, 93];
const PRIMITIVE_END = /[,\]}\s]/g;
const SPACES: ReadonlySet<number> = new Set([9, 10, 13, 32]);

/** How much a text would make of itself once parsed. */
export interface Shape {
  /** How deep brackets nest. */
  readonly depth: number;
  /** How many commas stand between values: one fewer than the values, in each list and object. */
  readonly commas: number;
}

/** Measures a text, which need not parse; stops where it passes `max`. Iterative, so that hostile depth costs no stack. */
export function shapeOf(text: string, max: Shape): Shape {
  let level = 0;
  let depth = 0;
  let commas = 0;
  for (let at = 0; at < text.length && depth <= max.depth && commas <= max.commas; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (code === COMMA) commas++;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth = Math.max(depth, ++level);
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) level--;
  }
  return { depth, commas };
}

/** Offset behind the closing quote of the string that opens at `start`; the text's length where it never closes. */
export function endOfString(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

/** Offset of the first thing at or after `at` that is no white space. */
export function skipSpace(text: string, at: number): number {
  for (let next = at; ; next++) if (!SPACES.has(text.charCodeAt(next))) return next;
}

/** Offset behind the value that starts at `start`. */
export function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNest(text, start);
  PRIMITIVE_END.lastIndex = start;
  return PRIMITIVE_END.exec(text)?.index ?? text.length;
}

function endOfNest(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return at + 1;
  }
  return text.length;
}

/**
 * The members of the object whose opening brace is the first thing at or after `from`. Those that are not `wanted` are passed over
 * and not kept, so that a body of millions of keys costs no memory.
 */
export function objectAt(text: string, from: number, wanted: (key: string) => boolean = () => true): ObjectText {
  const members: Member[] = [];
  const first = skipSpace(text, skipSpace(text, from) + 1);
  let at = first;
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(text, at);
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    const key = keyOf(text, at, keyEnd);
    if (wanted(key)) members.push({ key, keyStart: at, valueStart, valueEnd });
    at = skipSpace(text, valueEnd);
    if (text.charCodeAt(at) === CLOSE_BRACE) break;
    at = skipSpace(text, at + 1);
  }
  return { members, empty: at === first, end: at };
}

/** The name that stands in quotes from `start` to `end`. */
export function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start, end);
  return raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

/** The object found by following keys from the object at `from`; null where one is missing or no object. */
export function objectBelow(text: string, from: number, path: readonly string[]): ObjectText | null {
  let start = skipSpace(text, from);
  if (text.charCodeAt(start) !== OPEN_BRACE) return null;
  for (const key of path) {
    const member = objectAt(text, start, (each) => each === key).members.at(-1);
    if (!member || text.charCodeAt(member.valueStart) !== OPEN_BRACE) return null;
    start = member.valueStart;
  }
  return objectAt(text, start);
}

/** One change of a text: what stands between two offsets becomes `text`. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Applies splices that do not overlap, in any order. */
export function spliced(text: string, splices: readonly Splice[]): string {
  let result = "";
  let from = 0;
  for (const splice of splices.toSorted((a, b) => a.start - b.start)) {
    result += text.slice(from, splice.start) + splice.text;
    from = splice.end;
  }
  return result + text.slice(from);
}

/** The splice that puts new members at the end of an object. */
export function appended(object: ObjectText, members: string): Splice {
  return { start: object.end, end: object.end, text: `${object.empty ? "" : ","}${members}` };
}
