import { base64url, jwtVerify, SignJWT } from "jose";
import { CLAIM_AUDIENCE, CLAIM_SECONDS_MAX, type Claims, claims, type Operation } from "./protocol.ts";

const encoder = new TextEncoder();

/** The digest that a claim to create binds a body by. */
export async function digestOf(body: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", body);
  return base64url.encode(new Uint8Array(digest));
}

/** Signs a claim to do one thing to one job, good for as long as claims are. */
export function signClaim(
  secret: string,
  { job, op, spec }: { readonly job: string; readonly op: Operation; readonly spec?: string },
): Promise<string> {
  return new SignJWT({ op, ...(spec === undefined ? {} : { spec }) })
    .setProtectedHeader({ alg: "HS256" })
    .setAudience(CLAIM_AUDIENCE)
    .setSubject(job)
    .setIssuedAt()
    .setExpirationTime(`${CLAIM_SECONDS_MAX}s`)
    .sign(encoder.encode(secret));
}

/** What a bearer claims; null where it is not signed by us, not fresh, or not for a runner. */
export async function readClaim(secret: string, bearer: string): Promise<Claims | null> {
  const options = { algorithms: ["HS256"], audience: CLAIM_AUDIENCE, maxTokenAge: CLAIM_SECONDS_MAX };
  try {
    const { payload } = await jwtVerify(bearer, encoder.encode(secret), options);
    return claims.safeParse(payload).data ?? null;
  } catch {
    return null;
  }
}
