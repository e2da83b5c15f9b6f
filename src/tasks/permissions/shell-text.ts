/** One simple command of a shell's text: its words without their quotes, and the files that it is written into. */
export interface Command {
  readonly words: readonly string[];
  readonly writes: readonly string[];
  /** What its words say is known before it runs. */
  readonly told: boolean;
}

const BLANK = new Set([" ", "\t"]);
const ENDS_WORD = new Set([" ", "\t", "\n", ";", "&", "|", "(", ")", "<", ">"]);
/** A command may follow these at once. */
const LEADS = new Set(["if", "then", "else", "elif", "do", "while", "until", "!", "{"]);
/** Nothing but another command follows these. */
const CLOSES = new Set(["fi", "done", "}"]);
/** What is not followed here: what a shell makes of it cannot be told from where it stands. */
const UNREAD = new Set(["case", "esac", "select", "function", "coproc", "[["]);
/** A command's name that is only known as it runs. */
const UNTOLD = /[$`*?[{~]/;
/** Writing into these changes nothing. */
const SINKS = new Set(["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"]);

/** What the text between back quotes would run, which is a text of its own; null where that cannot be told. */
type Nested = (text: string) => readonly Command[] | null;

/** The commands that a shell's text consists of, in their order, as it says them; null for what cannot be told without running it. */
export function readShell(text: string, nested: Nested): readonly Command[] | null {
  try {
    return new ShellText(text, nested).all();
  } catch (thrown) {
    if (thrown instanceof Untold) return null;
    throw thrown;
  }
}

/** The text cannot be told; it never leaves this file. */
class Untold extends Error {}

/** Whether a redirection writes a file; one that only names another stream, or a sink, does not. */
function writesInto(sign: string, target: string): boolean {
  if (!sign.includes(">") || SINKS.has(target)) return false;
  return sign !== ">&" || !/^(?:\d+|-)$/.test(target);
}

interface Word {
  readonly text: string;
  /** It stood there as it is, without quotes. */
  readonly plain: boolean;
  /** What it says is known before it runs. */
  readonly told: boolean;
}

/** Reads a shell's text from its beginning to its end, by the grammar of POSIX as far as it is followed. */
class ShellText {
  readonly #text: string;
  readonly #nested: Nested;
  readonly #found: Command[] = [];
  /** Ends of documents that stand below the line at hand. */
  readonly #documents: { readonly end: string; readonly tabs: boolean; readonly plain: boolean }[] = [];
  #at = 0;

  constructor(text: string, nested: Nested) {
    this.#text = text;
    this.#nested = nested;
  }

  all(): readonly Command[] {
    this.#list(false);
    if (this.#documents.length > 0) throw new Untold();
    return this.#found;
  }

  /** Commands up to the end, or up to the bracket that closes them. */
  #list(closes: boolean): void {
    for (let open = 0; ;) {
      this.#between();
      const next = this.#text[this.#at];
      if (next === undefined) {
        if (closes || open > 0) throw new Untold();
        return;
      }
      if (next === ")") {
        this.#at++;
        if (open === 0 && closes) return;
        if (open-- === 0) throw new Untold();
        this.#afterBracket();
      } else if (next === "(") {
        // Two open arithmetic, which is none of ours.
        if (this.#text[this.#at + 1] === "(") throw new Untold();
        this.#at++;
        open++;
      } else this.#command();
    }
  }

  /** Passes over what stands between commands. */
  #between(): void {
    for (;;) {
      const next = this.#text[this.#at];
      if (next === "\n") this.#line();
      else if (next === "#") this.#comment();
      else if (next !== undefined && (BLANK.has(next) || next === ";" || next === "|")) this.#at++;
      else if (next === "&" && this.#text[this.#at + 1] !== ">") this.#at++;
      else if (next === "\\" && this.#text[this.#at + 1] === "\n") this.#at += 2;
      else return;
    }
  }

  /** What comes behind a bracket is redirected with it. */
  #afterBracket(): void {
    const writes: string[] = [];
    do this.#blanks();
    while (this.#redirected(writes));
    if (writes.length > 0) this.#found.push({ words: [], writes, told: true });
  }

  #command(): void {
    const words: Word[] = [];
    const writes: string[] = [];
    for (let begun = false; this.#goesOn(begun);) {
      if (this.#redirected(writes)) begun = true;
      else {
        const word = this.#word();
        begun = words.length > 0 || !this.#reserved(word);
        if (begun) words.push(word);
      }
    }
    this.#take(words, writes);
  }

  /** Whether a command goes on here, behind blanks. */
  #goesOn(begun: boolean): boolean {
    this.#blanks();
    if (this.#text[this.#at] === "#") this.#comment();
    const next = this.#text[this.#at];
    if (next === undefined) return false;
    if (next === "(" && begun) throw new Untold();
    return !ENDS_WORD.has(next) || next === "<" || next === ">" || this.#text.startsWith("&>", this.#at);
  }

  #take(words: readonly Word[], writes: readonly string[]): void {
    const [name] = words;
    if (name && (!name.told || (name.plain && name.text !== "[" && UNTOLD.test(name.text)))) throw new Untold();
    const told = words.every((word) => word.told);
    if (words.length > 0 || writes.length > 0) this.#found.push({ words: words.map(({ text }) => text), writes, told });
  }

  /** Whether a word is the shell's own, with what belongs to it passed over. */
  #reserved({ text, plain }: Word): boolean {
    if (!plain) return false;
    if (UNREAD.has(text)) throw new Untold();
    if (text !== "for") return LEADS.has(text) || CLOSES.has(text);
    this.#blanks();
    while (!/[;\n]/.test(this.#text[this.#at] ?? ";")) {
      if (/[<>&|()#]/.test(this.#text[this.#at]!)) throw new Untold();
      this.#word();
      this.#blanks();
    }
    return true;
  }

  /** Takes a redirection, where one stands here; digits before it belong to it. */
  #redirected(writes: string[]): boolean {
    const found = /(?:\d*|&)(<<<|<<-?|<>|<&|>>|>\||>&|[<>])/y;
    found.lastIndex = this.#at;
    const [whole, sign = ""] = found.exec(this.#text) ?? [];
    if (whole === undefined || this.#substitutes()) return false;
    this.#at += whole.length;
    this.#blanks();
    if (ENDS_WORD.has(this.#text[this.#at] ?? "\n") && !this.#substitutes()) throw new Untold();
    const target = this.#word();
    if (sign === "<<" || sign === "<<-") this.#documents.push({ end: target.text, tabs: sign === "<<-", plain: target.plain });
    else if (writesInto(sign, target.text)) writes.push(target.text);
    return true;
  }

  /** Whether a list of commands begins here that stands for a file. */
  #substitutes(): boolean {
    return /^[<>]\(/.test(this.#text.slice(this.#at, this.#at + 2));
  }

  #word(): Word {
    let text = "";
    let plain = true;
    let told = true;
    for (let next = this.#text[this.#at]; next !== undefined; next = this.#text[this.#at]) {
      const bracket = this.#substitutes();
      if (ENDS_WORD.has(next) && !bracket) break;
      const from = this.#at;
      if (next === "'") {
        text += this.#upTo("'");
        plain = false;
      } else if (next === '"') {
        const quoted = this.#quoted();
        text += quoted.text;
        told &&= quoted.told;
        plain = false;
      } else if (next === "\\") {
        text += this.#escaped();
        plain = false;
      } else if (next === "$" || next === "`" || bracket) {
        this.#expansion();
        text += this.#text.slice(from, this.#at);
        told = false;
      } else {
        text += next;
        this.#at++;
      }
    }
    return { text, plain, told };
  }

  /** What a backslash stands before; nothing where that is the line's end. */
  #escaped(): string {
    const escaped = this.#text[this.#at + 1];
    if (escaped === undefined) throw new Untold();
    this.#at += 2;
    return escaped === "\n" ? "" : escaped;
  }

  #quoted(): { readonly text: string; readonly told: boolean } {
    let text = "";
    let told = true;
    for (this.#at++; ;) {
      const next = this.#text[this.#at];
      if (next === undefined) throw new Untold();
      if (next === '"') {
        this.#at++;
        return { text, told };
      }
      const from = this.#at;
      if (next === "$" || next === "`") {
        this.#expansion();
        told = false;
        text += this.#text.slice(from, this.#at);
      } else if (next === "\\") {
        const escaped = this.#text[this.#at + 1] ?? "";
        this.#at += 2;
        if (escaped !== "\n") text += '$`"\\'.includes(escaped) ? escaped : `\\${escaped}`;
      } else {
        text += next;
        this.#at++;
      }
    }
  }

  /** Passes over what a shell puts another text in the place of; commands in it are commands like any other. */
  #expansion(): void {
    const [first, second] = [this.#text[this.#at], this.#text[this.#at + 1]];
    if (first === "`") {
      const inner = /^`((?:[^`\\]|\\[\s\S])*)`/.exec(this.#text.slice(this.#at));
      if (!inner) throw new Untold();
      this.#at += inner[0].length;
      this.#inner(inner[1]!.replace(/\\([$`\\])/g, "$1"));
    } else if (second === "(") {
      this.#at += 2;
      this.#list(true);
    } else if (second === "{") {
      const inner = /^\$\{[^{}`$"'\\]*\}/.exec(this.#text.slice(this.#at));
      if (!inner) throw new Untold();
      this.#at += inner[0].length;
    } else if (second === "'") throw new Untold();
    else this.#at += /^\$(?:[A-Za-z_]\w*|[\d@*#?$!-])?/.exec(this.#text.slice(this.#at, this.#at + 256))![0].length;
  }

  #inner(text: string): void {
    const found = this.#nested(text);
    if (found === null) throw new Untold();
    this.#found.push(...found);
  }

  #upTo(quote: string): string {
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end === -1) throw new Untold();
    const text = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  #blanks(): void {
    for (;;) {
      if (BLANK.has(this.#text[this.#at] ?? "")) this.#at++;
      else if (this.#text.startsWith("\\\n", this.#at)) this.#at += 2;
      else return;
    }
  }

  #comment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end === -1 ? this.#text.length : end;
  }

  /** Ends a line, and passes over the documents that stand below it. */
  #line(): void {
    this.#at++;
    for (const { end, tabs, plain } of this.#documents.splice(0)) {
      const from = this.#at;
      for (let over = false; !over;) {
        if (this.#at >= this.#text.length) throw new Untold();
        const lineEnd = this.#text.indexOf("\n", this.#at);
        const line = this.#text.slice(this.#at, lineEnd === -1 ? undefined : lineEnd);
        this.#at = lineEnd === -1 ? this.#text.length : lineEnd + 1;
        over = (tabs ? line.replace(/^\t+/, "") : line) === end;
      }
      // What is not quoted is expanded, commands and all.
      if (plain && /[`$]/.test(this.#text.slice(from, this.#at))) throw new Untold();
    }
  }
}
