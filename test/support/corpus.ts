import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Texts that estimators are fitted and judged by. All of it is this project's own: written for it, or made here from a seed. */

export const CLASSES = ["prose", "code", "cjk", "scripts", "json", "logs", "emoji", "opaque", "mixed", "marks", "blanks"] as const;
export type TextClass = (typeof CLASSES)[number];

export interface CorpusText {
  readonly class: TextClass;
  readonly name: string;
  readonly text: string;
  /** Whether the fit may see it; the others share no sentence and no line of code with those it sees. */
  readonly seen: boolean;
}

const FOLDER = join(import.meta.dirname, "../corpus");
const CJK = new Set(["zh", "zh-tw", "ja", "ko"]);
const SCRIPTS = new Set(["ar", "he", "hi", "th"]);

type Random = () => number;

/** Numbers in [0, 1) that are the same on every machine. */
function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function whole(next: Random, from: number, to: number): number {
  return from + Math.floor(next() * (to - from + 1));
}

function pick<Item>(next: Random, items: readonly Item[]): Item {
  return items[Math.floor(next() * items.length)]!;
}

function letters(next: Random, alphabet: string, length: number): string {
  let text = "";
  while (text.length < length) text += alphabet[Math.floor(next() * alphabet.length)]!;
  return text;
}

function files(folder: string): { name: string; text: string }[] {
  const names = readdirSync(join(FOLDER, folder)).sort();
  return names.map((name) => ({ name: name.replace(/\.txt$/, ""), text: readFileSync(join(FOLDER, folder, name), "utf8") }));
}

const LANGUAGES = files("prose").map(({ name, text }) => ({ name, sentences: text.trim().split("\n") }));

function sentences(language: string, seen: boolean): string[] {
  const all = LANGUAGES.find(({ name }) => name === language)!.sentences;
  return all.filter((_, at) => (at % 2 === 0) === seen);
}

function proseClass(language: string): TextClass {
  if (CJK.has(language)) return "cjk";
  return SCRIPTS.has(language) ? "scripts" : "prose";
}

/** Shapes in which prose reaches a model. */
const SHAPES = [
  (lines: readonly string[]) => lines.join(" "),
  (lines: readonly string[]) => lines.join("\n\n"),
  (lines: readonly string[]) => lines.map((line) => `- ${line}`).join("\n"),
  (lines: readonly string[]) => `# ${lines[0]!}\n\n${lines.slice(1).join("\n")}`,
];

function proseTexts(): CorpusText[] {
  return LANGUAGES.flatMap(({ name, sentences: all }, index) => {
    const texts = all.length > 16 ? 24 : CJK.has(name) ? 14 : 8;
    return Array.from({ length: texts }, (_, at) => {
      const next = random(index * 1_000 + at);
      const own = sentences(name, at % 2 === 0);
      const length = whole(next, 3, Math.max(3, own.length));
      const start = whole(next, 0, own.length - 1);
      const lines = Array.from({ length }, (_, step) => own[(start + step) % own.length]!);
      return { class: proseClass(name), name: `${name}-${at}`, text: SHAPES[at % SHAPES.length]!(lines), seen: at % 2 === 0 };
    });
  });
}

/** Each file in pieces of some twenty lines; every other piece is kept from the fit. */
function codeTexts(): CorpusText[] {
  return files("code").flatMap(({ name, text }) => {
    const lines = text.trimEnd().split("\n");
    const pieces = Math.max(2, Math.round(lines.length / 18));
    const size = Math.ceil(lines.length / pieces);
    return Array.from({ length: pieces }, (_, at) => ({
      class: "code" as const,
      name: `${name}-${at}`,
      text: lines.slice(at * size, (at + 1) * size).join("\n"),
      seen: at % 2 === 0,
    })).filter((piece) => piece.text !== "");
  });
}

const FIELDS = [
  "id",
  "name",
  "email",
  "status",
  "created_at",
  "amount",
  "currency",
  "customer",
  "items",
  "sku",
  "quantity",
  "notes",
  "active",
];
const FIRST = ["Ada", "Grace", "Linus", "Margaret", "Alan", "Barbara", "Edsger", "Radia", "Donald", "Frances"];
const LAST = ["Lovelace", "Hopper", "Hamilton", "Turing", "Liskov", "Perlman", "Allen", "Dijkstra"];
const HEX = "0123456789abcdef";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function uuid(next: Random): string {
  return [8, 4, 4, 4, 12].map((length) => letters(next, HEX, length)).join("-");
}

function moment(next: Random): string {
  return new Date(1_700_000_000_000 + Math.floor(next() * 9e10)).toISOString();
}

function jsonValue(next: Random, field: string, said: readonly string[]): unknown {
  switch (field) {
    case "id":
      return next() < 0.5 ? uuid(next) : whole(next, 1, 999_999);
    case "name":
    case "customer":
      return `${pick(next, FIRST)} ${pick(next, LAST)}`;
    case "email":
      return `${pick(next, FIRST)}.${pick(next, LAST)}@example.com`.toLowerCase();
    case "created_at":
      return moment(next);
    case "amount":
      return whole(next, 100, 99_999) / 100;
    case "currency":
      return pick(next, ["EUR", "USD", "JPY"]);
    case "status":
      return pick(next, ["pending", "paid", "shipped", "refunded"]);
    case "notes":
      return pick(next, said);
    case "active":
      return next() < 0.5;
    case "items":
      return Array.from({ length: whole(next, 1, 3) }, () => ({ sku: `SKU-${whole(next, 1000, 9999)}`, quantity: whole(next, 1, 12) }));
    case "sku":
      return `SKU-${whole(next, 1000, 9999)}`;
    default:
      return whole(next, 0, 500);
  }
}

function json(next: Random, seen: boolean): string {
  const said = sentences("en", seen);
  const fields = FIELDS.filter(() => next() < 0.6);
  const rows = Array.from({ length: whole(next, 2, 9) }, () =>
    Object.fromEntries(["id", ...fields].map((field) => [field, jsonValue(next, field, said)])),
  );
  return JSON.stringify({ object: "list", data: rows, has_more: next() < 0.5 }, null, next() < 0.5 ? 2 : undefined);
}

const EVENTS = [
  "request completed",
  "connection reset by peer",
  "cache miss",
  "retrying",
  "job finished",
  "token refreshed",
  "disk almost full",
];
const PATHS = ["/v1/orders", "/healthz", "/api/users/{n}/profile", "/static/app.{h}.js", "/search?q=lamp&page={n}"];

function logLine(next: Random, style: number): string {
  const path = pick(next, PATHS)
    .replace("{n}", String(whole(next, 1, 99_999)))
    .replace("{h}", letters(next, HEX, 8));
  const status = pick(next, [200, 201, 204, 301, 400, 404, 500, 503]);
  const address = Array.from({ length: 4 }, () => whole(next, 1, 254)).join(".");
  if (style === 0) return `${address} - - [${moment(next)}] "GET ${path} HTTP/1.1" ${status} ${whole(next, 120, 90_000)} "-" "curl/8.5.0"`;
  if (style === 1)
    return `${moment(next)} ${pick(next, ["INFO ", "WARN ", "ERROR"])} [worker-${whole(next, 1, 16)}] ${pick(next, EVENTS)} path=${path} status=${status} duration_ms=${whole(next, 1, 2_000)}`;
  return JSON.stringify({
    ts: moment(next),
    level: pick(next, ["info", "warn", "error"]),
    msg: pick(next, EVENTS),
    trace: letters(next, HEX, 32),
    ms: whole(next, 1, 999),
  });
}

function logs(next: Random): string {
  const style = whole(next, 0, 2);
  return Array.from({ length: whole(next, 6, 20) }, () => logLine(next, style)).join("\n");
}

const EMOJI = [
  "😀",
  "😂",
  "🥰",
  "😎",
  "🤔",
  "😭",
  "🙏",
  "👍",
  "🎉",
  "🔥",
  "💡",
  "🚀",
  "✨",
  "⭐",
  "🌍",
  "🍕",
  "🐶",
  "🐱",
  "🌸",
  "⚽",
  "🎵",
  "📈",
  "📌",
  "✅",
  "❌",
  "⚠️",
  "❤️",
  "💔",
  "👀",
  "🙌",
  "👩‍💻",
  "👨‍👩‍👧‍👦",
  "🏳️‍🌈",
  "🇩🇪",
  "🇯🇵",
  "👍🏽",
  "🤷‍♀️",
];

function emoji(next: Random, seen: boolean): string {
  const said = sentences("en", seen);
  const dense = next() < 0.4;
  return Array.from({ length: whole(next, 4, 12) }, () => {
    const faces = Array.from({ length: whole(next, dense ? 8 : 1, dense ? 20 : 3) }, () => pick(next, EMOJI)).join(next() < 0.3 ? " " : "");
    return dense ? faces : `${pick(next, said)} ${faces}`;
  }).join(next() < 0.5 ? "\n" : " ");
}

function opaque(next: Random, at: number): string {
  const lines = whole(next, 3, 14);
  const make = [
    () => letters(next, BASE64, 76),
    () => letters(next, HEX, 64),
    () => uuid(next),
    () => `${letters(next, BASE64.slice(0, 62), 43)}.${letters(next, BASE64.slice(0, 62), 86)}`,
  ][at % 4]!;
  return Array.from({ length: lines }, make).join(next() < 0.5 ? "\n" : "");
}

function csv(next: Random): string {
  const rows = Array.from({ length: whole(next, 8, 30) }, () =>
    [whole(next, 1, 99_999), pick(next, FIRST), pick(next, LAST), (next() * 1_000).toFixed(2), moment(next).slice(0, 10)].join(","),
  );
  return ["id,first_name,last_name,amount,date", ...rows].join("\n");
}

/** What people paste into a chat: prose around code, data and other languages. */
function mixed(next: Random, seen: boolean): string {
  const said = sentences("en", seen);
  const code = pick(
    next,
    codeTexts().filter((text) => text.seen === seen),
  );
  const other = sentences(pick(next, LANGUAGES).name, seen);
  const insides = [() => `\`\`\`\n${code.text}\n\`\`\``, () => csv(next), () => pick(next, other), () => logs(next)];
  return [pick(next, said), pick(next, insides)(), pick(next, said), pick(next, other)].join("\n\n");
}

const ACCENTED = ["vi", "fr", "de", "es", "pl", "pt", "tr"];
const FIRST_MARK = 0x300;
const MARKS = 0x70;

/** Letters and their accents apart, as some keyboards and file systems write them; or marks piled upon every letter. */
function marks(next: Random, seen: boolean, at: number): string {
  if (at % 2 === 0) {
    const said = sentences(pick(next, ACCENTED), seen);
    return Array.from({ length: whole(next, 2, 6) }, () => pick(next, said))
      .join(" ")
      .normalize("NFD");
  }
  const most = whole(next, 1, 6);
  const pile = () =>
    Array.from({ length: whole(next, 0, most) }, () => String.fromCharCode(FIRST_MARK + whole(next, 0, MARKS - 1))).join("");
  return pick(next, sentences("en", seen)).replaceAll(/[a-z]/gi, (letter) => letter + pile());
}

/** Columns held apart by spaces, deep indents, empty lines, and tabs and spaces in turn. */
function blanks(next: Random, seen: boolean, at: number): string {
  const words = sentences("en", seen).join(" ").split(" ");
  const gap = [
    () => " ".repeat(whole(next, 2, 60)),
    () => `\n${"\t".repeat(whole(next, 1, 12))}`,
    () => `${"\n".repeat(whole(next, 2, 80))}${" ".repeat(whole(next, 0, 40))}`,
    () => Array.from({ length: whole(next, 2, 24) }, () => pick(next, [" ", "\t", "  "])).join(""),
    () => "\r\n".repeat(whole(next, 1, 8)),
  ][at % 5]!;
  return Array.from({ length: whole(next, 12, 40) }, () => `${pick(next, words)}${gap()}`).join("");
}

function made(kind: TextClass, count: number, make: (next: Random, seen: boolean, at: number) => string): CorpusText[] {
  return Array.from({ length: count }, (_, at) => {
    const seen = at % 8 < 4;
    return { class: kind, name: `${kind}-${at}`, text: make(random(7_919 * (CLASSES.indexOf(kind) + 1) + at), seen, at), seen };
  });
}

/** The corpus, always the same. */
export const CORPUS: readonly CorpusText[] = [
  ...proseTexts(),
  ...codeTexts(),
  ...made("json", 24, json),
  ...made("logs", 24, logs),
  ...made("emoji", 24, emoji),
  ...made("opaque", 24, (next, _, at) => opaque(next, at)),
  ...made("mixed", 24, mixed),
  ...made("marks", 24, marks),
  ...made("blanks", 24, blanks),
];
