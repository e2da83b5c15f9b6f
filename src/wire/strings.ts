import { endOfString, endOfValue, keyOf, skipSpace } from "./json-text.ts";

/** How a value is reached: by members' names, and places in lists. */
export type Path = readonly (string | number)[];

/** A value of a JSON text: how it is reached, and where it stands. */
export interface Located {
  readonly path: Path;
  readonly start: number;
  readonly end: number;
}

/** The strings of a value, and apart from them what echoes strings token by token: who changes a string must not leave its echo. */
export interface Strings {
  readonly strings: readonly Located[];
  readonly echoes: readonly Located[];
}

const ECHO = "logprobs";
const [QUOTE, COMMA, COLON, OPEN_BRACE, OPEN_BRACKET, CLOSE_BRACE, CLOSE_BRACKET] = [34, 44, 58, 123, 91, 125, 93];

/**
 * Finds the strings of the value that stands from `from` to `to`, members that stand twice included: what one parser takes the last
 * of, another takes the first of. Iterative, so that depth costs no stack. The text is known to parse.
 */
export function stringsIn(text: string, from: number, to: number, root: Path = []): Strings {
  const strings: Located[] = [];
  const echoes: Located[] = [];
  /** How the value at hand is reached: the last step is the place in the innermost list, or the name in the innermost object. */
  const path = [...root];
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = takeString(at) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) path.push(0);
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) path.pop();
    else if (code === COMMA) advance();
  }
  return { strings, echoes };

  /** Takes a string value, or a name and, where it echoes, its whole value. Answers where to go on. */
  function takeString(start: number): number {
    const end = endOfString(text, start);
    const colon = skipSpace(text, end);
    if (colon >= to || text.charCodeAt(colon) !== COLON) {
      strings.push({ path: [...path], start, end });
      return end;
    }
    path[path.length - 1] = keyOf(text, start, end);
    if (path.at(-1) !== ECHO) return colon + 1;
    const valueStart = skipSpace(text, colon + 1);
    const valueEnd = endOfValue(text, valueStart);
    echoes.push({ path: [...path], start: valueStart, end: valueEnd });
    return valueEnd;
  }

  function advance(): void {
    const last = path.at(-1);
    if (typeof last === "number") path[path.length - 1] = last + 1;
  }
}
