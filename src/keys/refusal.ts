import { TollgateError } from "#core";

/** The one public face of every authentication failure, so that no answer tells a guesser how close it came. */
export function refuseKey(reason: string, cause?: unknown): TollgateError {
  return new TollgateError("invalid_api_key", "The API key is missing, malformed, expired or not valid.", { reason, cause });
}
