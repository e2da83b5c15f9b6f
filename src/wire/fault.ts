import { endOfString, skipSpace } from "./json-text.ts";

/** Longer texts are not searched: whoever sends one has better tools, and a refusal must be cheap. */
const SEARCHED_MAX = 1_048_576;
const STRUCTURE = "{}[],:";
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** What must come next: `opened` is before the first thing of a list or object, `closed` behind a whole value. */
type State = "value" | "key" | "colon" | "opened" | "closed";

/** Where a text that does not parse stops being JSON: the offset of the first token that cannot stand there; null for a long text. */
export function faultAt(text: string): number | null {
  if (text.length > SEARCHED_MAX) return null;
  const closers: string[] = [];
  let state: State = "value";
  for (let at = skipSpace(text, 0); at < text.length;) {
    const end = endOfToken(text, at);
    const next: State | null = end === at ? null : after(state, text[at]!, closers);
    if (next === null) return at;
    state = next;
    at = skipSpace(text, end);
  }
  return text.length;
}

/** The state behind a token that starts with `first`; null where it cannot stand. Keeps `closers` as brackets open and close. */
function after(state: State, first: string, closers: string[]): State | null {
  const closer = closers.at(-1);
  if (first === closer && (state === "opened" || state === "closed")) {
    closers.pop();
    return "closed";
  }
  const next = state === "opened" ? within(closer) : state;
  if (next === "closed") return first === "," && closer !== undefined ? within(closer) : null;
  if (next === "key") return first === '"' ? "colon" : null;
  if (next === "colon") return first === ":" ? "value" : null;
  return afterValue(first, closers);
}

function afterValue(first: string, closers: string[]): State | null {
  if (first !== "{" && first !== "[") return STRUCTURE.includes(first) ? null : "closed";
  closers.push(first === "{" ? "}" : "]");
  return "opened";
}

/** What a list or an object holds. */
function within(closer: string | undefined): "key" | "value" {
  return closer === "}" ? "key" : "value";
}

/** Offset behind a bracket, a comma, a colon, a string, a number or a word; `at` itself where none stands there. */
function endOfToken(text: string, at: number): number {
  const first = text[at]!;
  if (STRUCTURE.includes(first)) return at + 1;
  if (first !== '"') {
    SCALAR.lastIndex = at;
    return SCALAR.test(text) ? SCALAR.lastIndex : at;
  }
  const end = endOfString(text, at);
  try {
    JSON.parse(text.slice(at, end));
    return end;
  } catch {
    return at;
  }
}
