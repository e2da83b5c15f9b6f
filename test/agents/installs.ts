import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** Where the command lines lie. Their licences let anybody install them, and nobody ship them. */
export const CLIS = join(import.meta.dirname, "clis");

/** Lays the agents out as an operator does: a folder with each one's install below its name. */
export function installsIn(state: string): string {
  const installs = join(state, "installs");
  mkdirSync(installs);
  for (const name of ["claude-code", "codex"]) symlinkSync(CLIS, join(installs, name));
  return installs;
}
