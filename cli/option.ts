import { Misread, readCount, readDuration, readMoment, readPair } from "./read.ts";

/** One option: how it is told in help, how its text is read, and which field of the API it fills. */
export interface Option<Value = unknown> {
  readonly about: string;
  /** What stands for its value in help; absent for a switch. */
  readonly value?: string;
  /** The API's field that it fills, by the path that errors name: `limits.rpm`. */
  readonly field?: string;
  /** May be given more than once. */
  readonly many?: boolean;
  /** Its value out of what was given: one text, or several where it may be repeated. @throws Misread */
  readonly read: (given: readonly string[]) => Value;
}

/** The options of a command, by name without the dashes. */
export type OptionTable = Readonly<Record<string, Option>>;

/** What was given, by option; undefined where it was not. */
export type Given<Options extends OptionTable> = {
  readonly [name in keyof Options]: Options[name] extends Option<infer Value> ? Value | undefined : never;
};

/** Whatever text. */
export function text(about: string, field?: string, value = "<text>"): Option<string> {
  return { about, value, ...where(field), read: one };
}

/** Texts, one each time it is given. */
export function texts(about: string, field?: string, value = "<text>"): Option<readonly string[]> {
  return { about, value, ...where(field), many: true, read: (given) => given };
}

/** Names with values, one pair each time it is given. */
export function pairs(about: string, field?: string): Option<Readonly<Record<string, string>>> {
  return { about, value: "<name=value>", ...where(field), many: true, read: (given) => Object.fromEntries(given.map(readPair)) };
}

/** A whole number. */
export function count(about: string, field?: string, least = 0): Option<number> {
  return { about, value: "<n>", ...where(field), read: (given) => readCount(one(given), least) };
}

/** Whole numbers, one each time it is given. */
export function counts(about: string, least = 0): Option<readonly number[]> {
  return { about, value: "<n>", many: true, read: (given) => given.map((each) => readCount(each, least)) };
}

/** One of a closed set of words. */
export function choice<const Word extends string>(about: string, words: readonly Word[], field?: string): Option<Word> {
  const read = (given: readonly string[]): Word => {
    const found = words.find((word) => word === one(given));
    if (found === undefined) throw new Misread(`takes ${words.join(", ")}`);
    return found;
  };
  return { about: `${about}: ${words.join(", ")}`, value: "<word>", ...where(field), read };
}

/** A length of time, in seconds. */
export function duration(about: string, field?: string): Option<number> {
  return { about, value: "<duration>", ...where(field), read: (given) => readDuration(one(given)) };
}

/** A point in time, as ISO 8601; a duration counts from now, backwards or forwards. */
export function moment(about: string, direction: "ago" | "ahead", field?: string): Option<string> {
  return { about, value: "<time>", ...where(field), read: (given) => readMoment(one(given), direction) };
}

/** Given or not. */
export function flag(about: string): Option<true> {
  return { about, read: () => true };
}

/** Clears fields of the API by the names of their options: null for a value, nothing for a list. */
export function clearing(options: OptionTable): Option<readonly string[]> {
  const names = Object.keys(options);
  const read = (given: readonly string[]): readonly string[] => {
    if (!given.every((name) => names.includes(name))) throw new Misread(`takes ${names.join(", ")}`);
    return given;
  };
  return { about: `take away what is set: ${names.join(", ")}`, value: "<option>", many: true, read };
}

/** What was given for the API's fields, by their paths. */
export function fieldsOf(options: OptionTable, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, { field }] of Object.entries(options)) {
    if (field !== undefined && given[name] !== undefined) fields[field] = given[name];
  }
  return fields;
}

/** The option that fills a field of the API, or the field that holds it: `--allow` for `models.allow.0`. */
export function optionOf(options: OptionTable, param: string): string | null {
  const found = Object.entries(options).find(([, { field }]) => field !== undefined && `${param}.`.startsWith(`${field}.`));
  return found ? `--${found[0]}` : null;
}

/** Fields by their paths as the object that they describe: `budgets.0.window` is within a list. */
export function nested(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(fields)) {
    const names = path.split(".");
    let place = root;
    for (const [at, name] of names.slice(0, -1).entries()) {
      place[name] ??= /^\d+$/.test(names[at + 1]!) ? [] : {};
      place = place[name] as Record<string, unknown>;
    }
    place[names.at(-1)!] = value;
  }
  return root;
}

function one(given: readonly string[]): string {
  return given[0] ?? "";
}

function where(field: string | undefined): { field?: string } {
  return field === undefined ? {} : { field };
}
