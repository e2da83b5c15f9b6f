import { isCommonHan, isCommonPair } from "./pairs.ts";
import { known, NEWER, NOWHERE } from "./vocabulary.ts";
import { EMPTY, hashed } from "./word-hash.ts";

/**
 * What a text is made of, as tokenizers see it: words, digits, marks, lines, and letters by script. A text's tokens are a sum over these
 * that can be fitted. Counting them is one pass without any vocabulary, so that no prompt, however built, costs more than its length.
 */
export const FEATURES = [
  "words",
  "newerWords",
  "unknownWords",
  "unknownLetters",
  "shouted",
  "humps",
  "glued",
  "rarePairs",
  "latin",
  "latinExtended",
  "latinStacked",
  "digitGroups",
  "spacedDigits",
  "switches",
  "marks",
  "marksAfterSpace",
  "marksRepeated",
  "marksChanged",
  "lines",
  "indents",
  "tabs",
  "hanCommon",
  "hanOther",
  "hanRuns",
  "hanPairs",
  "newerHanPairs",
  "hiragana",
  "katakana",
  "kanaRuns",
  "kanaPairs",
  "newerKanaPairs",
  "hangul",
  "hangulRuns",
  "hangulPairs",
  "newerHangulPairs",
  "wideMarks",
  "cyrillic",
  "cyrillicRuns",
  "greek",
  "arabic",
  "hebrew",
  "indic",
  "thai",
  "otherLetters",
  "otherRuns",
  "foreignWords",
  "newerForeignWords",
  "symbols",
  "joiners",
  "astral",
  "control",
] as const;
export type Feature = (typeof FEATURES)[number];

const at = Object.fromEntries(FEATURES.map((name, index) => [name, index])) as Readonly<Record<Feature, number>>;

/** Kinds of ASCII characters. */
const [CONTROL, LOWER, UPPER, DIGIT, SPACE, NEWLINE, MARK] = [0, 1, 2, 3, 4, 5, 6];
const ASCII = Uint8Array.from({ length: 128 }, (_, code) => asciiKind(String.fromCharCode(code)));

function asciiKind(character: string): number {
  if (/[a-z]/.test(character)) return LOWER;
  if (/[A-Z]/.test(character)) return UPPER;
  if (/\d/.test(character)) return DIGIT;
  if (/[ \t]/.test(character)) return SPACE;
  if (/[\r\n]/.test(character)) return NEWLINE;
  return /[!-~]/.test(character) ? MARK : CONTROL;
}

/** Scripts beyond ASCII, by the first code unit behind each; what falls in no range is a symbol. */
interface Script {
  readonly until: number;
  readonly letters: Feature;
  /** What a run of it counts for, apart from its letters. */
  readonly runs: Feature | null;
}
const LATIN = { until: 0x100, letters: "latin", runs: null } as const;
const SCRIPTS: readonly Script[] = [
  { until: 0xc0, letters: "symbols", runs: null },
  LATIN,
  { until: 0x250, letters: "latinExtended", runs: null },
  { until: 0x300, letters: "otherLetters", runs: "otherRuns" },
  { until: 0x370, letters: "latinStacked", runs: null },
  { until: 0x400, letters: "greek", runs: "otherRuns" },
  { until: 0x530, letters: "cyrillic", runs: "cyrillicRuns" },
  { until: 0x590, letters: "otherLetters", runs: "otherRuns" },
  { until: 0x600, letters: "hebrew", runs: "otherRuns" },
  { until: 0x780, letters: "arabic", runs: "otherRuns" },
  { until: 0x900, letters: "otherLetters", runs: "otherRuns" },
  { until: 0xe00, letters: "indic", runs: "otherRuns" },
  { until: 0xe80, letters: "thai", runs: "otherRuns" },
  { until: 0x1e00, letters: "otherLetters", runs: "otherRuns" },
  { until: 0x1f00, letters: "latinStacked", runs: null },
  { until: 0x2000, letters: "greek", runs: "otherRuns" },
  { until: 0x200b, letters: "symbols", runs: null },
  { until: 0x2010, letters: "joiners", runs: null },
  { until: 0x2e80, letters: "symbols", runs: null },
  { until: 0x3000, letters: "hanOther", runs: "hanRuns" },
  { until: 0x3040, letters: "wideMarks", runs: null },
  { until: 0x30a0, letters: "hiragana", runs: "kanaRuns" },
  { until: 0x3100, letters: "katakana", runs: "kanaRuns" },
  { until: 0x3400, letters: "otherLetters", runs: "otherRuns" },
  { until: 0xa000, letters: "hanOther", runs: "hanRuns" },
  { until: 0xac00, letters: "otherLetters", runs: "otherRuns" },
  { until: 0xd7b0, letters: "hangul", runs: "hangulRuns" },
  { until: 0xe000, letters: "astral", runs: null },
  { until: 0xf900, letters: "otherLetters", runs: null },
  { until: 0xfb00, letters: "hanOther", runs: "hanRuns" },
  { until: 0xfe00, letters: "arabic", runs: "otherRuns" },
  { until: 0xfe10, letters: "joiners", runs: null },
  { until: 0xff00, letters: "otherLetters", runs: "otherRuns" },
  { until: 0x10000, letters: "wideMarks", runs: null },
];
/** The script of each block of sixteen code units; every bound above but one is such a block's. */
const BLOCKS = Uint8Array.from({ length: 0x1000 }, (_, block) => SCRIPTS.findIndex(({ until }) => block * 16 < until));
const PARTS_OF_WORDS: ReadonlySet<Feature> = new Set(["latin", "latinExtended", "latinStacked"]);
const IN_WORD = Uint8Array.from(SCRIPTS, ({ letters }) => Number(PARTS_OF_WORDS.has(letters)));
const LETTERS = Uint8Array.from(SCRIPTS, ({ letters }) => at[letters]);
const RUNS = Int8Array.from(SCRIPTS, ({ runs }) => (runs === null ? -1 : at[runs]));
/** Where the known pairs of a script are counted, those that only newer tokenizers know right behind; by the script's letters. */
const PAIRED = Uint8Array.from(FEATURES, (name) => pairsOf(name));

function pairsOf(letters: Feature): number {
  if (letters === "hanOther") return at.hanPairs;
  if (letters === "hangul") return at.hangulPairs;
  return letters === "hiragana" || letters === "katakana" ? at.kanaPairs : 0;
}
/** Scripts beyond Latin whose words are looked up. */
const SPELT = Uint8Array.from(FEATURES, (name) => Number(name === "cyrillic" || name === "greek"));

const TAB = 9;
const A_LOWER = 97;
const CASE = 32;
const LETTERS_OF_ENGLISH = 26;
/** Shorter words are one token almost everywhere. */
export const KNOWN_LENGTH_MIN = 4;
const DIGITS_PER_TOKEN = 3;

/** Counts of one text or of several together, and its bytes in UTF-8. */
export class Features {
  readonly counts = new Float64Array(FEATURES.length);
  bytes = 0;

  /** Counts a text in. */
  add(text: string): this {
    for (let from = 0; from < text.length;) from = this.#run(text, from);
    return this;
  }

  /** One run of characters of a kind; returns where the next begins. */
  #run(text: string, from: number): number {
    const code = text.charCodeAt(from);
    if (code >= 128) return IN_WORD[BLOCKS[code >> 4]!] === 1 ? this.#word(text, from) : this.#foreign(text, from);
    switch (ASCII[code]) {
      case LOWER:
      case UPPER:
        return this.#word(text, from);
      case DIGIT:
        return this.#digits(text, from);
      case SPACE:
        return this.#space(text, from);
      case NEWLINE:
        return this.#newlines(text, from);
      case MARK:
        return this.#marks(text, from);
      default:
        return this.#control(from);
    }
  }

  /** Letters of the Latin script up to a hump (`camelCase` has one) or the end of the word. */
  #word(text: string, from: number): number {
    let end = from;
    let before = -1;
    let upper = 0;
    let rare = 0;
    let hash = EMPTY;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      const kind = code < 128 ? ASCII[code]! : this.#accent(code);
      if (kind !== LOWER && kind !== UPPER) break;
      if (kind === UPPER && upper++ < end - from) break;
      const folded = code < 128 ? code | CASE : code;
      const letter = folded - A_LOWER;
      if (before >= 0 && letter < LETTERS_OF_ENGLISH && !isCommonPair(before, letter)) rare++;
      before = letter < LETTERS_OF_ENGLISH ? letter : -1;
      hash = hashed(hash, folded);
    }
    this.bytes += end - from;
    this.#judge(hash, end - from, { rare, upper: Math.min(upper, end - from) });
    this.#begun(text, from);
    return end;
  }

  #judge(hash: number, length: number, { rare, upper }: { readonly rare: number; readonly upper: number }): void {
    const { counts } = this;
    counts[at.words]!++;
    if (upper > 1) counts[at.shouted]! += upper;
    if (length < KNOWN_LENGTH_MIN) return;
    const level = known(hash);
    if (level === NEWER) counts[at.newerWords]!++;
    if (level !== NOWHERE) return;
    counts[at.unknownWords]!++;
    counts[at.unknownLetters]! += length;
    counts[at.rarePairs]! += rare;
  }

  /** A Latin letter beyond ASCII, which counts as a small one. */
  #accent(code: number): number {
    const script = BLOCKS[code >> 4]!;
    if (IN_WORD[script] !== 1) return CONTROL;
    this.counts[LETTERS[script]!]!++;
    this.bytes += code < 0x800 ? 1 : 2;
    return LOWER;
  }

  /** What stands before a word changes how it is cut. */
  #begun(text: string, from: number): void {
    const code = from === 0 ? 32 : text.charCodeAt(from - 1);
    const kind = code < 128 ? ASCII[code] : LOWER;
    if (kind === LOWER || kind === UPPER) this.counts[at.humps]!++;
    else if (kind === DIGIT) this.counts[at.switches]!++;
    else if (kind === MARK) this.counts[at.glued]!++;
  }

  #digits(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && ASCII[text.charCodeAt(end)] === DIGIT) end++;
    const before = from === 0 ? NEWLINE : ASCII[text.charCodeAt(from - 1)];
    this.counts[at.digitGroups]! += Math.ceil((end - from) / DIGITS_PER_TOKEN);
    if (before === SPACE) this.counts[at.spacedDigits]!++;
    if (before === LOWER || before === UPPER) this.counts[at.switches]!++;
    this.bytes += end - from;
    return end;
  }

  /** A single space belongs to what follows it. */
  #space(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && ASCII[text.charCodeAt(end)] === SPACE) end++;
    if (text.charCodeAt(from) === TAB) this.counts[at.tabs]!++;
    else if (end - from > 1) this.counts[at.indents]!++;
    this.bytes += end - from;
    return end;
  }

  #newlines(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && ASCII[text.charCodeAt(end)] === NEWLINE) end++;
    this.counts[at.lines]!++;
    this.bytes += end - from;
    return end;
  }

  #marks(text: string, from: number): number {
    const { counts } = this;
    let end = from + 1;
    for (; end < text.length && ASCII[text.charCodeAt(end)] === MARK; end++) {
      counts[text.charCodeAt(end) === text.charCodeAt(end - 1) ? at.marksRepeated : at.marksChanged]!++;
    }
    counts[from > 0 && ASCII[text.charCodeAt(from - 1)] === SPACE ? at.marksAfterSpace : at.marks]!++;
    this.bytes += end - from;
    return end;
  }

  #control(from: number): number {
    this.counts[at.control]!++;
    this.bytes++;
    return from + 1;
  }

  /** Letters of one other script. */
  #foreign(text: string, from: number): number {
    const script = BLOCKS[text.charCodeAt(from) >> 4]!;
    let end = from;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code < 128 || BLOCKS[code >> 4] !== script) break;
      this.bytes += code < 0x800 ? 2 : isSurrogate(code) ? 2 : 3;
    }
    const letters = LETTERS[script]!;
    if (PAIRED[letters] !== 0) this.#pairs(text, from, end);
    else if (SPELT[letters] === 0 || !this.#knownRun(text, from, end)) this.counts[letters]! += end - from;
    if (RUNS[script]! >= 0) this.counts[RUNS[script]!]!++;
    return end;
  }

  /** Whether a run of letters is a word that is known whole; counts it if so. */
  #knownRun(text: string, from: number, end: number): boolean {
    let hash = EMPTY;
    for (let index = from; index < end; index++) hash = hashed(hash, folded(text.charCodeAt(index)));
    const level = known(hash);
    if (level === NOWHERE) return false;
    this.counts[level === NEWER ? at.newerForeignWords : at.foreignWords]!++;
    return true;
  }

  /** Scripts that write words without spaces: what is known are pairs of characters. */
  #pairs(text: string, from: number, end: number): void {
    const letters = LETTERS[BLOCKS[text.charCodeAt(from) >> 4]!]!;
    const pairs = PAIRED[letters]!;
    for (let index = from; index < end;) {
      const code = text.charCodeAt(index);
      const level = index + 1 < end ? known(hashed(hashed(EMPTY, code), text.charCodeAt(index + 1))) : NOWHERE;
      if (level !== NOWHERE) this.counts[level === NEWER ? pairs + 1 : pairs]!++;
      else if (letters === at.hanOther && isCommonHan(code)) this.counts[at.hanCommon]!++;
      else this.counts[letters]!++;
      index += level === NOWHERE ? 1 : 2;
    }
  }
}

/** Capitals of Greek and Cyrillic as small letters; those of other scripts have none or are rare. */
function folded(code: number): number {
  if (code >= 0x410 && code < 0x430) return code + 0x20;
  return code >= 0x391 && code < 0x3aa ? code + 0x20 : code;
}

/** Half of a pair that makes four bytes; one without its other half is sent as three bytes, which a body of valid UTF-8 never holds. */
function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xe000;
}
