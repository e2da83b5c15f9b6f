import { and, desc, eq, isNull } from "drizzle-orm";
import { checkBaseUrl, found, newId, Safe, taken, TollgateError } from "#core";
import type { Config } from "#config";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { openedBy } from "./opener.ts";
import type { ProviderRow } from "./registry.ts";

const { providers, providerCredentials } = tables;

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
    if (made.length === 0) throw taken("name", "providers");
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
    const before = found(await this.get(id), "provider");
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

  /** Removes an upstream and its credentials. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<StoredProvider> {
    const [, [gone]] = await this.#db.batch([
      this.#db.delete(providerCredentials).where(eq(providerCredentials.provider, id)),
      this.#db.delete(providers).where(eq(providers.id, id)).returning(),
    ]);
    return found(gone, "provider");
  }

  /**
   * Every upstream with its credentials opened, for the directory. One that opens under no master key is left out, since it could
   * not be called; the rest goes on. Credentials still under the previous master key are wrapped anew.
   */
  async all(): Promise<ProviderRow[]> {
    const [rows, further] = await this.#db.batch([this.#db.select().from(providers), this.#db.select().from(providerCredentials)]);
    const ready = await Promise.all(rows.map((row) => this.#opened(row, further)));
    return ready.filter((row) => row !== null);
  }

  async #opened(row: StoredProvider, further: readonly (typeof providerCredentials.$inferSelect)[]): Promise<ProviderRow | null> {
    const origin = URL.parse(row.baseUrl)?.origin;
    const mine = further.filter((each) => each.provider === row.id && each.origin === origin);
    const [credential, ...spares] = await Promise.all([
      this.#open(providers, row),
      ...mine.map((each) => this.#open(providerCredentials, each)),
    ]);
    if (row.credential !== null && credential === null) return null;
    const usable = mine.map(({ id }, at) => ({ id, credential: spares[at] ?? null }));
    return {
      ...row,
      credential: credential ?? null,
      spares: usable.flatMap(({ id, credential }) => (credential === null ? [] : [{ id, credential }])),
    };
  }

  async #open(
    table: typeof providers | typeof providerCredentials,
    { id, credential: sealed }: { readonly id: string; readonly credential: string | null },
  ): Promise<string | null> {
    if (sealed === null) return null;
    // Only over what was read: an operator may have given a new credential meanwhile.
    const same = and(eq(table.id, id), eq(table.credential, sealed));
    return openedBy(this.#safe, { id, sealed }, async (credential) => this.#db.update(table).set({ credential }).where(same));
  }

  async #sealed(id: string, apiKey: string | null): Promise<Pick<StoredProvider, "credential" | "credentialLast4">> {
    if (apiKey === null) return { credential: null, credentialLast4: null };
    const credential = await this.#safe.seal(id, apiKey);
    return { credential, credentialLast4: last4Of(apiKey) };
  }
}

/** What may be shown of a credential: of a short one nothing. */
export function last4Of(apiKey: string): string | null {
  return apiKey.length >= 12 ? apiKey.slice(-4) : null;
}

function bound(): TollgateError {
  const message = "api_key: a credential stays at its origin; give it again, or null, together with a base_url of another origin";
  return new TollgateError("invalid_request", message, { param: "api_key" });
}
