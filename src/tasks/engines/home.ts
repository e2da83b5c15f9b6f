import { HOME_INSIDE } from "#runner-protocol";
import { base64Of } from "./base64.ts";
import type { GivenFile } from "./contract.ts";

/** What is the task's own in an agent's home; no workspace shows it. */
const OURS = ".tollgate";
const PROMPT = "prompt";

/** A file in the home of an agent. */
export function homeFile(name: string, text: string): GivenFile {
  return { path: `${OURS}/${name}`, base64: base64Of(text) };
}

/** A file of the request once more, in the home of an agent. */
export function homeCopy(name: string, file: GivenFile): GivenFile {
  return { ...file, path: `${OURS}/${name}` };
}

/** Where an agent finds what is in its home. */
export function inHome(name: string): string {
  return `${HOME_INSIDE}/${OURS}/${name}`;
}

/** A prompt as a file: it may be longer than an argument can be. */
export function promptFile(prompt: string): GivenFile {
  return homeFile(PROMPT, prompt);
}

/** A command that reads the prompt, and then the end of it: an agent that reads further would wait for someone. */
export function prompted(argv: readonly string[]): string[] {
  return ["/bin/sh", "-c", 'exec "$@" < "$0"', inHome(PROMPT), ...argv];
}
