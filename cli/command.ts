import type { Exit } from "./failure.ts";
import type { Gateway } from "./gateway.ts";
import { count, duration, flag, type Given, type OptionTable, text } from "./option.ts";
import type { Output } from "./output.ts";

/** Options that every command takes. */
export const EVERYWHERE = {
  "base-url": text("where the gateway is (TOLLGATE_URL; http://127.0.0.1:8787)", undefined, "<url>"),
  "admin-key": text("better set as TOLLGATE_ADMIN_KEY: a command line is no place for a secret", undefined, "<secret>"),
  "api-key": text("better set as TOLLGATE_KEY; used where a command acts for one key", undefined, "<secret>"),
  timeout: duration("how long one request may take (30s)"),
  json: flag("print the API's own objects: one line each, a list as one line per object"),
  field: text("print one field of each object and nothing else: id, secret, status.spent", undefined, "<path>"),
  help: flag("tell about the command, and do nothing"),
  version: flag("print the version, and do nothing"),
} satisfies OptionTable;

/** One run of a command: what was given, the gateway to ask and the place to answer. */
export interface Call<Options extends OptionTable = OptionTable> {
  readonly operands: readonly string[];
  readonly given: Given<Options>;
  /** What was given for the API's fields, by their paths. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly gateway: Gateway;
  /** The environment that the program was started in. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly output: Output;
}

/** One command of the program. Parsing, help and the tests of both follow from this table. */
export interface Command<Options extends OptionTable = OptionTable> {
  /** Its words: `keys create`. */
  readonly name: string;
  /** One sentence, shown in lists. */
  readonly summary: string;
  /** What else its user has to know, in a few lines. */
  readonly more?: string;
  /** Names of what follows the words, required but for one in brackets; a last one that ends in `…` may be given more than once. */
  readonly operands: readonly string[];
  readonly options: Options;
  /** Command lines without the program's name, each with what it is for. */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  /** Does it. Nothing answered means that all is well; a number is the exit code of what was run. */
  readonly run: (call: Call<Options>) => Promise<Exit | number | void>;
}

/** A command whose `run` sees its own options typed; the table holds all alike. */
export function command<const Options extends OptionTable>(declared: Command<Options>): Command {
  return declared as unknown as Command;
}

/** How many rows of a list are wanted. */
export const rowsMax = count("at most so many (all)", undefined, 1);
