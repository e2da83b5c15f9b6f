import { hex } from "#core";
/** The two parts of a key's text: `id` may stand in logs, `secret` nowhere. */
export interface SecretParts {
  readonly id: string;
  readonly secret: string;
}

/** A key as it is shown once to the person who made it. */
export interface MintedSecret extends SecretParts {
  /** `sk-tg-<id>-<secret>`. */
  readonly text: string;
  /** What the store keeps instead of the text. */
  readonly digest: string;
  readonly last4: string;
}

const FORM = /^sk-tg-([a-z0-9]{12})-([A-Za-z0-9]{43})$/;
const FORM_LENGTH = 62;
const RANDOM_LENGTH = 7;
const CHECK_LENGTH = 5;
const SECRET_LENGTH = 43;
const LOWER = "0123456789abcdefghijklmnopqrstuvwxyz";
const ALPHANUMERIC = `${LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

/** Imported HMAC keys by pepper; a deployment has one, tests a few. Holds resolved keys, never promises of another request. */
const imported = new Map<string, CryptoKey>();
const encoder = new TextEncoder();

/** A new key with 256 bits of secret under a public id that certifies itself. */
export async function mint(pepper: string): Promise<MintedSecret> {
  const random = randomText(RANDOM_LENGTH, LOWER);
  return remint(pepper, random + (await checkOf(pepper, random)));
}

/** A new secret under an existing public id, for rotation. */
export async function remint(pepper: string, id: string): Promise<MintedSecret> {
  const secret = randomText(SECRET_LENGTH, ALPHANUMERIC);
  const digested = await digest(pepper, { id, secret });
  return { id, secret, text: `sk-tg-${id}-${secret}`, digest: digested, last4: secret.slice(-4) };
}

/** The parts of a key's text, or null when it does not have the form; the length is looked at first, so hostile text costs nothing. */
export function parse(text: string): SecretParts | null {
  if (text.length !== FORM_LENGTH) return null;
  const match = FORM.exec(text);
  return match ? { id: match[1]!, secret: match[2]! } : null;
}

/** Whether this deployment minted the public id: a stranger's invention fails here, before storage is touched (one in 60 million passes). */
export async function certified(pepper: string, id: string): Promise<boolean> {
  return equalText(await checkOf(pepper, id.slice(0, RANDOM_LENGTH)), id.slice(RANDOM_LENGTH));
}

/** HMAC-SHA-256 of public id and secret under the pepper, in hex: a dump of the database verifies nothing without the Worker secret. */
export async function digest(pepper: string, parts: SecretParts): Promise<string> {
  return hex(await hmac(pepper, `secret:${parts.id}:${parts.secret}`));
}

/** Compares in a time that depends on the length only, so that timing names no matching prefix. */
export function equalText(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let at = 0; at < left.length; at++) difference |= left.charCodeAt(at) ^ right.charCodeAt(at);
  return difference === 0;
}

async function checkOf(pepper: string, random: string): Promise<string> {
  const bytes = await hmac(pepper, `id:${random}`);
  let text = "";
  for (let at = 0, rest = new DataView(bytes.buffer).getUint32(0); at < CHECK_LENGTH; at++, rest = Math.floor(rest / 36))
    text += LOWER[rest % 36];
  return text;
}

/** HMAC-SHA-256 of a message under the pepper. A message's first word says what it is for, so that none can stand for another's. */
export async function hmac(pepper: string, message: string): Promise<Uint8Array<ArrayBuffer>> {
  let key = imported.get(pepper);
  if (!key) {
    key = await crypto.subtle.importKey("raw", encoder.encode(pepper), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    imported.set(pepper, key);
  }
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(message)));
}

/** Uniform text from `alphabet`: bytes beyond its largest whole multiple are thrown away, so that no character is likelier. */
function randomText(length: number, alphabet: string): string {
  const limit = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < limit && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}
