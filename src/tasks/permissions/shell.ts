import { type Command, readShell } from "./shell-text.ts";

const LENGTH_MAX = 65_536;
const DEPTH_MAX = 16;
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "ash", "ksh"]);

/**
 * The simple commands that a shell's text would run, those in substitutions and in a shell's own `-c` included; null for what cannot be
 * told without running it. A guard-rail: it errs on the side of null, and what holds is the sandbox.
 */
export function commandsIn(text: string): readonly Command[] | null {
  return within(text, 0);
}

/** The same of a list of arguments, which no shell reads but one that it names. */
export function commandsOf(argv: readonly string[]): readonly Command[] | null {
  return unfolded({ words: argv, writes: [], told: true }, 0);
}

function within(text: string, depth: number): readonly Command[] | null {
  if (text.length > LENGTH_MAX || depth > DEPTH_MAX || text.includes("\0")) return null;
  const found = readShell(text, (quoted) => within(quoted, depth + 1))?.map((each) => unfolded(each, depth));
  return found?.every((each) => each !== null) ? found.flat() : null;
}

/** What a shell is handed to run stands in its place. */
function unfolded(command: Command, depth: number): readonly Command[] | null {
  const script = scriptOf(command.words);
  if (script === null) return [command];
  // What looks like an option is one, behind -c as well: the text comes later.
  const inner = command.told && !/^[-+]/.test(script) ? within(script, depth + 1) : null;
  return inner && [...inner, ...(command.writes.length > 0 ? [{ ...command, words: [] }] : [])];
}

/**
 * The text that a command has a shell run; null where it has none. Whatever stands before `-c` but options could run something else, and
 * so could a program of a shell's name that is not the machine's.
 */
function scriptOf([name = "", ...rest]: readonly string[]): string | null {
  if (name === "eval") return rest.join(" ");
  if (!SHELLS.has(name.replace(/^(?:\/usr)?\/bin\//, ""))) return null;
  const flag = rest.findIndex((each, at) => !/^[-+][a-bd-zA-Z]+$/.test(each) && rest[at - 1] !== "-o");
  return flag !== -1 && /^-[a-zA-Z]*c$/.test(rest[flag]!) ? (rest[flag + 1] ?? null) : null;
}
