import { ToolError } from "../tool-error.ts";
import { inputSchema, type Tool } from "./contract.ts";

const BYTES_MAX = 10 * 2 ** 20;
const LINES = 2_000;
const LINE_CHARS_MAX = 2_000;

/** Shows a text file, its lines numbered. */
export const read: Tool = {
  name: "Read",
  description: `Shows a text file of the workspace with numbered lines, ${LINES} of them unless limit says otherwise.`,
  schema: inputSchema(
    {
      file_path: { type: "string", description: "The file, absolute or relative to the working directory" },
      offset: { type: "integer", description: "The first line, counted from 1" },
      limit: { type: "integer", description: "How many lines" },
    },
    ["file_path"],
  ),
  readsOnly: true,
  async run(input, workspace) {
    const path = input.text("file_path");
    const from = Math.max(1, input.count("offset", { otherwise: 1, max: Number.MAX_SAFE_INTEGER }));
    const limit = input.count("limit", { otherwise: LINES, max: 100_000 });
    const lines = linesOf(await textIn(path, () => workspace.open(path, "read")));
    if (lines.length === 0) return "(The file is empty.)";
    if (from > lines.length) throw new ToolError(`offset: the file has ${lines.length} lines`);
    const shown = lines.slice(from - 1, from - 1 + limit);
    const more = lines.length - (from - 1 + shown.length);
    const numbered = shown.map((line, at) => `${String(from + at).padStart(6)}\t${line.slice(0, LINE_CHARS_MAX)}`);
    return [...numbered, ...(more > 0 ? [`(${more} more lines)`] : [])].join("\n");
  },
};

/** The whole of a text file, closed again. @throws ToolError where it is too large, or no text. */
export async function textIn(path: string, open: () => ReturnType<Parameters<Tool["run"]>[1]["open"]>): Promise<string> {
  await using file = await open();
  const { size } = await file.stat();
  if (size > BYTES_MAX) throw new ToolError(`${path}: has ${size} bytes; more than ${BYTES_MAX} are not read at once`);
  const bytes = await file.readFile();
  if (bytes.includes(0)) throw new ToolError(`${path}: is no text`);
  return bytes.toString("utf8");
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
