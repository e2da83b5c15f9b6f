import { TollgateError } from "#core";

const MESSAGE =
  "The API key is missing, malformed, expired or not valid. " +
  'This gateway takes keys of its own (sk-tg-…, and the admin key on /admin/v1), not a provider\'s, as "authorization: Bearer …" or x-api-key.';

/** The task whose credential was refused, where it was minted here; for the audit. */
export class TaskRefused extends Error {
  override readonly name = "TaskRefused";
  readonly task: string;
  readonly key: string;

  constructor({ task, key }: { readonly task: string; readonly key: string }) {
    super(`the credential of ${task} was refused`);
    this.task = task;
    this.key = key;
  }
}

/** The one public face of every authentication failure, so that no answer tells a guesser how close it came. */
export function refuseKey(reason: string, cause?: unknown): TollgateError {
  return new TollgateError("invalid_api_key", MESSAGE, { reason, cause });
}
