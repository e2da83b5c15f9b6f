import { type Safe, VaultError } from "#core";

/** Opened credentials by row and sealed text: opening costs key derivation, and the directory is read every few seconds. */
const opened = new Map<string, string>();
/** What opened under no master key, and was said to: the log is told once of each. */
const unreadable = new Set<string>();

/**
 * Opens a row's sealed credential, once per isolate; null for one that opens under no master key, since it cannot be used. One that is
 * still under the previous master key is wrapped anew, and given to `keep`.
 */
export async function openedBy(
  safe: Safe,
  { id, sealed }: { readonly id: string; readonly sealed: string },
  keep: (rewrapped: string) => Promise<unknown>,
): Promise<string | null> {
  const place = `${id}|${sealed}`;
  const known = opened.get(place);
  if (known !== undefined) return known;
  try {
    const plain = await safe.open(id, sealed, keep);
    opened.set(place, plain);
    return plain;
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    if (unreadable.has(place)) return null;
    unreadable.add(place);
    // oxlint-disable-next-line no-console -- an operator must learn that a credential is out of use; the id is no secret.
    console.error(JSON.stringify({ level: "error", code: "credential_unreadable", provider: id }));
    return null;
  }
}
