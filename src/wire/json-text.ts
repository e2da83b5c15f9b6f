/**
 * Finds things in JSON text without building it anew: every edit of the gateway is a splice of the original, so that what
 * nobody changed stays as it was, byte for byte. All functions but `depthOf` take text that is known to parse.
 */

/** A member of an object, by offsets into the text. */
export interface Member {
  /** Decoded. */
  readonly key: string;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** An object's members in order, and the offset of its closing brace. */
export interface ObjectText {
  readonly members: readonly Member[];
  readonly end: number;
}

const QUOTE = 34;
const BACKSLASH = 92;
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [123, 125, 91, 93];
const PRIMITIVE_END = /[,\]}\s]/g;
const NOT_SPACE = /[^ \t\n\r]/g;

/** How deep brackets nest, outside strings; stops counting above `max`. Iterative, so that hostile depth costs no stack. */
export function depthOf(text: string, max: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
    if (deepest > max) return deepest;
  }
  return deepest;
}

/** Offset behind the closing quote of the string that opens at `start`; the text's length where it never closes. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function skipSpace(text: string, at: number): number {
  NOT_SPACE.lastIndex = at;
  return NOT_SPACE.exec(text)?.index ?? text.length;
}

/** Offset behind the value that starts at `start`. */
function endOfValue(text: string, start: number): number {
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

/** The members of the object whose opening brace is the first thing at or after `from`. */
export function objectAt(text: string, from: number): ObjectText {
  const members: Member[] = [];
  let at = skipSpace(text, skipSpace(text, from) + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(text, at);
    const raw = text.slice(at, keyEnd);
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    members.push({ key: raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1), keyStart: at, valueStart, valueEnd });
    at = skipSpace(text, valueEnd);
    if (text.charCodeAt(at) === CLOSE_BRACE) break;
    at = skipSpace(text, at + 1);
  }
  return { members, end: at };
}

/** The object found by following keys from the object at `from`; null where one is missing or no object. */
export function objectBelow(text: string, from: number, path: readonly string[]): ObjectText | null {
  let start = from;
  for (const key of path) {
    const member = objectAt(text, start).members.findLast((each) => each.key === key);
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
  return { start: object.end, end: object.end, text: `${object.members.length > 0 ? "," : ""}${members}` };
}
