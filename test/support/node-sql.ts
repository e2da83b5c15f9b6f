import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql, Value } from "../../src/budget/sql.ts";

/** What a statement may become before it runs: a planted defect, or a crash. Null leaves it out. */
export type Tamper = (query: string, values: readonly Value[]) => { query: string; values: readonly Value[] } | null;

/** The ledger's SQL over `node:sqlite`, with a hook before every statement. */
export class NodeSql implements Sql {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  tamper: Tamper = (query, values) => ({ query, values });
  atomic = true;

  exec<Row extends Record<string, Value>>(text: string, ...given: Value[]): Row[] {
    const statement = this.tamper(text, given);
    if (!statement) return [];
    const { query, values } = statement;
    return this.#prepared(query).all(...values) as Row[];
  }

  /** Statements are many and alike: each is prepared once. */
  #prepared(query: string): StatementSync {
    const known = this.#statements.get(query) ?? this.#database.prepare(query);
    this.#statements.set(query, known);
    return known;
  }

  transaction<Result>(work: () => Result): Result {
    this.#database.exec("BEGIN");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#database.exec(this.atomic ? "ROLLBACK" : "COMMIT");
      throw error;
    }
  }

  /** Every row of the tables named, untouched by any hook. */
  dump(...tables: readonly string[]): string {
    return JSON.stringify(tables.map((table) => this.#prepared(`SELECT * FROM ${table} ORDER BY 1, 2`).all()));
  }

  /** Rows of a query, untouched by any hook. */
  rows<Row>(query: string): Row[] {
    return this.#prepared(query).all() as Row[];
  }
}
