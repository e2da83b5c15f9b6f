import type { AuditEvent } from "#audit";
import { type Role, TollgateError } from "#core";
import { equalText, readCredential, refuseKey, verifyToken } from "#keys";
import { FRESH_MS, guarded, keyAlone } from "../authenticate.ts";
import type { Platform } from "../platform.ts";

/** Who acts on the admin plane, and as what. */
export interface Actor {
  readonly kind: AuditEvent["actor"]["kind"];
  readonly id: string;
  readonly role: Role;
  /** The actor's own key, where it came with one. */
  readonly key: string | null;
}

/**
 * The actor behind a request: the bootstrap token, a signed token of the configured issuer, or a key.
 * @throws TollgateError `invalid_api_key`, whatever the reason.
 */
export function identify(platform: Platform, request: Request): Promise<Actor> {
  return guarded(platform, request, async () => {
    const text = readCredential(request.headers);
    const bootstrap = platform.config.TOLLGATE_ADMIN_KEY;
    if (bootstrap !== undefined && equalText(text, bootstrap)) return { kind: "admin_token", id: "bootstrap", role: "owner", key: null };
    if (text.startsWith("sk-tg-")) return byKey(platform, text);
    if (!text.includes(".")) throw refuseKey("no admin credential");
    const { subject, role } = await verifyToken(text, platform.config, fetchJwks, platform.now());
    return { kind: "user", id: subject, role, key: null };
  });
}

async function byKey(platform: Platform, text: string): Promise<Actor> {
  // What works on an operator's task is no operator.
  const caller = keyAlone(await platform.keys.authenticate(text, FRESH_MS));
  return { kind: "key", id: caller.key, role: caller.role, key: caller.key };
}

async function fetchJwks(url: string) {
  const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new TollgateError("overloaded", "The token issuer's keys cannot be read", { reason: `jwks ${answer.status}` });
  return answer.json<Awaited<ReturnType<Parameters<typeof verifyToken>[2]>>>();
}
