import { parseArgs } from "node:util";
import { type Command, EVERYWHERE } from "./command.ts";
import { type Failure, misuse } from "./failure.ts";
import type { Given, Option, OptionTable } from "./option.ts";
import { Misread } from "./read.ts";
import { nearest } from "./suggest.ts";

/** What a command line asks for: a page of help, the version, or a command with what it was given. */
export type Asked =
  | { readonly kind: "help"; readonly topic: string }
  | { readonly kind: "version" }
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly operands: readonly string[];
      readonly given: Given<OptionTable>;
      readonly everywhere: Given<typeof EVERYWHERE>;
    };

/** Reads a command line by the table of commands. @throws Failure `usage`, naming the option, the operand or the command. */
export function parse(argv: readonly string[], commands: readonly Command[]): Asked {
  const { words, switched } = glance(argv);
  if (switched("version")) return { kind: "version" };
  const command = commandNamed(argv, commands);
  if (words[0] === "help") return { kind: "help", topic: topicOf(words.slice(1), commands) };
  if (switched("help") || words.length === 0) return { kind: "help", topic: command?.name ?? topicOf(words, commands) };
  if (!command) throw unknownCommand(words, commands);
  const table = { ...EVERYWHERE, ...command.options };
  const { given, operands } = readAll(argv, table, command);
  const own = operands.slice(command.name.split(" ").length);
  checkOperands(own, command);
  return { kind: "command", command, operands: own, given, everywhere: given as Given<typeof EVERYWHERE> };
}

/** The command that a command line names, be the rest of it right or wrong; null where it names none. */
export function commandNamed(argv: readonly string[], commands: readonly Command[]): Command | null {
  const { words } = glance(argv);
  return commands.find(({ name }) => name.split(" ").every((word, at) => word === words[at])) ?? null;
}

/** The words of a command line, before it is known which command they name. */
function glance(argv: readonly string[]) {
  const { help, version, ...others } = parserTable(EVERYWHERE);
  const options = { ...others, help: { ...help!, short: "h" }, version: { ...version!, short: "v" } };
  const { positionals, values } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true });
  return { words: positionals, switched: (name: keyof typeof EVERYWHERE) => values[name] !== undefined };
}

function parserTable(table: OptionTable) {
  const entries = Object.entries(table).map(([name, { value }]) => {
    const type = value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, { type, multiple: true }] as const;
  });
  return Object.fromEntries(entries);
}

function readAll(argv: readonly string[], table: OptionTable, { operands: named }: Command) {
  const options = parserTable(table);
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const found = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (!option || !token.rawName.startsWith("--")) throw unknownOption(token.rawName, table, isOpen(named));
    found.set(token.name, [...(found.get(token.name) ?? []), valueOf(token, option)]);
  }
  const given = Object.fromEntries([...found].map(([name, texts]) => [name, read(name, texts, table[name]!)]));
  return { given: given as Given<OptionTable>, operands };
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

/** The text of one option. One that begins with a dash must be joined to its name: it is more often a forgotten value. */
function valueOf({ rawName, value, inlineValue }: OptionToken, option: Option): string {
  if (option.value === undefined) {
    if (value !== undefined) throw misuse(`${rawName} takes no value`, rawName);
    return "";
  }
  const forgotten = value === undefined || (value.startsWith("-") && value !== "-" && !inlineValue);
  if (forgotten)
    throw misuse(`${rawName} takes a value: ${rawName} ${option.value} (or ${rawName}=… where it begins with a dash)`, rawName);
  return value;
}

function read(name: string, texts: readonly string[], option: Option): unknown {
  if (texts.length > 1 && !option.many) throw misuse(`--${name} is given ${texts.length} times; it takes one value`, `--${name}`);
  try {
    return option.read(texts);
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    throw misuse(`--${name} ${error.message}; it was given ${JSON.stringify(texts.join(" "))}`, `--${name}`);
  }
}

function checkOperands(own: readonly string[], { name, operands }: Command): void {
  const missing = operands[own.length];
  if (missing !== undefined && !missing.startsWith("["))
    throw misuse(`${name} needs ${missing}: tollgate ${name} ${operands.join(" ")}`, missing);
  // Not repeated to the terminal: it may be a secret that lost its option.
  const open = isOpen(operands);
  const taken = operands.length === 0 ? "nothing" : `only ${operands.join(" ")}`;
  if (own.length > operands.length && !open) throw misuse(`${name} takes ${taken} beside its options; ${own.length} words were given`);
  const empty = own.indexOf("");
  if (empty >= 0) throw misuse(`${operands[empty] ?? operands.at(-1)} is empty`, operands[empty] ?? operands.at(-1));
}

/** Whether any number of words may follow: a command's own, with options of its own among them. */
function isOpen(operands: readonly string[]): boolean {
  return operands.at(-1)?.endsWith("…") ?? false;
}

/** What help is asked about: a command, a group of them, or (the empty topic) all. */
function topicOf(words: readonly string[], commands: readonly Command[]): string {
  const known = (topic: string) => topic === "" || commands.some(({ name }) => name === topic || name.startsWith(`${topic} `));
  const topic = [words.slice(0, 2).join(" "), words.slice(0, 1).join(" ")].find((each) => known(each));
  if (topic === undefined) throw unknownCommand(words, commands);
  return topic;
}

function unknownCommand(words: readonly string[], commands: readonly Command[]): Failure {
  const group = commands.filter(({ name }) => name.startsWith(`${words[0]} `)).map(({ name }) => name);
  const asked = words.slice(0, 2).join(" ");
  if (group.length > 0 && words.length === 1) return misuse(`${asked} needs one more word: ${group.join(", ")}`, asked);
  const names = commands.flatMap(({ name }) => [name, name.split(" ")[0]!]);
  const near = nearest(asked, names) ?? nearest(words[0]!, names);
  const hint = near === null ? "tollgate help lists them" : `did you mean tollgate ${near}?`;
  return misuse(`There is no command ${JSON.stringify(asked)}; ${hint}`, asked);
}

function unknownOption(rawName: string, table: OptionTable, open: boolean): Failure {
  const near = nearest(
    rawName,
    Object.keys(table).map((name) => `--${name}`),
  );
  const hints = [...(near === null ? [] : [`did you mean ${near}?`]), ...(open ? ["options of what is to be run stand behind --"] : [])];
  return misuse([`There is no option ${rawName} here`, ...hints].join("; "), rawName);
}
