import { and, desc, eq } from "drizzle-orm";
import { checkBaseUrl, found, newId, Safe, TollgateError } from "#core";
import type { Config } from "#config";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { newSigningSecret } from "./sign.ts";

const { webhooks, webhookDeliveries } = tables;

/** A webhook as stored; its signing secret is sealed. */
export type WebhookRow = typeof webhooks.$inferSelect;
/** A delivery as stored. */
export type DeliveryRow = typeof webhookDeliveries.$inferSelect;

/** What an operator decides about a webhook. */
export interface NewWebhook {
  readonly url: string;
  /** Types of alerts; empty means all. */
  readonly events: readonly string[];
}

/** What may be changed of it; `secret` takes the place of the one before at once. */
export type WebhookChanges = Partial<NewWebhook> & { readonly secret?: string; readonly status?: WebhookRow["status"] };

const WEBHOOKS_MAX = 100;

/** Who is told of alerts. Signing secrets go in, are answered once by the call that made them, and come out to sign only. */
export class WebhookStore {
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

  /** Registers a webhook and makes its secret. @throws TollgateError `invalid_request` naming the field. */
  async create({ url, events }: NewWebhook): Promise<{ readonly row: WebhookRow; readonly secret: string }> {
    this.#check(url);
    if ((await this.#db.$count(webhooks)) >= WEBHOOKS_MAX) {
      throw new TollgateError("invalid_request", `There may be ${WEBHOOKS_MAX} webhooks at most`);
    }
    const now = this.#clock();
    const id = newId("whk", now);
    const secret = newSigningSecret();
    const row = { id, url, secret: await this.#safe.seal(id, secret), events: [...events], status: "active" as const, createdAt: now };
    await this.#db.insert(webhooks).values(row);
    return { row, secret };
  }

  /** The webhook, or null. */
  async get(id: string): Promise<WebhookRow | null> {
    return (await this.#db.select().from(webhooks).where(eq(webhooks.id, id)))[0] ?? null;
  }

  /** Webhooks, newest first. */
  async list({ limit, cursor }: Paging): Promise<Page<WebhookRow>> {
    const rows = await this.#db
      .select()
      .from(webhooks)
      .where(after(webhooks, cursor))
      .orderBy(desc(webhooks.createdAt), desc(webhooks.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes what is named. @throws TollgateError `not_found`, `invalid_request` naming the field. */
  async patch(id: string, { url, events, secret, status }: WebhookChanges): Promise<WebhookRow> {
    if (url !== undefined) this.#check(url);
    const changed = {
      // Something is always set, since an update of nothing is no statement.
      id,
      ...(url === undefined ? {} : { url }),
      ...(events === undefined ? {} : { events: [...events] }),
      ...(status === undefined ? {} : { status }),
      ...(secret === undefined ? {} : { secret: await this.#safe.seal(id, secret) }),
    };
    const [row] = await this.#db.update(webhooks).set(changed).where(eq(webhooks.id, id)).returning();
    return found(row, "webhook");
  }

  /** Removes a webhook, its secret and what it was sent. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<WebhookRow> {
    const [[gone]] = await this.#db.batch([
      this.#db.delete(webhooks).where(eq(webhooks.id, id)).returning(),
      this.#db.delete(webhookDeliveries).where(eq(webhookDeliveries.webhook, id)),
    ]);
    return found(gone, "webhook");
  }

  /** Makes a delivery that stands for no alert. @throws TollgateError `not_found`. */
  async test(id: string): Promise<DeliveryRow> {
    found(await this.get(id), "webhook");
    const now = this.#clock();
    const row = { id: newId("dlv", now), webhook: id, alert: null, status: "pending", attempts: 0, nextAt: now, createdAt: now } as const;
    const [made] = await this.#db.insert(webhookDeliveries).values(row).returning();
    return made!;
  }

  /** A webhook's secret, opened to sign with; one still under the previous master key is wrapped anew. @throws VaultError */
  async secretOf({ id, secret: sealed }: WebhookRow): Promise<string> {
    // Only over what was read: an operator may have given a new secret meanwhile.
    const same = and(eq(webhooks.id, id), eq(webhooks.secret, sealed));
    return this.#safe.open(id, sealed, async (secret) => this.#db.update(webhooks).set({ secret }).where(same));
  }

  #check(url: string): void {
    checkBaseUrl(url, this.#config.allowPrivateUpstreams, "url");
  }
}
