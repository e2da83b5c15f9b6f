import { TollgateError } from "#core";

/** The refusal of a field, by its path. */
export function wrong(param: string, what: string): TollgateError {
  return new TollgateError("invalid_request", `${param}: ${what}`, { param });
}
