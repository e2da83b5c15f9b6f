import { and, desc, eq, getTableColumns, inArray, type SQL, sql } from "drizzle-orm";
import { found, newId, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { priceOf, rowOf, type StoredPrice } from "./price-store.ts";
import { canonical, type Proposed } from "./proposals.ts";

const { priceProposals, prices } = tables;

/** A proposal as stored. */
export type ProposalRow = typeof priceProposals.$inferSelect;

/** What came of holding a source against the prices. */
export interface Checked {
  /** New proposals. */
  readonly proposed: number;
  /** Pending before, and still so. */
  readonly standing: number;
  /** Rejected before in the same words, and not proposed again. */
  readonly rejected: number;
  /** Pending before, and no longer what the source says. */
  readonly withdrawn: number;
}

/** Who decides, and from when an approved price holds; times in milliseconds UTC. */
export interface Decision {
  readonly by: string;
  readonly effectiveFrom: number;
}

/** Proposed changes of prices. Nothing here is charged by until it is approved. */
export class ProposalStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Keeps what a source proposes now. What it proposed before and no longer does is withdrawn; what was rejected stays so. */
  async record(found: readonly Proposed[], source: string): Promise<Checked> {
    const known = await this.#db
      .select({
        id: priceProposals.id,
        provider: priceProposals.provider,
        model: priceProposals.model,
        terms: priceProposals.terms,
        status: priceProposals.status,
      })
      .from(priceProposals)
      .where(inArray(priceProposals.status, ["pending", "rejected"]));
    const named = (each: { provider: string; model: string; terms: string }) => JSON.stringify([each.provider, each.model, each.terms]);
    const pending = new Set(known.filter(({ status }) => status === "pending").map(named));
    const rejected = new Set(known.filter(({ status }) => status === "rejected").map(named));
    const wanted = found.map((each) => ({ ...each, terms: canonical(each.proposed) }));
    const still = new Set(wanted.map(named));
    const gone = known.filter((each) => each.status === "pending" && !still.has(named(each)));
    const fresh = wanted.filter((each) => !pending.has(named(each)) && !rejected.has(named(each)));
    await this.#replace(
      gone.map(({ id }) => id),
      fresh,
      source,
    );
    return {
      proposed: fresh.length,
      standing: wanted.filter((each) => pending.has(named(each))).length,
      rejected: wanted.filter((each) => rejected.has(named(each))).length,
      withdrawn: gone.length,
    };
  }

  /** One transaction, and one statement for any number of rows, which travel as one parameter. */
  async #replace(gone: readonly string[], fresh: readonly (Proposed & { readonly terms: string })[], source: string): Promise<void> {
    const now = this.#clock();
    const rows = fresh.map((each) => ({ id: newId("prp", now), ...each }));
    const of = (field: string) => sql`json_extract(value, ${field})`;
    await this.#db.batch([
      this.#db
        .update(priceProposals)
        .set({ status: "withdrawn", decidedAt: now })
        .where(
          and(eq(priceProposals.status, "pending"), sql`${priceProposals.id} in (select value from json_each(${JSON.stringify(gone)}))`),
        ),
      this.#db
        .insert(priceProposals)
        .select(
          sql`select ${of("$.id")}, ${of("$.provider")}, ${of("$.model")}, ${of("$.proposed")}, ${of("$.current")}, ${of("$.terms")},
            ${source}, 'pending', ${now}, null, null, null from json_each(${JSON.stringify(rows)}) where true`,
        )
        .onConflictDoNothing(),
    ]);
  }

  /** The proposal, or null. */
  async get(id: string): Promise<ProposalRow | null> {
    return (await this.#db.select().from(priceProposals).where(eq(priceProposals.id, id)))[0] ?? null;
  }

  /** Proposals, newest first; of one state where it is named. */
  async list({ limit, cursor, status }: Paging & { readonly status?: ProposalRow["status"] }): Promise<Page<ProposalRow>> {
    const rows = await this.#db
      .select()
      .from(priceProposals)
      .where(and(status === undefined ? undefined : eq(priceProposals.status, status), after(priceProposals, cursor)))
      .orderBy(desc(priceProposals.createdAt), desc(priceProposals.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /**
   * Turns a pending proposal into a price of the deployment. The decision and the price are one transaction, so that of two
   * approvals at once one makes a price and the other is refused.
   * @throws TollgateError `not_found`; `invalid_request` where it is pending no more.
   */
  async approve(id: string, { by, effectiveFrom }: Decision): Promise<{ readonly proposal: ProposalRow; readonly price: StoredPrice }> {
    const before = await this.#pending(id);
    const { provider, model, source, proposed } = before;
    const scope = { kind: "deployment", id: "" } as const;
    const made = { provider, model, aliases: [], state: "priced", scope, effectiveFrom, effectiveTo: null, source, createdBy: by } as const;
    const now = this.#clock();
    const row = rowOf({ ...made, ...proposed }, now);
    const values = Object.entries(getTableColumns(prices)).map(([property, column]) =>
      sql.param(row[property as keyof typeof row], column),
    );
    const decided = { status: "approved", decidedAt: now, decidedBy: by, price: row.id } as const;
    const [[proposal]] = await this.#db.batch([
      this.#db.update(priceProposals).set(decided).where(pendingIs(id)).returning(),
      this.#db
        .insert(prices)
        .select(
          sql`select ${sql.join(values, sql`, `)} where exists (select 1 from price_proposals where id = ${id} and price = ${row.id})`,
        ),
    ]);
    if (!proposal) throw decidedAlready();
    return { proposal, price: priceOf(row) };
  }

  /** Rejects a pending proposal; the same is not proposed again. @throws TollgateError as `approve`. */
  async reject(id: string, by: string): Promise<ProposalRow> {
    await this.#pending(id);
    const decided = { status: "rejected", decidedAt: this.#clock(), decidedBy: by } as const;
    const [proposal] = await this.#db.update(priceProposals).set(decided).where(pendingIs(id)).returning();
    if (!proposal) throw decidedAlready();
    return proposal;
  }

  async #pending(id: string): Promise<ProposalRow> {
    const row = found(await this.get(id), "price proposal");
    if (row.status !== "pending") throw decidedAlready();
    return row;
  }
}

function pendingIs(id: string): SQL | undefined {
  return and(eq(priceProposals.id, id), eq(priceProposals.status, "pending"));
}

function decidedAlready(): TollgateError {
  return new TollgateError("invalid_request", "The proposal is pending no more", { param: "id" });
}
