import { and, desc, eq, getTableColumns, isNull, lt, ne, or, sql } from "drizzle-orm";
import { absent, found, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { digest, type MintedSecret, mint, parse, remint } from "./secret.ts";

const { keys, keySecrets } = tables;

type Stored = typeof keys.$inferSelect;

/** A key as the control plane shows it: the row and the last four characters of its newest secret. */
export type KeyRow = Stored & { readonly last4: string | null };

/** What a person decides about a key; the rest is the store's. */
export type KeyFields = Omit<Stored, "id" | "status" | "epoch" | "createdAt">;

/** Which keys a list names. */
export interface KeyFilter extends Paging {
  readonly team?: string;
  readonly user?: string;
  readonly status?: Stored["status"];
}

/** What a new key is where its maker says nothing. */
export const KEY_DEFAULTS: Omit<KeyFields, "name"> = {
  team: "team_default",
  user: null,
  role: "key_holder",
  tags: [],
  metadata: {},
  modelsAllow: ["*"],
  modelsDeny: [],
  expiresAt: null,
  rpm: 600,
  tpm: null,
  concurrency: 20,
  unknownPrice: "charge_dearest",
  contentLogging: "off",
  cache: "off",
  responses: "kept",
  profile: null,
};

const last4 = sql<
  string | null
>`(select s.last4 from key_secrets s where s.key = keys.id order by s.created_at desc, s.rowid desc limit 1)`;
const SHOWN = { ...getTableColumns(keys), last4 };
const NEXT_EPOCH = sql`${keys.epoch} + 1`;

/** The keys of the control plane. Every change raises the key's epoch in the same statement, so no isolate can hold it unnoticed. */
export class KeyStore {
  readonly #db: Db;
  readonly #pepper: string;
  readonly #clock: () => number;

  constructor(db: Db, pepper: string, clock: () => number) {
    this.#db = db;
    this.#pepper = pepper;
    this.#clock = clock;
  }

  /** Makes a key; `secret` is its text, shown here and never again. */
  async create(fields: Partial<KeyFields> & { readonly name: string }): Promise<{ row: KeyRow; secret: string }> {
    return this.#store(fields, await mint(this.#pepper));
  }

  /**
   * Makes a key whose text somebody else chose: the development key of a local gateway. A key of that id is left as it is.
   * @throws TollgateError `invalid_request` for text that is not of a key's form.
   */
  async adopt(text: string, fields: Partial<KeyFields> & { readonly name: string }): Promise<KeyRow> {
    const parts = parse(text);
    if (!parts) throw new TollgateError("invalid_request", "A key has the form sk-tg-<12 of a-z 0-9>-<43 of A-Z a-z 0-9>");
    const known = await this.get(`key_${parts.id}`);
    if (known) return known;
    const secret = { ...parts, text, digest: await digest(this.#pepper, parts), last4: parts.secret.slice(-4) };
    return (await this.#store(fields, secret)).row;
  }

  async #store(fields: Partial<KeyFields> & { readonly name: string }, minted: MintedSecret): Promise<{ row: KeyRow; secret: string }> {
    const now = this.#clock();
    const row = { ...KEY_DEFAULTS, ...fields, id: `key_${minted.id}`, status: "active" as const, epoch: 1, createdAt: now };
    await this.#requireHome(row.team, row.user);
    await this.#db.batch([this.#db.insert(keys).values(row), this.#insertSecret(row.id, minted)]);
    return { row: { ...row, last4: minted.last4 }, secret: minted.text };
  }

  /** The key, or null where there is none. */
  async get(id: string): Promise<KeyRow | null> {
    const [row] = await this.#db.select(SHOWN).from(keys).where(eq(keys.id, id));
    return row ?? null;
  }

  /** Keys, newest first. */
  async list(filter: KeyFilter): Promise<Page<KeyRow>> {
    const rows = await this.#db
      .select(SHOWN)
      .from(keys)
      .where(
        and(
          filter.team === undefined ? undefined : eq(keys.team, filter.team),
          filter.user === undefined ? undefined : eq(keys.user, filter.user),
          filter.status === undefined ? undefined : eq(keys.status, filter.status),
          after(keys, filter.cursor),
        ),
      )
      .orderBy(desc(keys.createdAt), desc(keys.id))
      .limit(filter.limit + 1);
    return paged(rows, filter.limit);
  }

  /** Changes what is named. A key's team is fixed, since its ledger holds what was spent. @throws TollgateError `not_found`. */
  async patch(id: string, changes: Partial<Omit<KeyFields, "team">>): Promise<KeyRow> {
    if (changes.user) await this.#requireHome((await this.#require(id)).team, changes.user);
    await this.#change(id, changes);
    return this.#require(id);
  }

  /** A new secret; the ones before it stay valid for `graceMs`. @throws TollgateError `not_found`, also for a revoked key. */
  async rotate(id: string, graceMs: number): Promise<{ row: KeyRow; secret: string; previousValidUntil: number }> {
    const before = await this.#require(id);
    if (before.status === "revoked") throw absent("key");
    const minted = await remint(this.#pepper, id.slice("key_".length));
    const until = this.#clock() + graceMs;
    await this.#db.batch([
      this.#db
        .update(keySecrets)
        .set({ validUntil: until })
        .where(and(eq(keySecrets.key, id), or(isNull(keySecrets.validUntil), sql`${keySecrets.validUntil} > ${until}`))),
      this.#db.delete(keySecrets).where(and(eq(keySecrets.key, id), lt(keySecrets.validUntil, this.#clock()))),
      this.#insertSecret(id, minted),
      this.#db.update(keys).set({ epoch: NEXT_EPOCH }).where(eq(keys.id, id)),
    ]);
    return { row: await this.#require(id), secret: minted.text, previousValidUntil: until };
  }

  /** Refuses the key from now on, until it is enabled. @throws TollgateError `not_found`. */
  async disable(id: string): Promise<KeyRow> {
    await this.#change(id, { status: "disabled" });
    return this.#require(id);
  }

  /** Undoes `disable`. @throws TollgateError `not_found`, also for a revoked key: revocation is for ever. */
  async enable(id: string): Promise<KeyRow> {
    await this.#change(id, { status: "active" });
    return this.#require(id);
  }

  /** Revokes the key for ever and destroys its digests; the row stays, so that past costs keep a name. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<KeyRow> {
    await this.#change(id, { status: "revoked" });
    await this.#db.delete(keySecrets).where(eq(keySecrets.key, id));
    return this.#require(id);
  }

  async #change(id: string, changes: Partial<Stored>): Promise<void> {
    const changed = await this.#db
      .update(keys)
      .set({ ...changes, epoch: NEXT_EPOCH })
      .where(and(eq(keys.id, id), ne(keys.status, "revoked")))
      .returning({ id: keys.id });
    if (changed.length === 0) throw absent("key");
  }

  async #require(id: string): Promise<KeyRow> {
    return found(await this.get(id), "key");
  }

  /** The team must exist and the user be its own: a key that borrows another team's user would read across tenants. */
  async #requireHome(team: string, user: string | null): Promise<void> {
    const [home] = await this.#db.select({ id: tables.teams.id }).from(tables.teams).where(eq(tables.teams.id, team));
    if (!home) throw new TollgateError("invalid_request", "team names no team", { param: "team" });
    if (user === null) return;
    const [member] = await this.#db.select({ team: tables.users.team }).from(tables.users).where(eq(tables.users.id, user));
    if (member?.team !== team) throw new TollgateError("invalid_request", "user names no user of the key's team", { param: "user" });
  }

  #insertSecret(key: string, minted: MintedSecret) {
    return this.#db
      .insert(keySecrets)
      .values({ key, digest: minted.digest, last4: minted.last4, validUntil: null, createdAt: this.#clock() });
  }
}
