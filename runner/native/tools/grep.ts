import { stat } from "node:fs/promises";
import { abridge } from "../abridge.ts";
import type { Workspace } from "../workspace.ts";
import { runCommand } from "./command.ts";
import { ToolError } from "../tool-error.ts";
import { type Input, inputSchema, type Tool } from "./contract.ts";
import { matching } from "./glob.ts";

const MODES: Readonly<Record<string, readonly string[]>> = { files_with_matches: ["-l"], content: ["-H"], count: ["-c", "-H"] };
const TIMEOUT_MS = 60_000;
const OUTPUT_CHARS_MAX = 30_000;
const LINES = 250;
/** Of names in one command, well below what the system takes. */
const NAMES_CHARS_MAX = 60_000;

/** Finds lines by a regular expression; grep's own limits hold one that would take forever. */
export const grep: Tool = {
  name: "Grep",
  description: "Finds lines of files by a regular expression of Perl's kind.",
  schema: inputSchema(
    {
      pattern: { type: "string", description: "The regular expression" },
      path: { type: "string", description: "The file or the folder to look in; the working directory unless named" },
      glob: { type: "string", description: "Only files whose path is of this pattern, such as **/*.ts" },
      output_mode: { type: "string", enum: Object.keys(MODES), description: "files_with_matches unless named" },
      "-i": { type: "boolean", description: "Takes small and capital letters for the same" },
      "-n": { type: "boolean", description: "Tells the numbers of lines, with content" },
      "-A": { type: "integer", description: "Shows so many lines after each, with content" },
      "-B": { type: "integer", description: "Shows so many lines before each, with content" },
      "-C": { type: "integer", description: "Shows so many lines around each, with content" },
      head_limit: { type: "integer", description: `How many lines are shown; ${LINES} unless named` },
    },
    ["pattern"],
  ),
  readsOnly: true,
  async run(input, workspace) {
    const options = optionsOf(input);
    const limit = input.count("head_limit", { otherwise: LINES, max: 10_000 });
    const lines: string[] = [];
    for (const names of batches(await filesOf(input, workspace))) {
      const { code, output, late } = await runCommand(["grep", ...options, "--", ...names.map((each) => workspace.told(each))], {
        cwd: workspace.folder,
        timeoutMs: TIMEOUT_MS,
      });
      if (late) throw new ToolError("pattern: the search took too long");
      if (code !== 0 && code !== 1) throw new ToolError(`pattern: ${output.trim().slice(0, 500)}`);
      lines.push(...output.split("\n").filter((line) => line !== "" && !(options.includes("-c") && line.endsWith(":0"))));
    }
    if (lines.length === 0) return "No line matches.";
    const more = lines.length - limit;
    return abridge([...lines.slice(0, limit), ...(more > 0 ? [`(${more} more)`] : [])].join("\n"), OUTPUT_CHARS_MAX);
  },
};

function optionsOf(input: Input): string[] {
  const name = input.textOr("output_mode", "files_with_matches");
  const mode = MODES[name];
  if (!mode) throw new ToolError(`output_mode: must be one of ${Object.keys(MODES).join(", ")}`);
  const around =
    name === "content" ? ["-A", "-B", "-C"].map((each) => [each, input.count(each, { otherwise: 0, max: 1_000 })] as const) : [];
  return [
    "-P",
    "-I",
    "-s",
    ...mode,
    ...(input.flag("-i") ? ["-i"] : []),
    ...(name === "content" && input.flag("-n") ? ["-n"] : []),
    ...around.filter(([, lines]) => lines > 0).map(([option, lines]) => `${option}${lines}`),
    "-e",
    input.text("pattern"),
  ];
}

async function filesOf(input: Input, workspace: Workspace): Promise<string[]> {
  const place = await workspace.locate(input.textOr("path", "."));
  if ((await stat(place)).isFile()) return [place];
  const pattern = input.textOr("glob", "**");
  return Array.fromAsync(matching(workspace, place, pattern.includes("/") || pattern === "**" ? pattern : `**/${pattern}`));
}

function* batches(names: readonly string[]): Generator<readonly string[]> {
  let [from, chars] = [0, 0];
  for (const [at, name] of names.entries()) {
    chars += name.length + 1;
    if (chars < NAMES_CHARS_MAX) continue;
    yield names.slice(from, at + 1);
    [from, chars] = [at + 1, 0];
  }
  if (from < names.length) yield names.slice(from);
}
