import { sha256 } from "#core";
/** A signature as it comes with a bundle: whose key made it, and the 64 bytes in base64. */
export interface Signature {
  readonly keyId: string;
  readonly ed25519: string;
}

/** What a signature binds together: no source passes under another name or version than it was signed for. */
export interface Bundle {
  readonly name: string;
  readonly version: string;
  readonly source: string;
}

/** The hash that names a text, such as a source: `sha256:` and hex. */
export async function hashOf(text: string): Promise<string> {
  return `sha256:${await sha256(text)}`;
}

/** Why a signature does not hold for a bundle; null where it does. `keys` are raw public keys in base64, by their ids. */
export async function signatureFault(
  bundle: Bundle,
  { keyId, ed25519 }: Signature,
  keys: ReadonlyMap<string, string>,
): Promise<string | null> {
  const known = keys.get(keyId);
  if (known === undefined) return `no key ${keyId} is trusted here`;
  const signature = bytesOf(ed25519);
  const raw = bytesOf(known);
  if (signature?.byteLength !== 64) return "is no 64 bytes in base64";
  if (raw?.byteLength !== 32) return `the trusted key ${keyId} is no Ed25519 public key`;
  const key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  const holds = await crypto.subtle.verify({ name: "Ed25519" }, key, signature, new TextEncoder().encode(await signedText(bundle)));
  return holds ? null : `does not hold for this name, version and source under the key ${keyId}`;
}

/** The text that is signed. A line each, and neither a name nor a version holds a line break. */
export async function signedText({ name, version, source }: Bundle): Promise<string> {
  return `tollgate-policy/1\n${name}\n${version}\n${await hashOf(source)}`;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
