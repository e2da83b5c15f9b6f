import { and, desc, eq } from "drizzle-orm";
import { found, newId, taken, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";

const { models } = tables;

/** An alias as stored: a name, and the model it stands for. */
export type ModelRow = typeof models.$inferSelect;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** The aliases of the deployment: names of the operator's choice for models of a provider. */
export class ModelStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes an alias. @throws TollgateError `invalid_request` where the name is taken or no name. */
  async create(
    fields: Pick<ModelRow, "name" | "provider" | "model"> & Partial<Pick<ModelRow, "contextTokens" | "maxOutputTokens">>,
  ): Promise<ModelRow> {
    if (!NAME.test(fields.name))
      throw new TollgateError("invalid_request", "name must be of letters, digits and . _ : / -", { param: "name" });
    if (fields.name === "auto")
      throw new TollgateError("invalid_request", "name: auto has a model chosen for each request", { param: "name" });
    const now = this.#clock();
    const row = { id: newId("mdl", now), contextTokens: null, maxOutputTokens: null, ...fields, createdAt: now };
    const made = await this.#db.insert(models).values(row).onConflictDoNothing().returning();
    if (made.length === 0) throw taken("name", "models");
    return row;
  }

  /** The alias, or null. */
  async get(id: string): Promise<ModelRow | null> {
    return (await this.#db.select().from(models).where(eq(models.id, id)))[0] ?? null;
  }

  /** Aliases, newest first. */
  async list({ limit, cursor }: Paging): Promise<Page<ModelRow>> {
    const rows = await this.#db
      .select()
      .from(models)
      .where(and(after(models, cursor)))
      .orderBy(desc(models.createdAt), desc(models.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes what is named. @throws TollgateError `not_found`. */
  async patch(id: string, changes: Partial<Pick<ModelRow, "provider" | "model" | "contextTokens" | "maxOutputTokens">>): Promise<ModelRow> {
    // The id stands in for no change at all, which is no statement.
    const [row] = await this.#db
      .update(models)
      .set({ id, ...changes })
      .where(eq(models.id, id))
      .returning();
    return found(row, "model");
  }

  /** Removes an alias; its name is unknown from then on. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<ModelRow> {
    const [gone] = await this.#db.delete(models).where(eq(models.id, id)).returning();
    return found(gone, "model");
  }

  /** Every alias, for the directory. */
  all(): Promise<ModelRow[]> {
    return this.#db.select().from(models);
  }
}
