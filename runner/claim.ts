import { base64url, errors, jwtVerify, SignJWT } from "jose";
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

/** Why a bearer claims nothing. */
type ClaimFault = "missing" | "forged" | "expired";

/** What a bearer claims; why nothing, where it is not signed by us for a runner, or not fresh. */
export async function readClaim(secret: string, bearer: string): Promise<Claims | ClaimFault> {
  if (bearer === "") return "missing";
  const options = { algorithms: ["HS256"], audience: CLAIM_AUDIENCE, maxTokenAge: CLAIM_SECONDS_MAX };
  try {
    const { payload } = await jwtVerify(bearer, encoder.encode(secret), options);
    return claims.safeParse(payload).data ?? "forged";
  } catch (error) {
    return error instanceof errors.JWTExpired ? "expired" : "forged";
  }
}
