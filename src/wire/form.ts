import { TollgateError } from "#core";
import { joined } from "./bytes.ts";
import { wrong } from "./fields.ts";

/** One part of a form, by offsets into the body's bytes. */
export interface FormPart {
  readonly name: string;
  /** Null for a plain field. */
  readonly filename: string | null;
  readonly start: number;
  readonly end: number;
}

const PARTS_MAX = 200;
const HEADERS_MAX = 4_096;
/** A plain field is a prompt at the longest. */
const FIELD_MAX = 256 * 1024;
const [CR, LF] = [13, 10];
const BOUNDARY = /^multipart\/form-data\s*;(?:[^;"]*;)*?\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))\s*$/i;
const DISPOSITION = /^form-data; *name="([^"\r\n]{1,256})"(?:; *filename="([^"\r\n]{0,1024})")?(?:; *filename\*=[\w%'.~-]{1,1024})?$/i;
/** Headers of a part that change nothing of how it is read. */
const HEADERS = /^content-(?:disposition:|type:|length:|transfer-encoding: *(?:binary|8bit|7bit)$)/i;

const encoder = new TextEncoder();
const ascii = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function malformed(what: string): TollgateError {
  return new TollgateError("invalid_request", `The form ${what}`, { param: "content-type" });
}

/** Whether a content type is that of a form. */
export function isForm(contentType: string | null): boolean {
  return contentType !== null && /^multipart\/form-data/i.test(contentType.trim());
}

/**
 * Finds the parts of a form without copying what is in them. Stricter than the standard, so that no other parser reads another form out
 * of the same bytes: nothing stands before, between or behind the parts, no header comes twice, and nothing is encoded.
 * @throws TollgateError `invalid_request` saying what is wrong.
 */
export function formParts(bytes: Uint8Array, contentType: string): FormPart[] {
  const [, quoted, plain] = BOUNDARY.exec(contentType.trim()) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw malformed("has no boundary in its content-type, or more beside it");
  const delimiter = encoder.encode(`\r\n--${boundary}`);
  const parts: FormPart[] = [];
  if (!matches(bytes, 0, delimiter.subarray(2))) throw malformed("must begin with its boundary");
  for (let at = delimiter.length - 2; !ends(bytes, at);) {
    if (parts.length >= PARTS_MAX) throw malformed(`holds more than ${PARTS_MAX} parts`);
    if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed("is broken behind a boundary");
    const start = bodyStart(bytes, at + 2);
    const end = indexOf(bytes, start, delimiter);
    if (end === -1) throw malformed("ends within a part");
    parts.push({ ...described(ascii.decode(bytes.subarray(at + 2, start - 4))), start, end });
    at = end + delimiter.length;
  }
  return parts;
}

/** The text of a plain field. @throws TollgateError naming it where it is too long or no UTF-8. */
export function fieldText(bytes: Uint8Array, { name, start, end }: FormPart): string {
  if (end - start > FIELD_MAX) throw wrong(name, `must hold at most ${FIELD_MAX} bytes`);
  try {
    return ascii.decode(bytes.subarray(start, end));
  } catch {
    throw wrong(name, "is not valid UTF-8");
  }
}

/** A form with other texts in some of its plain fields: all other bytes stay, the boundary included. */
export function withFields(bytes: Uint8Array, parts: readonly FormPart[], texts: ReadonlyMap<string, string>): Uint8Array {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const { name, filename, start, end } of parts) {
    const text = filename === null ? texts.get(name) : undefined;
    if (text === undefined) continue;
    pieces.push(bytes.subarray(from, start), encoder.encode(text));
    from = end;
  }
  pieces.push(bytes.subarray(from));
  return joined(pieces);
}

/** Whether the form closes here, with nothing but a line end behind it. */
function ends(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 45 || bytes[at + 1] !== 45) return false;
  const left = bytes.length - at - 2;
  if (left === 0 || (left === 2 && bytes[at + 2] === CR && bytes[at + 3] === LF)) return true;
  throw malformed("goes on behind its end");
}

/** Where a part's content begins: behind the blank line. */
function bodyStart(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(CR, from); at !== -1 && at - from < HEADERS_MAX; at = bytes.indexOf(CR, at + 1))
    if (bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at + 4;
  throw malformed("has a part whose headers do not end");
}

function described(headers: string): Pick<FormPart, "name" | "filename"> {
  const lines = headers.split("\r\n");
  if (!lines.every((line) => HEADERS.test(line))) throw malformed("has a part with other headers than a plain one has");
  const dispositions = lines.filter((line) => /^content-disposition:/i.test(line));
  if (dispositions.length !== 1) throw malformed("has a part that is not named once");
  const [, name, filename] = DISPOSITION.exec(dispositions[0]!.slice("content-disposition:".length).trim()) ?? [];
  if (name === undefined) throw malformed("has a part without a plain name");
  return { name, filename: filename ?? null };
}

function matches(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return at + wanted.length <= bytes.length && wanted.every((byte, place) => bytes[at + place] === byte);
}

function indexOf(bytes: Uint8Array, from: number, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(CR, from); at !== -1; at = bytes.indexOf(CR, at + 1)) if (matches(bytes, at, wanted)) return at;
  return -1;
}
