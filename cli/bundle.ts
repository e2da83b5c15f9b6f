import { createPrivateKey, generateKeyPairSync, hash, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { Failure, misuse } from "./failure.ts";
import { problemLine, problemsOfBundling } from "./problem.ts";
import { readSource } from "./source.ts";

/** A policy as it is uploaded. */
export interface Bundle {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly signature: { readonly key_id: string; readonly ed25519: string } | null;
}

/** What a bundle is signed with: a file that holds an Ed25519 private key, and the id by which the gateway trusts it. */
export interface Signer {
  readonly file: string;
  readonly keyId: string;
}

const ID = /^[\w.-]{1,64}$/;

/** Makes one module of a policy's file, the SDK inside it, reads its name and version, and signs it where there is a key. */
export async function bundleOf(file: string, signer: Signer | null): Promise<Bundle> {
  const source = await moduleOf(file);
  const { name, version } = await identityOf(source, file);
  const text = `tollgate-policy/1\n${name}\n${version}\nsha256:${hash("sha256", source)}`;
  return { name, version, source, signature: signer && (await signatureOf(text, signer)) };
}

async function moduleOf(file: string): Promise<string> {
  const { bundlePolicy } = await import("../scripts/bundle-policy.ts");
  try {
    return await bundlePolicy(file);
  } catch (cause) {
    throw new Failure("failed", `${file} cannot be bundled: ${faultsOf(cause, file)}`, { code: "file", param: "<file>", cause });
  }
}

/** What the bundler found wrong, with its places; whatever else was thrown, by its message. */
function faultsOf(cause: unknown, file: string): string {
  const problems = problemsOfBundling(cause, file);
  if (problems !== null) return problems.map(problemLine).join("; ");
  return cause instanceof Error ? cause.message : String(cause);
}

/** What a module calls itself. It is the operator's own, and runs here as any of their tests does. */
async function identityOf(source: string, file: string): Promise<{ readonly name: string; readonly version: string }> {
  const module = (await import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`)) as { readonly default?: unknown };
  const made: unknown = typeof module.default === "function" ? new (module.default as new () => unknown)() : module.default;
  const { name, version } = (made ?? {}) as { readonly name?: unknown; readonly version?: unknown };
  if (typeof name === "string" && typeof version === "string") return { name, version };
  throw new Failure("failed", `${file}: its default export has no name and version`, { code: "file", param: "<file>" });
}

async function signatureOf(text: string, { file, keyId }: Signer): Promise<NonNullable<Bundle["signature"]>> {
  const pem = await readSource(file, "--signing-key");
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is ${key.asymmetricKeyType}`);
    return { key_id: keyId, ed25519: sign(null, Buffer.from(text), key).toString("base64") };
  } catch (cause) {
    throw new Failure("failed", `--signing-key: ${file} holds no Ed25519 private key`, { code: "file", param: "--signing-key", cause });
  }
}

/** Makes a signing key: its private half into a new file that only its owner reads, its public half as the gateway is told it. */
export async function newSigner(keyId: string, file: string): Promise<string> {
  if (!ID.test(keyId)) throw misuse("<id> must be 1 to 64 letters, digits, dots and hyphens", "<id>");
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  try {
    await writeFile(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600, flag: "wx" });
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Failure("failed", `--out: ${file} cannot be written anew (${why})`, { code: "file", param: "--out", cause });
  }
  // The last 32 bytes of the public key's DER are the key itself.
  return `${keyId}=${publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64")}`;
}
