import type { Ask, Edits } from "./contract.ts";
import { appended, type Member, objectAt, type Splice, spliced } from "./json-text.ts";

const encoder = new TextEncoder();

/** The request as it goes upstream: the client's own bytes where nothing is changed, else the original text with its splices. */
export function rewrite(ask: Ask, edits: Edits): Uint8Array {
  const { text, bytes } = ask.body;
  const root = objectAt(text, 0);
  const at = (name: string) => root.members.find((member) => member.key === name);
  const splices: Splice[] = [];
  const added: string[] = [];
  const model = at("model");
  if (edits.model !== undefined && model) splices.push(replaced(model, JSON.stringify(edits.model)));
  if (edits.outputCap) {
    const { name, tokens } = edits.outputCap;
    for (const cap of ask.outputCaps) {
      const member = at(cap.name);
      if (cap.tokens > tokens && member) splices.push(replaced(member, String(tokens)));
    }
    if (ask.outputCaps.length === 0) put(at(name), name, String(tokens));
  }
  if (edits.includeUsage === true && !ask.wantsUsage) includeUsage(at("stream_options"));
  if (added.length > 0) splices.push(appended(root, added.join(",")));
  return splices.length === 0 ? bytes : encoder.encode(spliced(text, splices));

  /** Puts a member in; one that stands there as null is given its value. */
  function put(member: Member | undefined, name: string, value: string): void {
    if (member) splices.push(replaced(member, value));
    else added.push(`${JSON.stringify(name)}:${value}`);
  }

  function includeUsage(options: Member | undefined): void {
    if (!options || text[options.valueStart] !== "{") {
      put(options, "stream_options", '{"include_usage":true}');
      return;
    }
    const inner = objectAt(text, options.valueStart);
    const present = inner.members.find((member) => member.key === "include_usage");
    splices.push(present ? replaced(present, "true") : appended(inner, '"include_usage":true'));
  }
}

function replaced(member: Member, text: string): Splice {
  return { start: member.valueStart, end: member.valueEnd, text };
}
