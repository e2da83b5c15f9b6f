const encoder = new TextEncoder();
const IV_BYTES = 12;
const FORM = /^v1\.([\w-]+)\.([\w-]+)$/;

/** Raised when a sealed text opens under none of the given master keys, or was sealed for another row. */
export class VaultError extends Error {
  override readonly name = "VaultError";
}

type Bytes = Uint8Array<ArrayBuffer>;

/** So many arguments at most are passed to one call, of which each takes room on the stack. */
const BYTES_AT_ONCE = 8_192;

function toText(bytes: Bytes): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += BYTES_AT_ONCE) text += String.fromCharCode(...bytes.subarray(at, at + BYTES_AT_ONCE));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function toBytes(text: string): Bytes {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

async function wrappingKey(masterKey: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(masterKey), "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: encoder.encode("tollgate"), info: encoder.encode("provider credential v1") };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function dataKey(raw: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

async function encrypt(key: CryptoKey, plain: Bytes, aad: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const cipher = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: encoder.encode(aad) }, key, plain));
  const joined = new Uint8Array(IV_BYTES + cipher.length);
  joined.set(iv);
  joined.set(cipher, IV_BYTES);
  return toText(joined);
}

async function decrypt(key: CryptoKey, sealed: string, aad: string): Promise<Bytes> {
  const bytes = toBytes(sealed);
  const algorithm = { name: "AES-GCM", iv: bytes.slice(0, IV_BYTES), additionalData: encoder.encode(aad) };
  return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, bytes.slice(IV_BYTES)));
}

async function unwrap(sealed: string, masterKeys: readonly string[], aad: string): Promise<{ raw: Bytes; cipher: string }> {
  const [, wrapped, cipher] = FORM.exec(sealed) ?? [];
  if (wrapped === undefined || cipher === undefined) throw new VaultError("not a sealed credential");
  let cause: unknown;
  for (const masterKey of masterKeys) {
    try {
      return { raw: await decrypt(await wrappingKey(masterKey), wrapped, aad), cipher };
    } catch (error) {
      cause = error;
    }
  }
  throw new VaultError("the credential opens under none of the master keys", { cause });
}

/** What a credential is bound to: moved to another row or version, its sealed text does not open. */
export function aadOf(tenant: string, providerId: string, version: number): string {
  return `${tenant}|${providerId}|${version}`;
}

/** Seals a secret as `v1.<data key wrapped by the master key>.<ciphertext>`, both AES-256-GCM under a fresh random IV and `aad`. */
export async function seal(plain: string, masterKey: string, aad: string): Promise<string> {
  const raw = crypto.getRandomValues(new Uint8Array(32));
  return `v1.${await encrypt(await wrappingKey(masterKey), raw, aad)}.${await encrypt(await dataKey(raw), Uint8Array.from(encoder.encode(plain)), aad)}`;
}

/** Opens a sealed secret with the first master key that fits. @throws VaultError */
export async function open(sealed: string, masterKeys: readonly string[], aad: string): Promise<string> {
  const { raw, cipher } = await unwrap(sealed, masterKeys, aad);
  try {
    return new TextDecoder().decode(await decrypt(await dataKey(raw), cipher, aad));
  } catch (cause) {
    throw new VaultError("the credential was changed", { cause });
  }
}

/** Wraps the same data key under the first master key, for rotation; the secret itself is not decrypted. @throws VaultError */
export async function rewrap(sealed: string, masterKeys: readonly [string, ...string[]], aad: string): Promise<string> {
  const { raw, cipher } = await unwrap(sealed, masterKeys, aad);
  return `v1.${await encrypt(await wrappingKey(masterKeys[0]), raw, aad)}.${cipher}`;
}

const TENANT = "deployment";
const VERSION = 1;

/** Where stored rows keep their secrets, each bound to its row's id; `previous` opens what was sealed before the master key changed. */
export class Safe {
  readonly #current: string;
  readonly #previous: string | undefined;

  constructor(current: string, previous: string | undefined) {
    this.#current = current;
    this.#previous = previous;
  }

  /** Seals a row's secret. */
  async seal(id: string, secret: string): Promise<string> {
    return seal(secret, this.#current, aadOf(TENANT, id, VERSION));
  }

  /** Opens a row's secret. One that is still under the previous master key is wrapped anew, and given to `keep`. @throws VaultError */
  async open(id: string, sealed: string, keep: (rewrapped: string) => Promise<unknown>): Promise<string> {
    const aad = aadOf(TENANT, id, VERSION);
    return open(sealed, [this.#current], aad).catch(async (error: unknown) => {
      if (this.#previous === undefined) throw error;
      const rewrapped = await rewrap(sealed, [this.#current, this.#previous], aad);
      await keep(rewrapped);
      return open(rewrapped, [this.#current], aad);
    });
  }
}
