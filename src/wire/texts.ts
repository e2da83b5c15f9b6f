import { isObject, isSurface } from "#core";
import type { Ask } from "./contract.ts";
import { type FormPart, withFields } from "./form.ts";
import { objectAt, type Splice, spliced } from "./json-text.ts";
import { readSurfaceAsk } from "./surface-ask.ts";
import { type Located, type Strings, stringsIn } from "./strings.ts";

/** A text that one side said to the other, and where its JSON string stands in the body. */
export interface Said {
  /** As the message that holds it names it; null where none does. */
  readonly role: string | null;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What is to stand for what, the longest first. */
export type Redactions = readonly { readonly text: string; readonly with: string }[];

const PROMPTS: ReadonlySet<string> = new Set(["messages", "system", "instructions", "input", "prompt", "suffix", "query", "documents"]);
const ANSWERS: ReadonlySet<string> = new Set(["choices", "content", "output", "text", "segments", "words"]);
/** Names whose strings say what a thing is, and not what anybody says. All others are taken for text: a name that nobody knows may hold some. */
const FACTS: ReadonlySet<string> = new Set([
  "role",
  "type",
  "id",
  "name",
  "object",
  "finish_reason",
  "stop_reason",
  "status",
  "model",
  "media_type",
  "mime_type",
  "tool_use_id",
  "tool_call_id",
  "call_id",
  "item_id",
  "file_id",
  "container_id",
  "signature",
  "encrypted_content",
  "obfuscation",
  "detail",
  "format",
  "ttl",
  "phase",
]);
/** A picture or a file that stands inline. */
const DATA = /^(?:data:[\w.+/;=-]{1,128},)?[A-Za-z0-9+/_-]{256,}={0,2}$/;

/** The texts of a request's prompt, each where it stands: every one that a provider could read, under whichever parser. */
export function saidInRequest({ body: { text } }: Ask): Said[] {
  return saidIn(text, stringsBelow(text, PROMPTS));
}

/** The texts of a whole JSON answer; null where it is no JSON object. */
export function saidInAnswer(text: string): Said[] | null {
  return saysObject(text) ? saidIn(text, stringsBelow(text, ANSWERS)) : null;
}

/** A request whose prompt says other things in the place of some; the same one where it says none of them. */
export function redactRequest(ask: Ask, redactions: Redactions): Ask {
  if (redactions.length === 0) return ask;
  const text = redacted(ask.body.text, stringsBelow(ask.body.text, PROMPTS), redactions);
  if (text === ask.body.text) return ask;
  const value = JSON.parse(text) as Ask["body"]["value"];
  const { form } = ask.body;
  if (form) return { ...ask, body: inForm(ask.body, form, value, text) };
  const bytes = new TextEncoder().encode(text);
  // Where the text itself is billed, another one is billed otherwise.
  if (isSurface(ask.capability)) return { ...readSurfaceAsk(ask.capability, bytes, null), model: ask.model };
  return { ...ask, promptBytes: bytes.byteLength, body: { text, value, bytes } };
}

/** A form whose fields say other things: its parts stand elsewhere then. */
function inForm({ bytes, value: before }: Ask["body"], form: readonly FormPart[], value: Ask["body"]["value"], text: string): Ask["body"] {
  const changed = Object.entries(value).filter(([name, said]) => said !== before[name]);
  const texts = new Map(changed.map(([name, said]) => [name, String(said)]));
  let moved = 0;
  const parts = form.map((part) => {
    const size =
      part.filename === null && texts.has(part.name) ? new TextEncoder().encode(texts.get(part.name)).length : part.end - part.start;
    const start = part.start + moved;
    moved += size - (part.end - part.start);
    return { ...part, start, end: start + size };
  });
  return { bytes: withFields(bytes, form, texts), text, value, form: parts };
}

/** A whole JSON answer that says other things in the place of some; the same text where it says none of them. */
export function redactAnswer(text: string, redactions: Redactions): string {
  return redactions.length > 0 && saysObject(text) ? redacted(text, stringsBelow(text, ANSWERS), redactions) : text;
}

/** A text with others in the place of what it says of them. */
export function redactText(text: string, redactions: Redactions): string {
  const found = finder(redactions);
  if (!found) return text;
  const instead = new Map(redactions.map((each) => [each.text, each.with]));
  return text.replace(found, (hit) => instead.get(hit) ?? "");
}

/** Whether a string at a path may be what somebody says; all that a tool is called with may. */
export function isText({ path }: Pick<Located, "path">): boolean {
  if (path.lastIndexOf("input") > 0) return true;
  const name = path.findLast((step) => typeof step === "string");
  return name === undefined || !FACTS.has(name);
}

/** Finds any of the texts to be redacted, the longest first; null where there is none to look for. */
export function finder(redactions: Redactions): RegExp | null {
  if (redactions.length === 0) return null;
  return new RegExp(redactions.map(({ text }) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), "g");
}

/** What the strings of a text become; those that echo them are emptied where one has changed. */
export function redacted(text: string, { strings, echoes }: Strings, redactions: Redactions): string {
  const found = finder(redactions);
  if (!found) return text;
  const instead = new Map(redactions.map((each) => [each.text, each.with]));
  const changed = strings.flatMap(({ start, end, path }): Splice[] => {
    if (!isText({ path })) return [];
    const before = JSON.parse(text.slice(start, end)) as string;
    const after = before.replace(found, (hit) => instead.get(hit) ?? "");
    return after === before ? [] : [{ start, end, text: JSON.stringify(after) }];
  });
  return changed.length === 0 ? text : spliced(text, [...changed, ...emptied(text, echoes)]);
}

/** Splices that take away what echoes a text that was changed. */
export function emptied(text: string, echoes: readonly Located[]): Splice[] {
  return echoes.map(({ start, end }) => ({ start, end, text: text[start] === "[" ? "[]" : "null" }));
}

function stringsBelow(text: string, names: ReadonlySet<string>): Strings {
  const below = objectAt(text, 0, (key) => names.has(key)).members.map(({ key, valueStart, valueEnd }) =>
    stringsIn(text, valueStart, valueEnd, [key]),
  );
  return { strings: below.flatMap(({ strings }) => strings), echoes: below.flatMap(({ echoes }) => echoes) };
}

function saidIn(text: string, { strings }: Strings): Said[] {
  const decoded = strings.map((each) => ({ ...each, text: JSON.parse(text.slice(each.start, each.end)) as string }));
  const roles = new Map(decoded.filter(({ path }) => path.at(-1) === "role").map(({ path, text: role }) => [ownerOf(path), role]));
  return decoded
    .filter((each) => isText(each) && each.text !== "" && !DATA.test(each.text))
    .map(({ path, text: said, start, end }) => ({ role: roleOf(path, roles), text: said, start, end }));
}

/** The object that a value is a member of. */
function ownerOf(path: Located["path"]): string {
  return JSON.stringify(path.slice(0, -1));
}

/** The role that the innermost object around a value names. */
function roleOf(path: Located["path"], roles: ReadonlyMap<string, string>): string | null {
  for (let depth = path.length - 1; depth > 0; depth--) {
    const role = roles.get(JSON.stringify(path.slice(0, depth)));
    if (role !== undefined) return role;
  }
  const [root] = path;
  return root === "system" || root === "instructions" ? "system" : null;
}

function saysObject(text: string): boolean {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}
