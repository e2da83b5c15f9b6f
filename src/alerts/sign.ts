import { hex } from "#core";
const encoder = new TextEncoder();

/**
 * What `x-tollgate-signature` says of a body: when it was signed, and HMAC-SHA-256 in hex over `<seconds>.<body>`. The time is signed
 * along, against a delivery that somebody has recorded and plays again.
 */
export async function signature(secret: string, seconds: number, body: string): Promise<string> {
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(`${seconds}.${body}`)));
  return `t=${seconds},v1=${hex(digest)}`;
}

/** A signing secret: 256 bits, marked as what it is so that scanners of secrets know it. */
export function newSigningSecret(): string {
  return `whsec_${hex(crypto.getRandomValues(new Uint8Array(32)))}`;
}
