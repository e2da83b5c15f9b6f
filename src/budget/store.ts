import { and, desc, eq, inArray } from "drizzle-orm";
import { found, NANO_MAX, newId, type Scope, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { widerLedger } from "./wider.ts";
import { isTimeZone } from "./windows.ts";

const { budgets, keys, teams, users } = tables;

/** More scopes than this are asked one by one, whether they have budgets or not. */
const LISTED_MAX = 10_000;

/** A budget as stored; `team` names the ledger that enforces it. */
export type BudgetRow = typeof budgets.$inferSelect;

/** What a person decides about a budget. `limit` counts nano-USD, tokens or requests by `unit`. */
export interface NewBudget {
  readonly scope: Scope;
  readonly window: BudgetRow["window"];
  readonly timeZone: string;
  readonly unit: BudgetRow["unit"];
  readonly limit: number;
  readonly mode: BudgetRow["mode"];
}

/** The budgets of the control plane. What was spent under one belongs to its window, so scope, window, zone and unit are fixed for its life. */
export class BudgetStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a budget. @throws TollgateError `invalid_request` naming the field. */
  async create(fields: NewBudget): Promise<BudgetRow> {
    check(fields);
    const now = this.#clock();
    const { scope, window, timeZone, unit, limit, mode } = fields;
    const team = await this.#teamOf(scope);
    const row = {
      id: newId("bud", now),
      team,
      scopeKind: scope.kind,
      scopeId: scope.id,
      window,
      timeZone,
      unit,
      limit,
      mode,
      createdAt: now,
    };
    await this.#db.insert(budgets).values(row);
    return row;
  }

  /** The budget, or null. */
  async get(id: string): Promise<BudgetRow | null> {
    return (await this.#db.select().from(budgets).where(eq(budgets.id, id)))[0] ?? null;
  }

  /** Budgets, newest first; of one team or scope where it is named. */
  async list({ limit, cursor, team, scope }: Paging & { readonly team?: string; readonly scope?: Scope }): Promise<Page<BudgetRow>> {
    const rows = await this.#db
      .select()
      .from(budgets)
      .where(
        and(
          team === undefined ? undefined : eq(budgets.team, team),
          scope && and(eq(budgets.scopeKind, scope.kind), eq(budgets.scopeId, scope.id)),
          after(budgets, cursor),
        ),
      )
      .orderBy(desc(budgets.createdAt), desc(budgets.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes the limit or the mode. @throws TollgateError `not_found`, `invalid_request`. */
  async patch(id: string, changes: Partial<Pick<BudgetRow, "limit" | "mode">>): Promise<BudgetRow> {
    const before = found(await this.get(id), "budget");
    const row = { ...before, ...changes };
    checkLimit(row.limit);
    await this.#db.update(budgets).set(row).where(eq(budgets.id, id));
    return row;
  }

  /** Removes a budget; it binds nobody from then on. @throws TollgateError `not_found`. */
  async delete(id: string): Promise<BudgetRow> {
    const [gone] = await this.#db.delete(budgets).where(eq(budgets.id, id)).returning();
    return found(gone, "budget");
  }

  /** The ledgers of scopes across teams that have budgets; null for more than are worth listing. */
  async wider(): Promise<readonly string[] | null> {
    const rows = await this.#db
      .selectDistinct({ ledger: budgets.team })
      .from(budgets)
      .where(inArray(budgets.scopeKind, ["deployment", "tag", "end_user"]))
      .limit(LISTED_MAX + 1);
    return rows.length > LISTED_MAX ? null : rows.map(({ ledger }) => ledger);
  }

  /** The ledger that enforces a scope: its team's, or one of its own. */
  async #teamOf({ kind, id }: Scope): Promise<string> {
    if ((kind === "deployment") !== (id === "")) {
      const fault = kind === "deployment" ? "is not given for the deployment: there is one" : "is missing";
      throw new TollgateError("invalid_request", `scope.id ${fault}`, { param: "scope.id" });
    }
    const [home] = await this.#find(kind, id);
    if (home) return home.team;
    throw new TollgateError("invalid_request", `scope.id names no ${kind}`, { param: "scope.id" });
  }

  async #find(kind: Scope["kind"], id: string): Promise<{ team: string }[]> {
    switch (kind) {
      case "team":
        return this.#db.select({ team: teams.id }).from(teams).where(eq(teams.id, id));
      case "user":
        return this.#db.select({ team: users.team }).from(users).where(eq(users.id, id));
      case "key":
        return this.#db.select({ team: keys.team }).from(keys).where(eq(keys.id, id));
      case "deployment":
      case "tag":
      case "end_user":
        return [{ team: widerLedger({ kind, id })! }];
    }
  }
}

function check({ timeZone, limit }: NewBudget): void {
  if (!isTimeZone(timeZone)) throw new TollgateError("invalid_request", "time_zone names no time zone", { param: "time_zone" });
  checkLimit(limit);
}

function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 0 && limit <= NANO_MAX) return;
  throw new TollgateError("invalid_request", "The limit must be a whole number of its unit, of at most 2^53 - 1", { param: "limit" });
}
