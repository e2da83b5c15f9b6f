import { type ErrorFacts, TollgateError } from "./errors.ts";

/** The refusal of what is not there: it looks the same whether it never was or is not the caller's. */
export function absent(what: string, facts: ErrorFacts = {}): TollgateError {
  return new TollgateError("not_found", `There is no such ${what}.`, facts);
}

/** The thing that was looked for. @throws TollgateError `not_found`. */
export function found<Thing>(thing: Thing | null | undefined, what: string): Thing {
  if (thing === null || thing === undefined) throw absent(what);
  return thing;
}

/** The refusal of a name or an id that another one has, of those that the admin plane keeps at `place`. */
export function taken(param: "id" | "name", place: string): TollgateError {
  const remedy = `GET /admin/v1/${place} shows by what, and a PATCH of that one changes it`;
  return new TollgateError("invalid_request", `${param} is taken: ${remedy}`, { param });
}
