import { eq } from "drizzle-orm";
import type { Caller } from "#core";
import { type Db, tables } from "#db";
import { refuseKey, TaskRefused } from "./refusal.ts";
import { certified, digest, equalText, parse } from "./secret.ts";
import { isTaskIdentity, readTaskIdentity } from "./task-identity.ts";

/** One key as last read; `key` is null where storage has none. */
interface Entry {
  readonly caller: Caller | null;
  readonly secrets: readonly { readonly digest: string; readonly validUntil: number | null }[];
  readonly readAt: number;
  /** The text that proved itself to be this key's, and its digest: the HMAC is asked once for it, not with every request. */
  proof: { readonly text: string; readonly digest: string } | null;
}

const CAPACITY = 2_000;
/** How long a refusal stands without reading again: what is enabled or rotated meanwhile works after this. */
const REFUSAL_MS = 2_000;

/**
 * Tells who a key is. Lives as long as its isolate and holds what it read without a limit of time, because each admission
 * carries the epoch to the ledger; a path that asks no ledger passes `ageMsMax`. Entries stand by whole public id and are
 * verified by digest each time, so a shared prefix of two keys never answers for the other.
 */
export class KeyRing {
  readonly #db: Db;
  readonly #pepper: string;
  readonly #clock: () => number;
  readonly #adopted: string | null;
  readonly #entries = new Map<string, Entry>();

  /** `adopted` is the text of a key that was not minted here and so cannot certify itself: the development key of a local gateway. */
  constructor(db: Db, pepper: string, clock: () => number, adopted: string | null = null) {
    this.#db = db;
    this.#pepper = pepper;
    this.#clock = clock;
    this.#adopted = adopted === null ? null : (parse(adopted)?.id ?? null);
  }

  /**
   * The caller behind a credential's text: a key's, or a task's. Text that is malformed or not of our minting never reaches storage.
   * @throws TollgateError `invalid_api_key`, whatever the reason.
   */
  async authenticate(text: string, ageMsMax = Infinity): Promise<Caller> {
    return isTaskIdentity(text) ? this.#task(text, ageMsMax) : this.#key(text, ageMsMax);
  }

  async #key(text: string, ageMsMax: number): Promise<Caller> {
    const parts = parse(text);
    if (!parts) throw refuseKey("malformed");
    const keyId = `key_${parts.id}`;
    const known = this.#recall(keyId);
    const minted = known !== undefined || parts.id === this.#adopted || (await certified(this.#pepper, parts.id));
    if (!minted) throw refuseKey("not minted here");
    const proof = provenAs(known, text) ?? { text, digest: await digest(this.#pepper, parts) };
    const now = this.#clock();
    if (known && now - known.readAt <= ageMsMax) {
      const caller = judge(known, proof, now);
      if (caller) return caller;
      if (now - known.readAt < REFUSAL_MS) throw refuseKey("refused by what was read just now");
    }
    const caller = judge(await this.#read(keyId), proof, now);
    if (!caller) throw refuseKey("unknown, disabled, revoked, expired or wrong secret");
    return caller;
  }

  /** Drops what is known of a key; called when the ledger answers that its epoch is stale. */
  forget(keyId: string): void {
    this.#entries.delete(keyId);
  }

  /** A task calls as the key that began it, as long as that key may. */
  async #task(text: string, ageMsMax: number): Promise<Caller> {
    const now = this.#clock();
    const { task, key } = await readTaskIdentity(this.#pepper, text, now);
    const known = this.#recall(key);
    const fresh = known && now - known.readAt <= ageMsMax ? known : await this.#read(key);
    const caller = alive(fresh.caller, now);
    if (!caller) throw refuseKey("the task's key is unknown, disabled or expired", new TaskRefused({ task, key }));
    return { ...caller, task };
  }

  #recall(keyId: string): Entry | undefined {
    const entry = this.#entries.get(keyId);
    if (!entry) return undefined;
    this.#entries.delete(keyId);
    this.#entries.set(keyId, entry);
    return entry;
  }

  async #read(keyId: string): Promise<Entry> {
    const readAt = this.#clock();
    const rows = await this.#db
      .select({ key: tables.keys, secret: tables.keySecrets })
      .from(tables.keys)
      .innerJoin(tables.keySecrets, eq(tables.keySecrets.key, tables.keys.id))
      .where(eq(tables.keys.id, keyId));
    const key = rows[0]?.key;
    const caller = key?.status === "active" ? callerFrom(key) : null;
    const entry = { caller, secrets: rows.map((row) => row.secret), readAt, proof: null };
    this.#entries.delete(keyId);
    this.#entries.set(keyId, entry);
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > CAPACITY && oldest !== undefined) this.#entries.delete(oldest);
    return entry;
  }
}

/** What proved itself before by the very same text; null for any other. */
function provenAs(known: Entry | undefined, text: string): Entry["proof"] {
  return known?.proof && equalText(known.proof.text, text) ? known.proof : null;
}

/** The caller if the digest is one of the key's living secrets and the key has not expired; looks at every secret, so that timing tells none apart. */
function judge(entry: Entry, proof: NonNullable<Entry["proof"]>, now: number): Caller | null {
  let matches = false;
  for (const secret of entry.secrets) {
    const equal = equalText(secret.digest, proof.digest);
    const alive = secret.validUntil === null || secret.validUntil > now;
    matches = (equal && alive) || matches;
  }
  if (matches) entry.proof = proof;
  return matches ? alive(entry.caller, now) : null;
}

function alive(caller: Caller | null, now: number): Caller | null {
  return caller && (caller.expiresAt === null || caller.expiresAt > now) ? caller : null;
}

/** The facts of a stored key that travel with a request. */
export function callerFrom(key: typeof tables.keys.$inferSelect): Caller {
  return {
    key: key.id,
    name: key.name,
    team: key.team,
    user: key.user,
    role: key.role,
    tags: key.tags,
    metadata: key.metadata,
    models: { allow: key.modelsAllow, deny: key.modelsDeny },
    limits: { rpm: key.rpm, tpm: key.tpm, concurrency: key.concurrency },
    unknownPrice: key.unknownPrice,
    contentLogging: key.contentLogging,
    cache: key.cache,
    responses: key.responses,
    profile: key.profile,
    task: null,
    expiresAt: key.expiresAt,
    epoch: key.epoch,
  };
}
