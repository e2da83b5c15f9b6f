import { and, desc, eq } from "drizzle-orm";
import { found, nanoFromUsd, newId, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import type { PriceRow, Rates } from "./contract.ts";

const { prices } = tables;

type Stored = typeof prices.$inferSelect;
/** A price of the deployment, and who made it when. */
export type StoredPrice = PriceRow & { readonly createdAt: number; readonly createdBy: string };

/** What an operator says of a price; the rest is the store's. Times are milliseconds UTC. */
export type NewPrice = Omit<PriceRow, "id" | "checkedAt" | "contextTokens" | "maxOutputTokens"> & { readonly createdBy: string };

/**
 * The deployment's own prices, over the bundled table. A price that a record was made by is never edited: a correction is a newer
 * row, and the only change a row knows is when it ends.
 */
export class PriceStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a price. @throws TollgateError `invalid_request` naming the field. */
  async create(fields: NewPrice): Promise<StoredPrice> {
    const row = rowOf(fields, this.#clock());
    await this.#db.insert(prices).values(row);
    return priceOf(row);
  }

  /** The price, or null. */
  async get(id: string): Promise<StoredPrice | null> {
    const [row] = await this.#db.select().from(prices).where(eq(prices.id, id));
    return row ? priceOf(row) : null;
  }

  /** Prices, newest first; of one provider or model where they are named. */
  async list({
    limit,
    cursor,
    provider,
    model,
  }: Paging & { readonly provider?: string; readonly model?: string }): Promise<Page<StoredPrice>> {
    const rows = await this.#db
      .select()
      .from(prices)
      .where(
        and(
          provider === undefined ? undefined : eq(prices.provider, provider),
          model === undefined ? undefined : eq(prices.model, model),
          after({ createdAt: prices.checkedAt, id: prices.id }, cursor),
        ),
      )
      .orderBy(desc(prices.checkedAt), desc(prices.id))
      .limit(limit + 1);
    return paged(rows.map(priceOf), limit);
  }

  /** Sets when a price ends; null lets it stand. @throws TollgateError `not_found`, `invalid_request`. */
  async end(id: string, effectiveTo: number | null): Promise<StoredPrice> {
    const before = found(await this.get(id), "price");
    checkPeriod(before.effectiveFrom, effectiveTo);
    await this.#db.update(prices).set({ effectiveTo }).where(eq(prices.id, id));
    return { ...before, effectiveTo };
  }

  /** Removes a price. Records made by it keep their own copy. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<StoredPrice> {
    const [gone] = await this.#db.delete(prices).where(eq(prices.id, id)).returning();
    return priceOf(found(gone, "price"));
  }

  /** Every price, for the directory. */
  async all(): Promise<StoredPrice[]> {
    return (await this.#db.select().from(prices)).map(priceOf);
  }
}

/** A price as a row of its table, judged. @throws TollgateError `invalid_request` naming the field. */
export function rowOf(fields: NewPrice, now: number): Stored {
  check(fields);
  return {
    id: newId("prc", now),
    provider: fields.provider,
    model: fields.model,
    aliases: [...fields.aliases],
    state: fields.state,
    scopeKind: fields.scope.kind,
    scopeId: fields.scope.id,
    effectiveFrom: fields.effectiveFrom,
    effectiveTo: fields.effectiveTo,
    rates: stored(fields.rates),
    tiers: fields.tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, rates: stored(tier.rates) })),
    serviceTiers: Object.fromEntries(Object.entries(fields.serviceTiers).map(([name, { rates }]) => [name, { rates: stored(rates) }])),
    source: fields.source,
    checkedAt: now,
    createdBy: fields.createdBy,
  };
}

function stored(rates: Rates): Record<string, string | null> {
  return Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, rate ?? null]));
}

/** A row of the table as a price. */
export function priceOf(row: Stored): StoredPrice {
  const { scopeKind, scopeId, tiers, ...rest } = row;
  return {
    ...rest,
    scope: { kind: scopeKind, id: scopeId },
    tiers: tiers.map((tier) => ({ aboveInputTokens: tier.above_input_tokens, rates: tier.rates })),
    contextTokens: null,
    maxOutputTokens: null,
    createdAt: row.checkedAt,
  };
}

function check(fields: NewPrice): void {
  checkScope(fields.scope);
  checkPeriod(fields.effectiveFrom, fields.effectiveTo);
  checkRates(fields.rates, "rates");
  checkTiers(fields.tiers);
  for (const [name, { rates }] of Object.entries(fields.serviceTiers)) checkRates(rates, `service_tiers.${name}.rates`);
  checkNotFree(fields);
}

/** What a model may be billed by in the first place; all other classes come on top of one of these. */
const BASES = ["input", "output", "character", "image", "second", "ranking"] as const;

/** A price of zeros would sell a class that it does not name for nothing: what is free is said to be. */
function checkNotFree({ state, rates }: NewPrice): void {
  if (state === "free" || BASES.some((name) => Number(rates[name] ?? 0) > 0)) return;
  const message = `rates must name one of ${BASES.join(", ")} above zero; say state free for a model that costs nothing`;
  throw new TollgateError("invalid_request", message, { param: "rates" });
}

/** A price of a team without a name would hold for nobody, one of the deployment with a name for everybody. */
function checkScope({ kind, id }: NewPrice["scope"]): void {
  if ((kind === "team") === (id !== "")) return;
  const message = kind === "team" ? "scope.id must name the team" : "scope.id must be empty for the deployment";
  throw new TollgateError("invalid_request", message, { param: "scope.id" });
}

/** The highest threshold that is passed sets the rates, so that they must rise. */
function checkTiers(tiers: NewPrice["tiers"]): void {
  let above = 0;
  tiers.forEach(({ aboveInputTokens, rates }, at) => {
    checkRates(rates, `tiers.${at}.rates`);
    if (aboveInputTokens <= above) {
      throw new TollgateError("invalid_request", "tiers must be in ascending order", { param: `tiers.${at}.above_input_tokens` });
    }
    above = aboveInputTokens;
  });
}

function checkPeriod(from: number, to: number | null): void {
  if (to === null || to > from) return;
  throw new TollgateError("invalid_request", "effective_to must be later than effective_from", { param: "effective_to" });
}

function checkRates(rates: Rates, path: string): void {
  for (const [name, rate] of Object.entries(rates)) if (rate !== null && rate !== undefined) nanoFromUsd(rate, `${path}.${name}`);
}
