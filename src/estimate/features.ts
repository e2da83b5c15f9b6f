import {
  ASCII,
  at,
  BLOCKS,
  CONTROL,
  DIGIT,
  FEATURES,
  folded,
  IN_WORD,
  LETTERS,
  LOWER,
  MARK,
  NEWLINE,
  PAIRED,
  RUNS,
  SPACE,
  SPELT,
  UPPER,
} from "./alphabet.ts";
import { isCommonHan, isCommonPair } from "./pairs.ts";
import { known, NEWER, NOWHERE } from "./vocabulary.ts";
import { EMPTY, hashed } from "./word-hash.ts";

/** Places of the features that are counted one by one. */
const {
  controls: CONTROLS,
  digitGroups: DIGIT_GROUPS,
  foreignWords: FOREIGN_WORDS,
  glued: GLUED,
  hanCommon: HAN_COMMON,
  hanOther: HAN_OTHER,
  humps: HUMPS,
  indents: INDENTS,
  lines: LINES,
  marks: MARKS,
  marksAfterSpace: MARKS_AFTER_SPACE,
  marksChanged: MARKS_CHANGED,
  marksRepeated: MARKS_REPEATED,
  newerForeignWords: NEWER_FOREIGN_WORDS,
  newerWords: NEWER_WORDS,
  rarePairs: RARE_PAIRS,
  shouted: SHOUTED,
  spacedDigits: SPACED_DIGITS,
  switches: SWITCHES,
  tabs: TABS,
  unknownLetters: UNKNOWN_LETTERS,
  unknownWords: UNKNOWN_WORDS,
  words: WORDS,
} = at;

const TAB = 9;
const A_LOWER = 97;
const CASE = 32;
const LETTERS_OF_ENGLISH = 26;
/** Shorter words are one token almost everywhere. */
const KNOWN_LENGTH_MIN = 4;
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

  /** So many times as much of everything. */
  times(factor: number): Features {
    const scaled = new Features();
    scaled.bytes = Math.ceil(this.bytes * factor);
    scaled.counts.set(this.counts.map((count) => count * factor));
    return scaled;
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
      if (kind !== LOWER) {
        if (kind !== UPPER || upper++ < end - from) break;
      }
      const folded = code < 128 ? code | CASE : code;
      hash = hashed(hash, folded);
      const letter = folded - A_LOWER;
      if (letter < LETTERS_OF_ENGLISH) {
        if (before >= 0 && !isCommonPair(before, letter)) rare++;
        before = letter;
      } else before = -1;
    }
    this.bytes += end - from;
    this.#judge(hash, end - from, rare);
    if (upper > 1) this.counts[SHOUTED]! += Math.min(upper, end - from);
    this.#begun(text, from);
    return end;
  }

  #judge(hash: number, length: number, rare: number): void {
    const { counts } = this;
    counts[WORDS]!++;
    if (length < KNOWN_LENGTH_MIN) return;
    const level = known(hash);
    if (level === NEWER) counts[NEWER_WORDS]!++;
    if (level !== NOWHERE) return;
    counts[UNKNOWN_WORDS]!++;
    counts[UNKNOWN_LETTERS]! += length;
    counts[RARE_PAIRS]! += rare;
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
    if (kind === LOWER || kind === UPPER) this.counts[HUMPS]!++;
    else if (kind === DIGIT) this.counts[SWITCHES]!++;
    else if (kind === MARK) this.counts[GLUED]!++;
  }

  #digits(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && ASCII[text.charCodeAt(end)] === DIGIT) end++;
    const before = from === 0 ? NEWLINE : ASCII[text.charCodeAt(from - 1)];
    this.counts[DIGIT_GROUPS]! += Math.ceil((end - from) / DIGITS_PER_TOKEN);
    if (before === SPACE) this.counts[SPACED_DIGITS]!++;
    if (before === LOWER || before === UPPER) this.counts[SWITCHES]!++;
    this.bytes += end - from;
    return end;
  }

  /** A single space belongs to what follows it. */
  #space(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && ASCII[text.charCodeAt(end)] === SPACE) end++;
    if (text.charCodeAt(from) === TAB) this.counts[TABS]!++;
    else if (end - from > 1) this.counts[INDENTS]!++;
    this.bytes += end - from;
    return end;
  }

  #newlines(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && ASCII[text.charCodeAt(end)] === NEWLINE) end++;
    this.counts[LINES]!++;
    this.bytes += end - from;
    return end;
  }

  #marks(text: string, from: number): number {
    const { counts } = this;
    let end = from + 1;
    for (; end < text.length && ASCII[text.charCodeAt(end)] === MARK; end++) {
      counts[text.charCodeAt(end) === text.charCodeAt(end - 1) ? MARKS_REPEATED : MARKS_CHANGED]!++;
    }
    counts[from > 0 && ASCII[text.charCodeAt(from - 1)] === SPACE ? MARKS_AFTER_SPACE : MARKS]!++;
    this.bytes += end - from;
    return end;
  }

  #control(from: number): number {
    this.counts[CONTROLS]!++;
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
    this.counts[level === NEWER ? NEWER_FOREIGN_WORDS : FOREIGN_WORDS]!++;
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
      else if (letters === HAN_OTHER && isCommonHan(code)) this.counts[HAN_COMMON]!++;
      else this.counts[letters]!++;
      index += level === NOWHERE ? 1 : 2;
    }
  }
}

/** Half of a pair that makes four bytes; one without its other half is sent as three bytes, which a body of valid UTF-8 never holds. */
function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xe000;
}
