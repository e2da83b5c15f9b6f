import { styleText } from "node:util";
import { Failure } from "./failure.ts";
import type { Page, Row } from "./gateway.ts";
import { apart, at, type Column, columnsOf, jsonText, pairs, printable, printableLines, table } from "./print.ts";

/** A stream that may be a terminal. */
export type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** How results are wanted. */
interface Form {
  readonly json: boolean;
  /** Print this field of each object alone. */
  readonly field: string | null;
}

/** Where results, advice and progress go. Results are all that standard output ever gets. */
export class Output {
  readonly #out: Stream;
  readonly #err: Stream;
  readonly #form: Form;

  constructor(out: Stream, err: Stream, form: Form) {
    this.#out = out;
    this.#err = err;
    this.#form = form;
  }

  /** Whether a program reads the results. */
  get plain(): boolean {
    return this.#form.json || this.#form.field !== null;
  }

  /** One object of the API: as it is, or as lines for a person, which `view` may put together. */
  async object(row: Row, view: (row: Row) => readonly string[] = (all) => this.details(all)): Promise<void> {
    await this.text(`${this.plain ? this.#machine(row) : view(row).join("\n")}\n`);
  }

  /** A list: each row as it comes for a program, one table for a person. */
  async list(pages: AsyncIterable<Page>, columns: readonly Column[], none: string): Promise<void> {
    const rows: Row[] = [];
    let more = false;
    for await (const page of pages) {
      more = page.more;
      if (this.plain) await this.text(page.rows.map((row) => `${this.#machine(row)}\n`).join(""));
      else rows.push(...page.rows);
    }
    if (rows.length > 0) await this.text(`${this.table(columns, rows).join("\n")}\n`);
    else if (!this.plain) await this.note(none);
    if (more) await this.note("There are more; --limit takes a larger number.");
  }

  /** Lines of a table, its head made to stand out where the terminal can. */
  table(columns: readonly Column[], rows: readonly unknown[]): string[] {
    const [head = "", ...body] = table(columns, rows);
    return [this.#bold(head), ...body];
  }

  /**
   * Lines that show a whole object: its values by their paths, and a table for each list of objects within it, with the columns that
   * `known` has for the list's path, or else one for each value.
   */
  details(row: Row, known: Readonly<Record<string, readonly Column[]>> = {}): string[] {
    const { values, lists } = apart(row);
    const tables = lists.map(([name, members]) => [
      "",
      this.#bold(printable(name)),
      ...this.table(known[name] ?? columnsOf(members), members),
    ]);
    return [...pairs(values), ...tables.flat()];
  }

  /** Text as it is. Resolves when the reader has taken it, so that a slow one slows us. */
  text(text: string): Promise<void> {
    return text === "" ? Promise.resolve() : written(this.#out, text);
  }

  /** A part of a file: as it is, but for a terminal, which would obey what callers wrote into their requests. */
  file(text: string): Promise<void> {
    return this.text(this.#out.isTTY ? printableLines(text) : text);
  }

  /** Text that is no result, as it is, but for a terminal. */
  aside(text: string): Promise<void> {
    return written(this.#err, this.#err.isTTY ? printableLines(text) : text);
  }

  /** A line of advice for the person at the terminal. */
  async note(text: string): Promise<void> {
    await written(this.#err, `${text}\n`);
  }

  /** A warning: what will be done, and should not be done so. */
  warn(text: string): Promise<void> {
    return this.note(`${styleText("yellow", "warning:", { stream: this.#err })} ${text}`);
  }

  /** How far long work is. Only a terminal sees it, and only until the work is done: `progress("")` wipes it away. */
  async progress(text: string): Promise<void> {
    if (this.#err.isTTY) await written(this.#err, `\r\u001B[K${text}`);
  }

  #machine(row: Row): string {
    const { field } = this.#form;
    if (field === null) return jsonText(row);
    // A slip in the name must not become an empty variable in somebody's script.
    if (!Object.keys(row).some((name) => `${field}.`.startsWith(`${name}.`))) throw unknownField(field, row);
    const value = at(row, field);
    return typeof value === "string" ? printable(value) : value === undefined || value === null ? "" : jsonText(value);
  }

  #bold(text: string): string {
    return styleText("bold", text, { stream: this.#out });
  }
}

function unknownField(field: string, row: Row): Failure {
  const names = Object.keys(row).join(", ");
  return new Failure("failed", `--field: there is no ${field}; there are ${names}`, { code: "field", param: "--field" });
}

function written(stream: Stream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
