import { endOfString, objectAt, skipSpace } from "./json-text.ts";

/** No request has so many members; an object that has is not sorted, so that it takes no more memory than its text. */
const MEMBERS_MAX = 1_000;
const STRING_OR_SPACE = /["\t\n\r ]/g;

/**
 * The text of a JSON object in one spelling: its members sorted by name, those that are in `without` left out, and no white space
 * between values. Within a value nothing is reordered, no number is read and no escape undone, so that two texts that could be
 * understood differently never come to the same; members that stand twice keep their order.
 */
export function canonical(text: string, without: ReadonlySet<string>): string {
  let count = 0;
  const { members } = objectAt(text, 0, (key) => ++count <= MEMBERS_MAX && !without.has(key));
  if (count > MEMBERS_MAX) return compact(text);
  const sorted = members.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return sorted.map(({ key, valueStart, valueEnd }) => `${JSON.stringify(key)}:${compact(text.slice(valueStart, valueEnd))}`).join(",");
}

function compact(text: string): string {
  const parts: string[] = [];
  let from = 0;
  STRING_OR_SPACE.lastIndex = 0;
  for (let found = STRING_OR_SPACE.exec(text); found; found = STRING_OR_SPACE.exec(text)) {
    if (found[0] === '"') STRING_OR_SPACE.lastIndex = endOfString(text, found.index);
    else {
      parts.push(text.slice(from, found.index));
      from = skipSpace(text, found.index);
      STRING_OR_SPACE.lastIndex = from;
    }
  }
  return from === 0 ? text : parts.join("") + text.slice(from);
}
