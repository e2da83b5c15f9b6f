import { type Bundle, signedText } from "../../src/policy/signature.ts";

/** An operator's signing key: its public half as the deployment is told it, and what it signs bundles with. */
export async function signer(id: string) {
  const pair = (await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer;
  return {
    trusted: `${id}=${base64(new Uint8Array(raw))}`,
    async sign(bundle: Bundle) {
      const text = new TextEncoder().encode(await signedText(bundle));
      const signature = await crypto.subtle.sign({ name: "Ed25519" }, pair.privateKey, text);
      return { keyId: id, ed25519: base64(new Uint8Array(signature)) };
    },
  };
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
