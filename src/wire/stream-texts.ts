import type { Capability, Fields } from "#core";
import { skipSpace, type Splice, spliced } from "./json-text.ts";
import { type Located, type Path, stringsIn } from "./strings.ts";
import { emptied, isText } from "./texts.ts";

/** A piece of one run of text that a stream tells in pieces: one choice's words, one tool's arguments. */
export interface Piece {
  /** Which run: pieces of the same one follow each other. */
  readonly run: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** One event of a stream as text, and what it says. */
export interface StreamEvent {
  /** Pieces of runs that go on. */
  readonly pieces: readonly Piece[];
  /** Texts told whole, mostly ones that came in pieces before. */
  readonly wholes: readonly Piece[];
  /** Whether a run ends here. */
  ends(run: string): boolean;
  /** The event's bytes with other texts in the place of some. */
  with(changed: readonly (Pick<Piece, "start" | "end"> & { readonly text: string })[]): Uint8Array;
}

const DATA_LINE = /(^\ufeff?|[\r\n])data: ?([^\r\n]*)/g;
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
const encoder = new TextEncoder();
const NEVER = () => false;
const ALWAYS = () => true;

/** Reads one event. One that carries no JSON object says nothing; `[DONE]` ends every run. */
export function streamEvent(capability: Capability, bytes: Uint8Array): StreamEvent {
  const text = decoder.decode(bytes);
  const lines = [...text.matchAll(DATA_LINE)];
  const json = lines.map(([, , data]) => data).join("\n");
  const fields = fieldsIn(json);
  if (!fields) return { pieces: [], wholes: [], ends: json.trim() === "[DONE]" ? ALWAYS : NEVER, with: () => bytes };
  const { strings, echoes } = stringsIn(json, 0, json.length);
  const said = strings
    .filter((each) => isText(each))
    .map((each) => ({ ...each, text: JSON.parse(json.slice(each.start, each.end)) as string }));
  const { pieces, wholes, ends } = (GRAMMARS[capability] ?? SILENT)(fields, said.filter(({ text: each }) => each !== "")); // prettier-ignore
  return {
    pieces,
    wholes,
    ends,
    with: (changed) => {
      const splices: Splice[] = changed.map(({ start, end, text: instead }) => ({ start, end, text: JSON.stringify(instead) }));
      const edited = spliced(json, [...splices, ...emptied(json, echoes)]);
      return encoder.encode(inLines(text, lines, edited));
    },
  };
}

/** An event with other data: in the first of its data lines, and none in those that it had besides. */
function inLines(text: string, lines: readonly RegExpExecArray[], json: string): string {
  const splices = lines.map(({ index, 0: line, 1: before }, at): Splice => {
    const end = index + line.length;
    return at === 0 ? { start: index, end, text: `${before}data: ${json.replaceAll("\n", " ")}` } : { start: index, end, text: "" };
  });
  return spliced(text, splices);
}

function fieldsIn(json: string): Fields | null {
  if (json[skipSpace(json, 0)] !== "{") return null;
  try {
    return JSON.parse(json) as Fields;
  } catch {
    return null;
  }
}

type Text = Located & { readonly text: string };
type Grammar = (fields: Fields, texts: readonly Text[]) => Pick<StreamEvent, "pieces" | "wholes" | "ends">;

/** Pictures and sound say nothing in text. */
const SILENT: Grammar = () => ({ pieces: [], wholes: [], ends: NEVER });

const GRAMMARS: Readonly<Partial<Record<Capability, Grammar>>> = {
  "chat.completions": ofChoices,
  completions: ofChoices,
  embeddings: ofChoices,
  messages: ofBlocks,
  count_tokens: ofBlocks,
  responses: ofItems,
  "audio.transcriptions": ofItems,
};

/** Chat and completions: a run for each text of each choice. It ends with the choice's reason to end. */
function ofChoices(fields: Fields, texts: readonly Text[]): ReturnType<Grammar> {
  const choices = listOf(fields["choices"]);
  const over = choices.filter((choice) => typeof choice["finish_reason"] === "string").map(({ index }) => `choices.${Number(index ?? 0)}.`);
  return {
    pieces: texts.filter(({ path }) => path[0] === "choices").map((each) => pieceOf(each, runOf(fields, each.path))),
    wholes: [],
    ends: (run) => over.some((prefix) => run.startsWith(prefix)),
  };
}

/** Messages: a run for each text of each content block. It ends where its block stops. */
function ofBlocks(fields: Fields, texts: readonly Text[]): ReturnType<Grammar> {
  const { type, index } = fields;
  const block = `${Number(index ?? 0)}.`;
  const inBlock = texts.filter(({ path }) => path[0] === "delta" || path[0] === "content_block");
  const begins = type === "content_block_start";
  return {
    pieces: inBlock.map((each) => pieceOf(each, `${block}${begins ? each.path.slice(1).join(".") : each.path.at(-1)}`)),
    wholes: [],
    ends: (run) => type === "message_stop" || type === "message_delta" || (type === "content_block_stop" && run.startsWith(block)),
  };
}

const PLACE = ["output_index", "content_index", "summary_index"] as const;
const OVER = new Set<unknown>(["response.completed", "response.incomplete", "response.failed"]);

/** Responses: a run for each kind of delta of each part. Every text is told once more when its part is done, its item, and the whole. */
function ofItems(fields: Fields, texts: readonly Text[]): ReturnType<Grammar> {
  const type = String(fields["type"]);
  const place = PLACE.map((name) => Number(fields[name] ?? 0)).join(".");
  const kind = type.replace(/\.(?:delta|done)$/, "");
  const isDelta = type.endsWith(".delta");
  const told = texts.filter(({ path }) =>
    ["delta", "text", "arguments", "input", "refusal", "code", "part", "item"].includes(String(path[0])),
  );
  const whole = texts.filter(({ path }) => path[0] === "response" && path[1] === "output");
  return {
    pieces: isDelta ? told.map((each) => pieceOf(each, `${place}.${kind}`)) : [],
    wholes: isDelta ? [] : [...told, ...whole].map((each) => pieceOf(each, "")),
    ends: (run) => OVER.has(type) || (type.endsWith(".done") && run.startsWith(`${Number(fields["output_index"] ?? 0)}.`)),
  };
}

function pieceOf({ text, start, end }: Text, run: string): Piece {
  return { run, text, start, end };
}

/** A path whose places in lists are those that their items name, since an event may tell of the third alone. */
function runOf(fields: Fields, path: Path): string {
  let value: unknown = fields;
  const steps: (string | number)[] = [];
  for (const step of path) {
    value = (value as Fields | undefined)?.[step];
    const index = typeof step === "number" ? (value as Fields | undefined)?.["index"] : undefined;
    steps.push(typeof index === "number" ? index : step);
  }
  return steps.join(".");
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter((each): each is Fields => typeof each === "object" && each !== null) : [];
}
