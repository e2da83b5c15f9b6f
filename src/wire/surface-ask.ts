import type { Dialect, Fields, Surface } from "#core";
import { governed, readBody } from "./body.ts";
import type { Ask, Body, Extent } from "./contract.ts";
import { readFlag, readModel, readText, requirePresent, wrong } from "./fields.ts";
import { fieldText, type FormPart, formParts, isForm } from "./form.ts";
import { bare, bytesOf, type File, heard, pictures, ranked, spoken } from "./extent.ts";

/** What a surface's request is made of. */
interface Grammar {
  readonly dialect: Dialect;
  readonly bodies: "json" | "form" | "either";
  /** Taken where the request names no model; only where the vendor names it too and it costs nothing. */
  readonly model?: string;
  readonly required: readonly string[];
  /** Fields that are read here, each of which may stand once. */
  readonly read: readonly string[];
  readonly streams: (fields: Fields) => boolean;
  readonly extent: (fields: Fields, files: readonly File[]) => Extent;
}

const NEVER = () => false;
const flagged = (fields: Fields) => readFlag(fields, "stream");
const DRAWN = ["n", "size", "quality", "stream", "frame_count", "partial_images", "prompt", "svg", "output_format", "images"];
const HEARD = ["stream", "prompt", "response_format", "file"];

const GRAMMARS: Readonly<Record<Surface, Grammar>> = {
  "images.generations": {
    dialect: "openai-images",
    bodies: "json",
    required: ["prompt"],
    read: DRAWN,
    streams: flagged,
    extent: pictures,
  },
  "images.edits": { dialect: "openai-images", bodies: "either", required: ["prompt"], read: DRAWN, streams: flagged, extent: pictures },
  "images.variations": { dialect: "openai-images", bodies: "form", required: ["image"], read: DRAWN, streams: NEVER, extent: pictures },
  "audio.speech": {
    dialect: "openai-audio",
    bodies: "json",
    required: ["input"],
    read: ["input", "instructions", "speed", "response_format", "stream_format"],
    streams: (fields) => readText(fields, "stream_format") === "sse",
    extent: spoken,
  },
  "audio.transcriptions": { dialect: "openai-audio", bodies: "form", required: ["file"], read: HEARD, streams: flagged, extent: heard },
  "audio.translations": { dialect: "openai-audio", bodies: "form", required: ["file"], read: HEARD, streams: NEVER, extent: heard },
  moderations: {
    dialect: "openai-moderations",
    bodies: "json",
    model: "omni-moderation-latest",
    required: ["input"],
    read: ["input"],
    streams: NEVER,
    extent: (fields) => ({ pieces: {}, tokens: { input: bytesOf(fields["input"]) }, certain: false }),
  },
  rerank: {
    dialect: "rerank",
    bodies: "json",
    required: ["query", "documents"],
    read: ["query", "documents"],
    streams: NEVER,
    extent: ranked,
  },
};

/**
 * Reads what the gateway must know of a request for pictures, sound, judgements or ranks: a JSON object, or a form.
 * @throws TollgateError `invalid_request` naming the field.
 */
export function readSurfaceAsk(capability: Surface, bytes: Uint8Array, contentType: string | null): Ask {
  const grammar = GRAMMARS[capability];
  const form = isForm(contentType);
  if (grammar.bodies !== "either" && (grammar.bodies === "form") !== form)
    throw wrong("content-type", grammar.bodies === "form" ? "must be multipart/form-data" : "must be application/json");
  const judged = ["model", "user", "safety_identifier", ...grammar.read];
  const { body, files } = form ? readForm(bytes, contentType!, judged) : readJson(bytes, judged);
  const fields = body.value;
  const model = readModel(fields["model"] === undefined && grammar.model !== undefined ? { model: grammar.model } : fields);
  for (const name of grammar.required) if (!files.some((file) => bare(file.name) === name)) requirePresent(fields, name);
  return {
    capability,
    dialect: grammar.dialect,
    model,
    stream: grammar.streams(fields),
    outputCaps: [],
    choices: 1,
    wantsUsage: false,
    endUser: readText(fields, "safety_identifier") || readText(fields, "user") || null,
    serviceTier: null,
    promptBytes: bytes.byteLength,
    uncountable: true,
    tools: false,
    extent: grammar.extent(fields, files),
    body,
  };
}

interface Read {
  readonly body: Body;
  readonly files: readonly File[];
}

function readJson(bytes: Uint8Array, judged: readonly string[]): Read {
  const body = readBody(bytes);
  governed(body.text, 0, new Set(judged));
  return { body, files: [] };
}

/** Fields that JSON would have as something else than text. */
const COUNTS = new Set(["n", "frame_count", "partial_images"]);
const FLAGS = new Set(["stream"]);
/** What comes as a file; anything else that did could be a field to one parser and none to another. */
const FILES = new Set(["file", "image", "mask", "markup"]);

/** A form's plain fields stand in its body's value, as the same request in JSON would have them. */
function readForm(bytes: Uint8Array, contentType: string, judged: readonly string[]): Read {
  const form = formParts(bytes, contentType);
  const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const files: File[] = [];
  for (const part of form) {
    requireOnce(part, [...Object.keys(value), ...files.map(({ name }) => name)], judged);
    if (part.filename === null) value[part.name] = valueOf(part.name, fieldText(bytes, part));
    else if (FILES.has(bare(part.name))) files.push({ name: part.name, bytes: bytes.subarray(part.start, part.end) });
    else throw wrong(part.name, "must be a plain field, without a filename");
  }
  return { body: { bytes, text: JSON.stringify(value), value, form }, files };
}

/** What parsers could take differently is refused: a field that is read here twice, or in other letters. */
function requireOnce({ name }: FormPart, seen: readonly string[], judged: readonly string[]): void {
  const own = judged.find((each) => each === name.toLowerCase());
  if (own === undefined) return;
  if (own !== name) throw wrong(own, "stands in other letters");
  if (seen.includes(name)) throw wrong(name, "stands more than once in the form");
}

function valueOf(name: string, text: string): unknown {
  if (FLAGS.has(name)) return text === "true" ? true : text === "false" ? false : text;
  return COUNTS.has(name) && /^\d{1,9}$/.test(text) ? Number(text) : text;
}
