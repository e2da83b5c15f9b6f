import { open, rename, rm } from "node:fs/promises";
import { Failure } from "../failure.ts";
import type { Gateway } from "../gateway.ts";
import type { Output } from "../output.ts";

/** Few enough that progress is seen, many enough that a month takes few requests. */
const PAGE_ROWS = 500;

/** What is exported, and where it goes; no file means standard output. */
export interface Export {
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly format: "csv" | "ndjson";
  readonly file: string | null;
}

/** Writes a list from its first page to its last, showing how far it is. */
export async function exportPages(gateway: Gateway, output: Output, wanted: Export): Promise<void> {
  const { file } = wanted;
  const rows = await (file === null ? pour(gateway, output, wanted, (text) => output.file(text)) : fill(gateway, output, wanted, file));
  await output.progress("");
  if (file !== null) await output.note(`${rows} records are in ${file}.`);
}

/** Writes into a file beside the one that is wanted, which takes its name only when it is whole. */
async function fill(gateway: Gateway, output: Output, wanted: Export, name: string): Promise<number> {
  const part = `${name}.part`;
  const file = await open(part, "w", 0o600).catch((error: unknown) => {
    throw unwritable(name, error);
  });
  try {
    const rows = await pour(gateway, output, wanted, async (text) => void (await file.write(text)));
    await file.close();
    await rename(part, name);
    return rows;
  } catch (error) {
    await file.close();
    await rm(part, { force: true });
    throw error instanceof Failure ? error : unwritable(name, error);
  }
}

async function pour(
  gateway: Gateway,
  output: Output,
  { path, query, format }: Export,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let rows = 0;
  let head: string | null = null;
  let cursor: string | null = null;
  do {
    const page: { text: string; next: string | null } = await gateway.file(path, {
      query: { ...query, format, limit: PAGE_ROWS, cursor: cursor ?? undefined },
      as: "either",
    });
    const { first, rest } = format === "csv" ? beheaded(page.text) : { first: "", rest: page.text };
    if (head !== null && rest !== "" && first !== head) throw new Failure("failed", "The gateway changed the columns midway; export again");
    await write(head === null ? first + rest : rest);
    if (page.text !== "") head ??= first;
    rows += linesOf(rest);
    await output.progress(`${rows} records`);
    cursor = page.next;
  } while (cursor !== null);
  return rows;
}

/** A CSV page's line of columns, apart from its rows: a file has it once, and each page begins with it. */
function beheaded(text: string): { readonly first: string; readonly rest: string } {
  const end = text.indexOf("\r\n") + 2;
  return end < 2 ? { first: "", rest: text } : { first: text.slice(0, end), rest: text.slice(end) };
}

/** Rows of a page. A quoted cell may hold line ends of its own; in NDJSON none stands within quotes. */
function linesOf(text: string): number {
  return text.replaceAll(/"[^"]*"/g, "").split("\n").length - 1;
}

function unwritable(file: string, cause: unknown): Failure {
  const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new Failure("failed", `--out: ${file} cannot be written (${why})`, { code: "file", param: "--out", cause });
}
