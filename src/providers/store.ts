import { and, desc, eq, isNull } from "drizzle-orm";
import { checkBaseUrl, newId, Safe, TollgateError, VaultError } from "#core";
import type { Config } from "#config";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import type { ProviderRow } from "./registry.ts";

const { providers } = tables;

/** A provider as stored; its credential is sealed. */
export type StoredProvider = typeof providers.$inferSelect;

/** What an operator decides about a provider. */
export interface NewProvider {
  readonly name: string;
  readonly kind: StoredProvider["kind"];
  readonly baseUrl: string;
  readonly apiKey: string | null;
  /** Capabilities it is limited to; empty means all that its kind speaks. */
  readonly apis: readonly string[];
}

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** Opened credentials by row and sealed text: opening costs key derivation, and the directory is read every few seconds. */
const opened = new Map<string, string>();
/** What opened under no master key, and was said to: the log is told once of each. */
const unreadable = new Set<string>();

/** The upstreams of the deployment. Credentials go in and never come out but to the directory, opened for sending. */
export class ProviderStore {
  readonly #db: Db;
  readonly #config: Config;
  readonly #clock: () => number;
  readonly #safe: Safe;

  constructor(db: Db, config: Config, clock: () => number) {
    this.#db = db;
    this.#config = config;
    this.#safe = new Safe(config.TOLLGATE_ENCRYPTION_KEY, config.TOLLGATE_ENCRYPTION_KEY_PREVIOUS);
    this.#clock = clock;
  }

  /** Registers an upstream. @throws TollgateError `invalid_request` naming the field. */
  async create({ name, kind, baseUrl, apiKey, apis }: NewProvider): Promise<StoredProvider> {
    if (!NAME.test(name) || name === "tollgate") {
      throw new TollgateError("invalid_request", "name must be 1 to 32 of a-z, 0-9 and -, and not tollgate", { param: "name" });
    }
    checkBaseUrl(baseUrl, this.#config.allowPrivateUpstreams);
    const now = this.#clock();
    const id = newId("prv", now);
    const row = {
      id,
      name,
      kind,
      baseUrl,
      apis: [...apis],
      status: "active" as const,
      createdAt: now,
      ...(await this.#sealed(id, apiKey)),
    };
    const made = await this.#db.insert(providers).values(row).onConflictDoNothing().returning();
    if (made.length === 0) throw new TollgateError("invalid_request", "name is taken", { param: "name" });
    return row;
  }

  /** The provider, or null. */
  async get(id: string): Promise<StoredProvider | null> {
    return (await this.#db.select().from(providers).where(eq(providers.id, id)))[0] ?? null;
  }

  /** Providers, newest first. */
  async list({ limit, cursor }: Paging): Promise<Page<StoredProvider>> {
    const rows = await this.#db
      .select()
      .from(providers)
      .where(after(providers, cursor))
      .orderBy(desc(providers.createdAt), desc(providers.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /**
   * Changes what is named; `apiKey` null takes the credential away. A credential stays at the origin that it was given for: who may
   * point an upstream elsewhere could have it sent to a listener of its own.
   * @throws TollgateError `not_found`, `invalid_request` naming the field.
   */
  async patch(
    id: string,
    changes: Partial<Omit<NewProvider, "name" | "kind">> & { readonly status?: StoredProvider["status"] },
  ): Promise<StoredProvider> {
    const before = await this.get(id);
    if (!before) throw absent();
    if (changes.baseUrl !== undefined) this.#checkMove(before, changes.baseUrl, changes.apiKey);
    const { credential } = before;
    // Only over the pair that was judged: another change may have moved the upstream or its credential meanwhile.
    const same = and(
      eq(providers.id, id),
      eq(providers.baseUrl, before.baseUrl),
      credential === null ? isNull(providers.credential) : eq(providers.credential, credential),
    );
    const changed = {
      baseUrl: changes.baseUrl ?? before.baseUrl,
      ...(changes.apis ? { apis: [...changes.apis] } : {}),
      ...(changes.status ? { status: changes.status } : {}),
      ...(changes.apiKey === undefined ? {} : await this.#sealed(id, changes.apiKey)),
    };
    const [row] = await this.#db.update(providers).set(changed).where(same).returning();
    return row ?? this.patch(id, changes);
  }

  #checkMove(before: StoredProvider, baseUrl: string, apiKey: string | null | undefined): void {
    const { origin } = checkBaseUrl(baseUrl, this.#config.allowPrivateUpstreams);
    if (before.credential !== null && apiKey === undefined && origin !== new URL(before.baseUrl).origin) throw bound();
  }

  /** Removes an upstream and its credential. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<StoredProvider> {
    const [gone] = await this.#db.delete(providers).where(eq(providers.id, id)).returning();
    if (!gone) throw absent();
    return gone;
  }

  /**
   * Every upstream with its credential opened, for the directory. One that opens under no master key is left out, since it could
   * not be called; the rest goes on. Credentials still under the previous master key are wrapped anew.
   */
  async all(): Promise<ProviderRow[]> {
    const rows = await this.#db.select().from(providers);
    const ready = await Promise.all(rows.map((row) => this.#opened(row)));
    return ready.filter((row) => row !== null);
  }

  async #opened(row: StoredProvider): Promise<ProviderRow | null> {
    if (row.credential === null) return row;
    try {
      return { ...row, credential: await this.#open(row.id, row.credential) };
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      const place = placeOf(row.id, row.credential);
      if (unreadable.has(place)) return null;
      unreadable.add(place);
      // oxlint-disable-next-line no-console -- an operator must learn that a provider is out of use; the id is no secret.
      console.error(JSON.stringify({ level: "error", code: "credential_unreadable", provider: row.id }));
      return null;
    }
  }

  async #open(id: string, sealed: string): Promise<string> {
    const place = placeOf(id, sealed);
    const known = opened.get(place);
    if (known !== undefined) return known;
    // Only over what was read: an operator may have given a new credential meanwhile.
    const same = and(eq(providers.id, id), eq(providers.credential, sealed));
    const keep = async (credential: string) => this.#db.update(providers).set({ credential }).where(same);
    const plain = await this.#safe.open(id, sealed, keep);
    opened.set(place, plain);
    return plain;
  }

  async #sealed(id: string, apiKey: string | null): Promise<Pick<StoredProvider, "credential" | "credentialLast4">> {
    if (apiKey === null) return { credential: null, credentialLast4: null };
    const credential = await this.#safe.seal(id, apiKey);
    return { credential, credentialLast4: apiKey.length >= 12 ? apiKey.slice(-4) : null };
  }
}

function placeOf(id: string, sealed: string): string {
  return `${id}|${sealed}`;
}

function bound(): TollgateError {
  const message = "api_key: a credential stays at its origin; give it again, or null, together with a base_url of another origin";
  return new TollgateError("invalid_request", message, { param: "api_key" });
}

function absent(): TollgateError {
  return new TollgateError("not_found", "There is no such provider.");
}
