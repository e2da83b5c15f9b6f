import { createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet, jwtVerify, type JWTPayload } from "jose";
import { type Role, ROLES } from "#core";
import type { Config } from "#config";
import { refuseKey } from "./refusal.ts";

/** Who a verified token speaks for. */
export interface TokenIdentity {
  readonly subject: string;
  readonly role: Role;
}

/** Brings the issuer's key set; the one thing here that leaves the isolate. */
export type FetchJwks = (url: string) => Promise<JSONWebKeySet>;

type TokenConfig = Pick<Config, "TOLLGATE_JWT_ISSUER" | "TOLLGATE_JWT_AUDIENCE" | "TOLLGATE_JWKS_URL" | "TOLLGATE_JWT_ROLE_CLAIM">;

const LENGTH_MAX = 16 * 1024;
const REFETCH_MS = 60_000;
const ALGORITHMS = ["RS256", "ES256"];

/** Key sets by URL. A kid that is not in the set fetches anew at most once a minute, so that invented kids cannot hammer the issuer. */
const sets = new Map<string, { jwks: JSONWebKeySet; triedAt: number }>();

/**
 * Verifies an OIDC or Cloudflare Access token: RS256 or ES256 only (never `none`, never a public key as HMAC secret), issuer,
 * audience, exp (required), nbf. The role comes from the configured claim alone; an absent or unknown role is no access.
 * @throws TollgateError `invalid_api_key`, whatever the reason.
 */
export async function verifyToken(
  token: string,
  config: TokenConfig,
  fetchJwks: FetchJwks,
  nowMs: number = Date.now(),
): Promise<TokenIdentity> {
  const { TOLLGATE_JWT_ISSUER: issuer, TOLLGATE_JWT_AUDIENCE: audience, TOLLGATE_JWKS_URL: url } = config;
  if (!issuer || !audience || !url) throw refuseKey("tokens are not configured");
  if (token.length > LENGTH_MAX) throw refuseKey("token too long");
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (!ALGORITHMS.includes(alg ?? "")) throw refuseKey("token algorithm");
    const jwks = await keySet(url, kid, fetchJwks, nowMs);
    const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ["exp"],
      currentDate: new Date(nowMs),
    });
    return identity(payload, config.TOLLGATE_JWT_ROLE_CLAIM);
  } catch (error) {
    throw refuseKey(error instanceof errors.JOSEError ? error.code : "token", error);
  }
}

async function keySet(url: string, kid: string | undefined, fetchJwks: FetchJwks, nowMs: number): Promise<JSONWebKeySet> {
  const held = sets.get(url);
  const known = held?.jwks.keys.some((key) => kid === undefined || key.kid === kid) ?? false;
  if (held && (known || nowMs - held.triedAt < REFETCH_MS)) return held.jwks;
  // The attempt is noted before it is made: a failing issuer is not asked again by every request.
  const entry = { jwks: held?.jwks ?? { keys: [] }, triedAt: nowMs };
  sets.set(url, entry);
  entry.jwks = await fetchJwks(url);
  return entry.jwks;
}

function identity(payload: JWTPayload, claim: string): TokenIdentity {
  const role = ROLES.find((each) => each === payload[claim]);
  if (role === undefined || role === "key_holder") throw refuseKey("token without a role");
  if (!payload.sub) throw refuseKey("token without a subject");
  return { subject: payload.sub, role };
}
