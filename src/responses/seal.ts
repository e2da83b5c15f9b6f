import { hex } from "#core";
type Bytes = Uint8Array<ArrayBuffer>;

const IV_BYTES = 12;
const encoder = new TextEncoder();

/** Where something is kept, and what opens it. */
export interface Place {
  /** Of the object; a key's responses are spread over sixteen, so that a busy key is more than one thread. */
  readonly object: string;
  /** Within it. */
  readonly name: string;
  readonly secret: CryptoKey;
}

/** The deployment's pepper, as places are drawn with it. */
export async function pepperOf(text: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", encoder.encode(text), { name: "HMAC", hash: "SHA-512" }, false, ["sign"]);
}

/**
 * The place of an id of a key. Both its name and its secret are drawn from the id, which nothing stores: whoever reads the storage, even
 * beside the deployment's secrets, neither finds nor opens what is kept there without it. Another key's id is another place.
 */
export async function placeOf(pepper: CryptoKey, key: string, id: string): Promise<Place> {
  const drawn = await crypto.subtle.sign("HMAC", pepper, encoder.encode(`response\n${key}\n${id}`));
  const secret = await crypto.subtle.importKey("raw", drawn.slice(32), "AES-GCM", false, ["encrypt", "decrypt"]);
  const name = hex(new Uint8Array(drawn, 0, 32));
  return { object: `${key}/${shelfOf(id)}`, name, secret };
}

/** By the end of the id: OpenAI's response and its items end alike (`resp_…0bb6a6b452d3795b`, `msg_…0bb6a6b452d3795b` in its reference), and are kept in one call. */
function shelfOf(id: string): string {
  const last = id.at(-1) ?? "";
  return /[0-9a-f]/.test(last) ? last : ((last.codePointAt(0) ?? 0) % 16).toString(16);
}

/** A text under a place's secret. */
export async function seal({ secret }: Pick<Place, "secret">, text: string): Promise<Bytes> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const cipher = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, secret, encoder.encode(text)));
  const sealed = new Uint8Array(IV_BYTES + cipher.length);
  sealed.set(iv);
  sealed.set(cipher, IV_BYTES);
  return sealed;
}

/** The text that was sealed. @throws where it was sealed for another place, or is spoiled. */
export async function open({ secret }: Place, sealed: Bytes): Promise<string> {
  const iv = sealed.slice(0, IV_BYTES);
  return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, secret, sealed.slice(IV_BYTES)));
}
