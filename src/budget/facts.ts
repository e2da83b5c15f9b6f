import { and, eq, inArray, sql } from "drizzle-orm";
import type { PaceLimits } from "#core";
import { type Db, tables } from "#db";
import type { Budget } from "./contract.ts";

/** What the ledger must know of a key: whether it may spend at all, and how fast. */
export interface KeyFacts {
  readonly epoch: number;
  readonly active: boolean;
  readonly expiresAt: number | null;
  readonly user: string | null;
  readonly limits: PaceLimits;
}

/** Who pays for a key's requests: the key itself, and every budget that binds it, its own and every ancestor's. */
export interface Payer {
  readonly key: KeyFacts;
  readonly budgets: readonly Budget[];
}

/** A key is judged by its team's ledger, and by no other. */
const ANYBODY: KeyFacts = { epoch: 0, active: true, expiresAt: null, user: null, limits: { rpm: null, tpm: null, concurrency: null } };

/** A budget as its row says. */
export function budgetOf(row: typeof tables.budgets.$inferSelect): Budget {
  const { id, scopeKind, scopeId, window, timeZone, unit, limit, mode } = row;
  return { id, scope: { kind: scopeKind, id: scopeId }, window, timeZone, unit, limit, mode };
}

/** How old facts may get: the bound on what a change does whose reading was asked for and lost. */
const AGE_MS_MAX = 60_000;

/**
 * The control plane's facts of one team, as its ledger last read them. Keys are read when they are first named; the control plane
 * asks for a new reading after each change, before it acknowledges it. Once a minute they are read again all the same.
 */
export class Facts {
  readonly #db: Db;
  readonly #team: string;
  #keys = new Map<string, KeyFacts>();
  #budgets: readonly Budget[] | null = null;
  #readAt: number;
  readonly #clock: () => number;

  constructor(db: Db, team: string, clock: () => number) {
    this.#db = db;
    this.#team = team;
    this.#clock = clock;
    this.#readAt = clock();
  }

  /** Who pays for a key, with everything read that is missing or older than `epoch`; null where the team has no such key. */
  async payer(id: string, epoch = 0): Promise<Payer | null> {
    await this.#ready(id, epoch);
    const key = this.#keys.get(id);
    return key ? { key, budgets: this.#binding(id, key) } : null;
  }

  /** Who pays in the ledger of a scope across teams: whoever comes, by the budgets of the scope alone. */
  async anybody(): Promise<Payer> {
    if (!this.#budgets) await this.#readBudgets();
    else await this.#renewed();
    return { key: ANYBODY, budgets: this.#budgets ?? [] };
  }

  /** The team's, the user's and the key's own. */
  #binding(id: string, { user }: KeyFacts): readonly Budget[] {
    return (this.#budgets ?? []).filter(({ scope }) => {
      if (scope.kind === "team") return scope.id === this.#team;
      return scope.kind === "user" ? scope.id === user : scope.kind === "key" && scope.id === id;
    });
  }

  /** Budgets by id; all of them for null. */
  async budgets(ids: readonly string[] | null): Promise<readonly Budget[]> {
    if (!this.#budgets) await this.#readBudgets();
    return (this.#budgets ?? []).filter(({ id }) => ids === null || ids.includes(id));
  }

  async #ready(id: string, epoch: number): Promise<void> {
    const known = this.#keys.get(id);
    if (!known || known.epoch < epoch) await this.#readKeys([id]);
    if (!this.#budgets) await this.#readBudgets();
    else await this.#renewed();
  }

  /** Reads again what has got old. While storage is down what is known goes on to hold. */
  async #renewed(): Promise<void> {
    if (this.#clock() - this.#readAt < AGE_MS_MAX) return;
    this.#readAt = this.#clock();
    await this.refresh().catch(() => undefined);
  }

  /** Reads again everything that is held. What could not be read stays as it was, and the failure is the caller's. */
  async refresh(): Promise<void> {
    await Promise.all([this.#readKeys([...this.#keys.keys()]), this.#readBudgets()]);
  }

  async #readKeys(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { keys } = tables;
    const named = sql`(select value from json_each(${JSON.stringify(ids)}))`;
    const rows = await this.#db
      .select()
      .from(keys)
      .where(and(eq(keys.team, this.#team), inArray(keys.id, named)));
    const found = new Map(rows.map((row) => [row.id, row]));
    for (const id of ids) {
      const row = found.get(id);
      // Of two readings in flight the older one may land last.
      if (row && row.epoch < (this.#keys.get(id)?.epoch ?? 0)) continue;
      if (row) this.#keys.set(id, factsOf(row));
      else this.#keys.delete(id);
    }
  }

  async #readBudgets(): Promise<void> {
    const rows = await this.#db.select().from(tables.budgets).where(eq(tables.budgets.team, this.#team));
    this.#budgets = rows.map(budgetOf);
  }
}

function factsOf(row: typeof tables.keys.$inferSelect): KeyFacts {
  const { epoch, status, expiresAt, user, rpm, tpm, concurrency } = row;
  return { epoch, active: status === "active", expiresAt, user, limits: { rpm, tpm, concurrency } };
}
