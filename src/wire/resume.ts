import { readAsk } from "./ask.ts";
import type { Ask } from "./contract.ts";
import { appended, objectAt, type Splice, spliced } from "./json-text.ts";

const PREVIOUS = "previous_response_id";

/**
 * A request of Responses that is given its input in whole, by splices of its text; `standsAlone` where it names no earlier response any
 * more. Read anew, since it says more than it did.
 * @throws TollgateError `invalid_request` where it has become too deep or too many.
 */
export function withInput({ body: { text } }: Ask, input: readonly unknown[], standsAlone: boolean): Ask {
  const root = objectAt(text, 0, (key) => key === "input" || key === PREVIOUS);
  const written = JSON.stringify(input);
  const splices = root.members.flatMap(({ key, valueStart, valueEnd }): Splice[] => {
    if (key === "input") return [{ start: valueStart, end: valueEnd, text: written }];
    return standsAlone ? [{ start: valueStart, end: valueEnd, text: "null" }] : [];
  });
  if (!root.members.some(({ key }) => key === "input")) splices.push(appended(root, `"input":${written}`));
  return readAsk("responses", new TextEncoder().encode(spliced(text, splices)));
}
