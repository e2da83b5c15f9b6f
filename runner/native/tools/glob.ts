import { stat } from "node:fs/promises";
import { matchesGlob, relative } from "node:path";
import type { Workspace } from "../workspace.ts";
import { ToolError } from "../tool-error.ts";
import { inputSchema, type Tool } from "./contract.ts";

const FOUND_MAX = 200;

/** Finds files by the pattern of their names. */
export const glob: Tool = {
  name: "Glob",
  description: `Finds files by a pattern such as src/**/*.ts, those changed last first, ${FOUND_MAX} at most.`,
  schema: inputSchema(
    {
      pattern: { type: "string", description: "A pattern, relative to path" },
      path: { type: "string", description: "The folder to look in; the working directory unless named" },
    },
    ["pattern"],
  ),
  readsOnly: true,
  async run(input, workspace) {
    const place = await workspace.locate(input.textOr("path", "."));
    const found: { readonly path: string; readonly at: number }[] = [];
    for await (const path of matching(workspace, place, input.text("pattern"))) {
      const at = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      found.push({ path, at });
    }
    if (found.length === 0) return "No file matches.";
    const shown = found.toSorted((a, b) => b.at - a.at || (a.path < b.path ? -1 : 1)).slice(0, FOUND_MAX);
    const more = found.length - shown.length;
    return [...shown.map(({ path }) => workspace.told(path)), ...(more > 0 ? [`(${more} more)`] : [])].join("\n");
  },
};

/** The files below a folder whose path from there is of a pattern; one without a slash is of their names. */
export async function* matching(workspace: Workspace, place: string, pattern: string): AsyncGenerator<string> {
  if (pattern.startsWith("/") || pattern.split("/").includes("..")) throw new ToolError("pattern: must be relative, without ..");
  for await (const path of workspace.files(place)) {
    const from = relative(place, path);
    if (matchesGlob(from, pattern)) yield path;
  }
}
