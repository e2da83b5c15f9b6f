import { eq } from "drizzle-orm";
import { type Db, tables } from "#db";
import type { AutoTable } from "./contract.ts";

const { autoTables } = tables;
const ID = "deployment";

/** A table of an operator's own, and when it was written. */
export interface StoredTable {
  readonly table: AutoTable;
  /** Milliseconds UTC. */
  readonly updatedAt: number;
}

/** The operator's own table, where there is one. */
export class AutoStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** The operator's table; null where the built-in one holds. */
  async read(): Promise<StoredTable | null> {
    const [row] = await this.#db.select().from(autoTables).where(eq(autoTables.id, ID));
    return row ? { table: row.content as AutoTable, updatedAt: row.updatedAt } : null;
  }

  /** Puts a table in the place of whichever holds. */
  async write(table: AutoTable): Promise<StoredTable> {
    const row = { content: table, updatedAt: this.#clock() };
    await this.#db
      .insert(autoTables)
      .values({ id: ID, ...row })
      .onConflictDoUpdate({ target: autoTables.id, set: row });
    return { table, updatedAt: row.updatedAt };
  }

  /** Lets the built-in table hold again. */
  async clear(): Promise<void> {
    await this.#db.delete(autoTables).where(eq(autoTables.id, ID));
  }
}
