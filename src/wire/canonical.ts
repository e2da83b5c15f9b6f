import { endOfString, objectAt } from "./json-text.ts";

const SPACE = /[\t\n\r ]+/g;

/**
 * The text of a JSON object in one spelling: its members sorted by name, those that are in `without` left out, and no white space
 * between values. Within a value nothing is reordered, no number is read and no escape undone, so that two texts that could be
 * understood differently never come to the same; members that stand twice keep their order.
 */
export function canonical(text: string, without: ReadonlySet<string>): string {
  const { members } = objectAt(text, 0, (key) => !without.has(key));
  const sorted = members.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return sorted.map(({ key, valueStart, valueEnd }) => `${JSON.stringify(key)}:${compact(text.slice(valueStart, valueEnd))}`).join(",");
}

function compact(text: string): string {
  let result = "";
  for (let from = 0; ;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return result + text.slice(from).replace(SPACE, "");
    const end = endOfString(text, quote);
    result += text.slice(from, quote).replace(SPACE, "") + text.slice(quote, end);
    from = end;
  }
}
