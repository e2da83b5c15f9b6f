/**
 * What a text is made of, as tokenizers see it: words, digits, marks, lines, and letters by script. A text's tokens are a sum over these
 * that can be fitted. Counting them is one pass without any vocabulary, so that no prompt, however built, costs more than its length.
 */
export const FEATURES = [
  "words",
  "newerWords",
  "newerLetters",
  "newerAccents",
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
  "blanksChanged",
  "blanksLong",
  "linesLong",
  "combining",
  "combiningRuns",
  "knownCombining",
  "newerCombining",
  "hanSingles",
  "newerHanSingles",
  "hanOther",
  "hanRuns",
  "hanPairs",
  "newerHanPairs",
  "hiragana",
  "katakana",
  "kanaRuns",
  "kanaPairs",
  "newerKanaPairs",
  "kanaSingles",
  "newerKanaSingles",
  "hangul",
  "hangulRuns",
  "hangulPairs",
  "newerHangulPairs",
  "hangulSingles",
  "newerHangulSingles",
  "hardInPairs",
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
  "controls",
] as const;
export type Feature = (typeof FEATURES)[number];

/** The place of each feature among the counts. */
export const at = Object.fromEntries(FEATURES.map((name, index) => [name, index])) as Readonly<Record<Feature, number>>;

/** Kinds of ASCII characters, and the kind of each. */
export const CONTROL = 0;
export const LOWER = 1;
export const UPPER = 2;
export const DIGIT = 3;
export const SPACE = 4;
export const NEWLINE = 5;
export const MARK = 6;
export const ASCII = Uint8Array.from({ length: 128 }, (_, code) => asciiKind(String.fromCharCode(code)));

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
const SCRIPTS: readonly Script[] = [
  { until: 0xc0, letters: "symbols", runs: null },
  { until: 0x100, letters: "latin", runs: null },
  { until: 0x250, letters: "latinExtended", runs: null },
  { until: 0x300, letters: "otherLetters", runs: "otherRuns" },
  { until: 0x370, letters: "combining", runs: "combiningRuns" },
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
/** The script of each block of sixteen code units; every bound above is such a block's. */
export const BLOCKS = Uint8Array.from({ length: 0x1000 }, (_, block) => SCRIPTS.findIndex(({ until }) => block * 16 < until));
const PARTS_OF_WORDS: ReadonlySet<Feature> = new Set(["latin", "latinExtended", "latinStacked"]);
/** Whether a script's letters are parts of Latin words. */
export const IN_WORD = Uint8Array.from(SCRIPTS, ({ letters }) => Number(PARTS_OF_WORDS.has(letters)));
/** Where a script's letters are counted. */
export const LETTERS = Uint8Array.from(SCRIPTS, ({ letters }) => at[letters]);
/** Where runs of a script are counted; -1 where they are not. */
export const RUNS = Int8Array.from(SCRIPTS, ({ runs }) => (runs === null ? -1 : at[runs]));
/** Where the known characters of scripts without spaces are counted, those that only newer tokenizers know right behind. */
export const SINGLES = Uint8Array.from(FEATURES, (name) => singlesOf(name));

function singlesOf(letters: Feature): number {
  if (letters === "hanOther") return at.hanSingles;
  if (letters === "combining") return at.knownCombining;
  if (letters === "hangul") return at.hangulSingles;
  return letters === "hiragana" || letters === "katakana" ? at.kanaSingles : 0;
}

/** Where the known pairs of a script are counted, those that only newer tokenizers know right behind; by the script's letters. */
export const PAIRED = Uint8Array.from(FEATURES, (name) => pairsOf(name));

function pairsOf(letters: Feature): number {
  if (letters === "hanOther") return at.hanPairs;
  if (letters === "hangul") return at.hangulPairs;
  return letters === "hiragana" || letters === "katakana" ? at.kanaPairs : 0;
}
/** Scripts beyond Latin whose words are looked up. */
export const SPELT = Uint8Array.from(FEATURES, (name) => Number(name === "cyrillic" || name === "greek"));

/** Capitals of Greek and Cyrillic as small letters; those of other scripts have none or are rare. */
export function folded(code: number): number {
  if (code >= 0x410 && code < 0x430) return code + 0x20;
  return code >= 0x391 && code < 0x3aa ? code + 0x20 : code;
}
