import { and, desc, eq } from "drizzle-orm";
import { found, newId, Safe, TollgateError } from "#core";
import type { Config } from "#config";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { last4Of, type StoredProvider } from "./store.ts";

const { providerCredentials } = tables;

/** A further credential of a provider as stored, sealed. */
export type StoredCredential = typeof providerCredentials.$inferSelect;

const CREDENTIALS_MAX = 16;

/** Further credentials of one provider. They go in and never come out but to the directory, opened for sending. */
export class CredentialStore {
  readonly #db: Db;
  readonly #safe: Safe;
  readonly #clock: () => number;
  readonly #provider: StoredProvider;

  constructor(db: Db, config: Config, { provider, clock }: { readonly provider: StoredProvider; readonly clock: () => number }) {
    this.#db = db;
    this.#safe = new Safe(config.TOLLGATE_ENCRYPTION_KEY, config.TOLLGATE_ENCRYPTION_KEY_PREVIOUS);
    this.#provider = provider;
    this.#clock = clock;
  }

  /** Adds a credential, for the origin that the provider has now and no other. @throws TollgateError `invalid_request`. */
  async add(label: string, apiKey: string): Promise<StoredCredential> {
    const { id: provider, baseUrl } = this.#provider;
    if ((await this.#db.$count(providerCredentials, eq(providerCredentials.provider, provider))) >= CREDENTIALS_MAX)
      throw new TollgateError("invalid_request", `A provider has at most ${CREDENTIALS_MAX} credentials beside its own`);
    const now = this.#clock();
    const id = newId("crd", now);
    const credential = await this.#safe.seal(id, apiKey);
    const { origin } = new URL(baseUrl);
    const row = { id, provider, label, origin, credential, credentialLast4: last4Of(apiKey), createdAt: now };
    await this.#db.insert(providerCredentials).values(row);
    return row;
  }

  /** The provider's further credentials, newest first. */
  async list({ limit, cursor }: Paging): Promise<Page<StoredCredential>> {
    const rows = await this.#db
      .select()
      .from(providerCredentials)
      .where(and(eq(providerCredentials.provider, this.#provider.id), after(providerCredentials, cursor)))
      .orderBy(desc(providerCredentials.createdAt), desc(providerCredentials.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Removes a credential. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<StoredCredential> {
    const mine = and(eq(providerCredentials.id, id), eq(providerCredentials.provider, this.#provider.id));
    const [gone] = await this.#db.delete(providerCredentials).where(mine).returning();
    return found(gone, "credential");
  }
}
