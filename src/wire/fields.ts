import { type Fields, isObject, TollgateError } from "#core";

/** Readers of single fields. Each accepts an absent field, and null where the vendors do, and names the field it refuses. */

const MODEL_MAX = 256;
const TEXT_MAX = 512;
// oxlint-disable-next-line no-control-regex -- a control character in a name forges log lines and headers.
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The refusal of a field. */
export function wrong(param: string, what: string): TollgateError {
  return new TollgateError("invalid_request", `${param} ${what}`, { param });
}

function present(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
}

/** The model's name. */
export function readModel(fields: Fields): string {
  const model = present(fields, "model");
  if (typeof model !== "string") throw wrong("model", model === undefined ? "is missing" : "must be a string");
  if (model === "" || model.length > MODEL_MAX || CONTROL.test(model)) {
    throw wrong("model", `must hold 1 to ${MODEL_MAX} characters, none of them a control character`);
  }
  return model;
}

/** A truth value; false where it is absent. */
export function readFlag(fields: Fields, name: string, path: string = name): boolean {
  const flag = present(fields, name);
  if (flag !== undefined && typeof flag !== "boolean") throw wrong(path, "must be true or false");
  return flag ?? false;
}

/** A whole number from `min` up; null where it is absent. */
export function readCount(fields: Fields, name: string, min: number): number | null {
  const count = present(fields, name);
  if (count === undefined) return null;
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < min)
    throw wrong(name, `must be a whole number of at least ${min}`);
  return count;
}

/** A short text; null where it is absent. */
export function readText(fields: Fields, name: string, path: string = name): string | null {
  const text = present(fields, name);
  if (text === undefined) return null;
  if (typeof text !== "string") throw wrong(path, "must be a string");
  if (text.length > TEXT_MAX) throw wrong(path, `must hold at most ${TEXT_MAX} characters`);
  return text;
}

/** An object's fields; empty where it is absent. */
export function readObject(fields: Fields, name: string): Fields {
  const object = present(fields, name);
  if (object === undefined) return {};
  if (!isObject(object)) throw wrong(name, "must be an object");
  return object;
}

/** Requires a list. */
export function requireList(fields: Fields, name: string): void {
  const list = present(fields, name);
  if (!Array.isArray(list)) throw wrong(name, list === undefined ? "is missing" : "must be an array");
}

/** Requires that the field is there, whatever it is. */
export function requirePresent(fields: Fields, name: string): void {
  if (present(fields, name) === undefined) throw wrong(name, "is missing");
}
