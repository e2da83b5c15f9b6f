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
  SINGLES,
  SPACE,
  SPELT,
  UPPER,
} from "./alphabet.ts";
import { isCommonPair } from "./pairs.ts";
import { EVERYWHERE, known, NEWER, NOWHERE } from "./vocabulary.ts";
import { EMPTY, hashed } from "./word-hash.ts";

/** Places of the features that are counted one by one. */
const {
  combining: COMBINING,
  controls: CONTROLS,
  digitGroups: DIGIT_GROUPS,
  foreignWords: FOREIGN_WORDS,
  glued: GLUED,
  blanksChanged: BLANKS_CHANGED,
  blanksLong: BLANKS_LONG,
  hardInPairs: HARD_IN_PAIRS,
  humps: HUMPS,
  indents: INDENTS,
  lines: LINES,
  linesLong: LINES_LONG,
  marks: MARKS,
  marksAfterSpace: MARKS_AFTER_SPACE,
  marksChanged: MARKS_CHANGED,
  marksRepeated: MARKS_REPEATED,
  newerForeignWords: NEWER_FOREIGN_WORDS,
  newerAccents: NEWER_ACCENTS,
  newerLetters: NEWER_LETTERS,
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
const LF = 10;
const CR = 13;
/** Longer runs of one blank are cut into more than one token. */
const LONG = 16;
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
      case NEWLINE:
        return this.#blanks(text, from);
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
    const bytesBefore = this.bytes;
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
    const accented = this.bytes > bytesBefore;
    this.bytes += end - from;
    const level = this.#judge(hash, { length: end - from, rare, accented });
    if (accented) this.#weighAccents(text.slice(from, end), level);
    if (upper > 1) this.counts[SHOUTED]! += Math.min(upper, end - from);
    this.#begun(text, from);
    return end;
  }

  /** Counts a word by how well it is known, which it answers. */
  #judge(hash: number, { length, rare, accented }: { length: number; rare: number; accented: boolean }): number {
    const { counts } = this;
    counts[WORDS]!++;
    const short = length < KNOWN_LENGTH_MIN && !accented;
    const level = short ? EVERYWHERE : known(hash);
    if (level === NEWER) {
      counts[NEWER_WORDS]!++;
      counts[NEWER_LETTERS]! += length;
    }
    if (level !== NOWHERE) return level;
    counts[UNKNOWN_WORDS]!++;
    counts[UNKNOWN_LETTERS]! += length;
    counts[RARE_PAIRS]! += rare;
    return level;
  }

  /** A Latin letter beyond ASCII, which counts as a small one. */
  #accent(code: number): number {
    const script = BLOCKS[code >> 4]!;
    if (IN_WORD[script] !== 1) return CONTROL;
    this.bytes += code < 0x800 ? 1 : 2;
    return LOWER;
  }

  /** Accents cost nothing within a word that is known whole, and by the tokenizer's age within one that only the newer know. */
  #weighAccents(word: string, level: number): void {
    if (level === EVERYWHERE) return;
    for (let index = 0; index < word.length; index++) {
      const code = word.charCodeAt(index);
      if (code >= 128) this.counts[level === NEWER ? NEWER_ACCENTS : LETTERS[BLOCKS[code >> 4]!]!]!++;
    }
  }

  /** What stands before a word changes how it is cut. */
  #begun(text: string, from: number): void {
    const code = from === 0 ? 32 : text.charCodeAt(from - 1);
    const kind = code < 128 ? ASCII[code] : LOWER;
    if (code >= 128 && LETTERS[BLOCKS[code >> 4]!] === COMBINING) return;
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

  /**
   * Spaces, tabs and line ends together: what ends in the last line end is one piece, and what follows it another but for its last
   * character, which belongs to the word behind it.
   */
  #blanks(text: string, from: number): number {
    let end = from;
    let tail = from;
    for (; end < text.length; end++) {
      const kind = ASCII[text.charCodeAt(end)];
      if (kind === NEWLINE) tail = end + 1;
      else if (kind !== SPACE) break;
    }
    this.bytes += end - from;
    if (tail > from) {
      // Line ends behind marks are in the marks' own piece.
      const glued = from > 0 && ASCII[text.charCodeAt(from - 1)] === MARK && ASCII[text.charCodeAt(from)] === NEWLINE;
      if (!glued) this.counts[LINES]!++;
      this.#blankPiece(text, from, tail);
    }
    if (end > tail && text.charCodeAt(end - 1) === TAB) this.counts[TABS]!++;
    if (end - 1 > tail) {
      this.counts[INDENTS]!++;
      this.#blankPiece(text, tail, end - 1);
    }
    return end;
  }

  /** A piece of one blank again and again is mostly one token; each change within costs about one more. */
  #blankPiece(text: string, from: number, end: number): void {
    let begun = from;
    for (let index = from + 1; index <= end; index++) {
      const [code, before] = [text.charCodeAt(index), text.charCodeAt(index - 1)];
      if (index < end && (code === before || (code === LF && before === CR) || (code === CR && before === LF))) continue;
      if (index < end) this.counts[BLANKS_CHANGED]!++;
      this.counts[ASCII[before] === NEWLINE ? LINES_LONG : BLANKS_LONG]! += Math.floor((index - begun) / LONG);
      begun = index;
    }
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
    else if (SINGLES[letters] !== 0) this.#singles(text, from, end);
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

  /** Marks upon the letter before them: some are known by themselves. */
  #singles(text: string, from: number, end: number): void {
    const letters = LETTERS[BLOCKS[text.charCodeAt(from) >> 4]!]!;
    for (let index = from; index < end; index++) this.counts[single(letters, known(hashed(EMPTY, text.charCodeAt(index))))]!++;
  }

  /** Scripts that write words without spaces: what is known are pairs of characters. */
  #pairs(text: string, from: number, end: number): void {
    const letters = LETTERS[BLOCKS[text.charCodeAt(from) >> 4]!]!;
    const pairs = PAIRED[letters]!;
    for (let index = from; index < end;) {
      const first = hashed(EMPTY, text.charCodeAt(index));
      const second = index + 1 < end ? text.charCodeAt(index + 1) : 0;
      const pair = second === 0 ? NOWHERE : known(hashed(first, second));
      this.counts[pair === NOWHERE ? single(letters, known(first)) : pair === NEWER ? pairs + 1 : pairs]!++;
      if (pair === NEWER)
        this.counts[HARD_IN_PAIRS]! += Number(known(first) !== EVERYWHERE) + Number(known(hashed(EMPTY, second)) !== EVERYWHERE);
      index += pair === NOWHERE ? 1 : 2;
    }
  }
}

/** Where a character of a script without spaces is counted, by how well it is known. */
function single(letters: number, level: number): number {
  if (level === NOWHERE) return letters;
  return SINGLES[letters]! + (level === NEWER ? 1 : 0);
}

/** Half of a pair that makes four bytes; one without its other half is sent as three bytes, which a body of valid UTF-8 never holds. */
function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xe000;
}
