import { isObject } from "#core";
import { wrong } from "#wire";

/** A JSON object as it was parsed. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether a value says nothing: absent, null, or an empty list or text. */
export function isIdle(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** The fields that say something: what is null, or an empty list or object, is left out. */
export function present(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isIdle(value) && !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** One object of a request, read field by field. Every reader takes null for absent, and names by its path what it refuses. */
export class Fields {
  readonly value: Json;
  readonly at: string;

  constructor(value: Json, at = "") {
    this.value = value;
    this.at = at;
  }

  /** The value as an object. @throws TollgateError `invalid_request` */
  static of(value: unknown, at: string): Fields {
    if (!isObject(value)) throw wrong(at, "must be an object");
    return new Fields(value, at);
  }

  path(name: string): string {
    return this.at === "" ? name : `${this.at}.${name}`;
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.value, name) ? (this.value[name] ?? undefined) : undefined;
  }

  text(name: string): string | null {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "string") throw wrong(this.path(name), "must be a string");
    return value ?? null;
  }

  needText(name: string): string {
    const value = this.text(name);
    if (value === null) throw wrong(this.path(name), "is missing");
    return value;
  }

  number(name: string): number | null {
    const value = this.raw(name);
    if (value !== undefined && (typeof value !== "number" || !Number.isFinite(value))) throw wrong(this.path(name), "must be a number");
    return value ?? null;
  }

  flag(name: string): boolean | null {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "boolean") throw wrong(this.path(name), "must be true or false");
    return value ?? null;
  }

  /** One of some words. */
  word<Word extends string>(name: string, words: readonly Word[]): Word | null {
    const value = this.text(name);
    if (value === null) return null;
    const word = words.find((each) => each === value);
    if (word === undefined) throw wrong(this.path(name), `must be one of ${words.join(", ")}`);
    return word;
  }

  object(name: string): Fields | null {
    const value = this.raw(name);
    return value === undefined ? null : Fields.of(value, this.path(name));
  }

  needObject(name: string): Fields {
    const value = this.object(name);
    if (value === null) throw wrong(this.path(name), "is missing");
    return value;
  }

  /** The objects of a list; none where it is absent. */
  objects(name: string): Fields[] {
    return this.list(name).map((each, index) => Fields.of(each, `${this.path(name)}.${index}`));
  }

  list(name: string): readonly unknown[] {
    const value = this.raw(name);
    if (value !== undefined && !Array.isArray(value)) throw wrong(this.path(name), "must be an array");
    return value ?? [];
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((each, index) => {
      if (typeof each !== "string") throw wrong(`${this.path(name)}.${index}`, "must be a string");
      return each;
    });
  }
}
