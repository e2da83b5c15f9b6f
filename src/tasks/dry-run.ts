import type { JobSpec } from "#runner-protocol";
import type { Task, TaskNote } from "./contract.ts";
import { NOT_EXECUTED } from "./permissions/verdict.ts";

/** Whether all that a task would do is what a dry run leaves undone: of a command nobody knows what it changes before it runs. */
export function isDryCommand({ effective: { engine, mode } }: Task): boolean {
  return engine === "command" && mode === "dry_run";
}

/** What a command that was not executed says for itself. */
export function dryRun({ argv, workingDirectory, files }: JobSpec, at: number): TaskNote {
  const put = files.length === 0 ? "" : `, with ${files.length} ${files.length === 1 ? "file" : "files"}`;
  const text = `${NOT_EXECUTED}: ${argv.map(quoted).join(" ")} in ${workingDirectory}${put}\n`;
  return { origin: "dry-run", at, type: "stdout", data: { text } };
}

/** A word as a shell would have to be told it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
