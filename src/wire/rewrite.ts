import type { Ask, Edits } from "./contract.ts";
import { withFields } from "./form.ts";
import { appended, objectAt, type Splice, spliced } from "./json-text.ts";

const encoder = new TextEncoder();
const INCLUDE_USAGE = '"include_usage":true';

/** The request as it goes upstream: the client's own bytes where nothing is changed, else the original text with its splices. */
export function rewrite(ask: Ask, edits: Edits): Uint8Array {
  const { text, bytes, form } = ask.body;
  const values = valuesOf(ask, edits);
  if (values.size === 0) return bytes;
  if (form) return withFields(bytes, form, new Map(edits.model === undefined ? [] : [["model", edits.model]]));
  const root = objectAt(text, 0, (key) => values.has(key));
  const splices: Splice[] = [];
  for (const { key, valueStart, valueEnd } of root.members) {
    splices.push({ start: valueStart, end: valueEnd, text: values.get(key)!(text.slice(valueStart, valueEnd)) });
    values.delete(key);
  }
  const added = [...values].map(([key, value]) => `${JSON.stringify(key)}:${value(null)}`);
  if (added.length > 0) splices.push(appended(root, added.join(",")));
  return encoder.encode(spliced(text, splices));
}

/** The new value of each member that changes, from the text of its present one: null where it is to be put in. */
function valuesOf(ask: Ask, { model, outputCap, includeUsage }: Edits): Map<string, (present: string | null) => string> {
  const values = new Map<string, (present: string | null) => string>();
  if (model !== undefined && model !== ask.model) values.set("model", () => JSON.stringify(model));
  if (outputCap) {
    const cut = ask.outputCaps.filter(({ tokens }) => tokens > outputCap.tokens);
    for (const { name } of ask.outputCaps.length === 0 ? [outputCap] : cut) values.set(name, () => String(outputCap.tokens));
  }
  if (includeUsage === true && !ask.wantsUsage) values.set("stream_options", usageIncluded);
  return values;
}

function usageIncluded(present: string | null): string {
  if (!present?.startsWith("{")) return `{${INCLUDE_USAGE}}`;
  const options = objectAt(present, 0, (key) => key === "include_usage");
  const [standing] = options.members;
  const splice = standing ? { start: standing.valueStart, end: standing.valueEnd, text: "true" } : appended(options, INCLUDE_USAGE);
  return spliced(present, [splice]);
}
