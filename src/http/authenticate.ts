import { auditEntry } from "#audit";
import { asTollgateError, type Caller, TollgateError } from "#core";
import { readCredential, TaskRefused } from "#keys";
import type { Platform } from "./platform.ts";

/** How old a key's facts may be where no ledger is asked: the bound on revocation. */
export const FRESH_MS = 2_000;

/**
 * The key or the task behind a request that may be a task's. `ageMsMax` bounds the age of what is known of its key.
 * @throws TollgateError `invalid_api_key`; `rate_limited` for an address that failed too often; `overloaded` where keys cannot be read.
 */
export async function authenticated(platform: Platform, request: Request, ageMsMax?: number): Promise<Caller> {
  return guarded(platform, request, () => platform.keys.authenticate(readCredential(request.headers), ageMsMax));
}

/** The key behind a request that is none of a task's business. @throws TollgateError as `authenticated`, and `permission_denied` to a task. */
export async function authenticatedKey(platform: Platform, request: Request): Promise<Caller> {
  return keyAlone(await authenticated(platform, request, FRESH_MS));
}

/** A caller that is a key itself: a task has none of its key's rights but to call models. @throws TollgateError `permission_denied` to a task. */
export function keyAlone(caller: Caller): Caller {
  if (caller.task === null) return caller;
  throw new TollgateError("permission_denied", "A task may call models and nothing else", { reason: "task identity" });
}

/** The task behind a request that is a task's business alone. @throws TollgateError as `authenticated`, and `permission_denied` to a key. */
export async function authenticatedTask(platform: Platform, request: Request): Promise<Caller & { readonly task: string }> {
  const caller = await authenticated(platform, request, FRESH_MS);
  const { task } = caller;
  if (task !== null) return { ...caller, task };
  throw new TollgateError("permission_denied", "Only a task may ask this, from inside of its sandbox", { reason: "key" });
}

/**
 * Runs an authentication and counts its failure against the client's address. Only failures are counted, so that a guesser shuts
 * out nobody but whoever shares its address.
 */
export async function guarded<Identity>(platform: Platform, request: Request, identify: () => Promise<Identity>): Promise<Identity> {
  try {
    return await identify();
  } catch (thrown) {
    const error = asTollgateError(thrown);
    if (error.code === "invalid_api_key") await refuseGuesser(platform, request, error);
    if (error.code === "internal") throw unreadable(thrown);
    throw error;
  }
}

async function refuseGuesser(platform: Platform, request: Request, error: TollgateError): Promise<void> {
  const { success } = await platform.authFailures.limit({ key: addressOf(request) });
  if (!success)
    throw new TollgateError("rate_limited", "Too many failed authentications from this address", { retryAfterMs: 60_000, cause: error });
  const reason = error.facts.reason ?? null;
  const behind = error.cause instanceof TaskRefused ? { task: error.cause.task, key: error.cause.key } : {};
  const details = { reason };
  const entry = auditEntry({
    type: "auth.failed",
    severity: "warning",
    outcome: "denied",
    actor: { kind: "system", id: "gateway" },
    details,
    ...behind,
  });
  // What a wrong credential is told does not hang on the queue.
  try {
    await platform.events.send(entry);
    if (behind.task !== undefined) await platform.tasks.credentialRefused(behind.task, reason ?? "");
  } catch {
    // oxlint-disable-next-line no-console -- the log is where the failure is told instead; the reason is a fixed word of ours.
    console.error(JSON.stringify({ level: "error", code: "audit_unsent", type: entry.type, details }));
  }
}

/** The client's address as the platform saw it; no header that a client can set counts. Where the platform names none, all share one. */
function addressOf(request: Request): string {
  return request.headers.get("cf-connecting-ip") ?? "unknown";
}

function unreadable(cause: unknown): TollgateError {
  return new TollgateError("overloaded", "Keys cannot be read at the moment; try again", { cause, retryAfterMs: 1_000, reason: "keys" });
}
