import { and, desc, eq, ne } from "drizzle-orm";
import { found, newId, taken, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";

const { keys, teams, users } = tables;

/** A team as stored. */
export type TeamRow = typeof teams.$inferSelect;
/** A user as stored. */
export type UserRow = typeof users.$inferSelect;

/** Teams and users. Neither stands in what an isolate caches of a key but by id, so their changes raise no epoch. */
export class TenantStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a team; an id of the maker's choice must be free. */
  async createTeam(fields: { readonly name: string; readonly id?: string; readonly metadata?: Record<string, string> }): Promise<TeamRow> {
    const now = this.#clock();
    const row = { id: newId("team", now), metadata: {}, ...fields, createdAt: now };
    const made = await this.#db.insert(teams).values(row).onConflictDoNothing().returning();
    if (made.length === 0) throw taken("id", "teams");
    return row;
  }

  /** The team, or null. */
  async getTeam(id: string): Promise<TeamRow | null> {
    return (await this.#db.select().from(teams).where(eq(teams.id, id)))[0] ?? null;
  }

  /** Teams, newest first. */
  async listTeams({ limit, cursor }: Paging): Promise<Page<TeamRow>> {
    const order = [desc(teams.createdAt), desc(teams.id)];
    const rows = await this.#db
      .select()
      .from(teams)
      .where(after(teams, cursor))
      .orderBy(...order)
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes what is named. @throws TollgateError `not_found`. */
  async patchTeam(id: string, changes: Partial<Pick<TeamRow, "name" | "metadata">>): Promise<TeamRow> {
    const before = found(await this.getTeam(id), "team");
    const after = { ...before, ...changes };
    await this.#db.update(teams).set(after).where(eq(teams.id, id));
    return after;
  }

  /** Deletes a team that no user and no living key belongs to. @throws TollgateError `not_found`, `invalid_request`. */
  async deleteTeam(id: string): Promise<void> {
    found(await this.getTeam(id), "team");
    const [member] = await this.#db.select({ id: users.id }).from(users).where(eq(users.team, id)).limit(1);
    const [living] = await this.#db
      .select({ id: keys.id })
      .from(keys)
      .where(and(eq(keys.team, id), ne(keys.status, "revoked")))
      .limit(1);
    if (member || living) throw new TollgateError("invalid_request", "The team still has users or keys.");
    await this.#db.batch([
      this.#db.delete(keys).where(and(eq(keys.team, id), eq(keys.status, "revoked"))),
      this.#db.delete(teams).where(eq(teams.id, id)),
    ]);
  }

  /** Makes a user of a team. @throws TollgateError `invalid_request` naming `team`. */
  async createUser(fields: Pick<UserRow, "team" | "name"> & Partial<Pick<UserRow, "email" | "metadata">>): Promise<UserRow> {
    if (!(await this.getTeam(fields.team))) throw new TollgateError("invalid_request", "team names no team", { param: "team" });
    const now = this.#clock();
    const row = { id: newId("user", now), email: null, metadata: {}, ...fields, createdAt: now };
    await this.#db.insert(users).values(row);
    return row;
  }

  /** The user, or null. */
  async getUser(id: string): Promise<UserRow | null> {
    return (await this.#db.select().from(users).where(eq(users.id, id)))[0] ?? null;
  }

  /** Users, of one team where it is named, newest first. */
  async listUsers({ limit, cursor, team }: Paging & { readonly team?: string }): Promise<Page<UserRow>> {
    const order = [desc(users.createdAt), desc(users.id)];
    const rows = await this.#db
      .select()
      .from(users)
      .where(and(team === undefined ? undefined : eq(users.team, team), after(users, cursor)))
      .orderBy(...order)
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes what is named; a user stays in its team. @throws TollgateError `not_found`. */
  async patchUser(id: string, changes: Partial<Pick<UserRow, "name" | "email" | "metadata">>): Promise<UserRow> {
    const before = found(await this.getUser(id), "user");
    const after = { ...before, ...changes };
    await this.#db.update(users).set(after).where(eq(users.id, id));
    return after;
  }

  /** Deletes a user that holds no living key. @throws TollgateError `not_found`, `invalid_request`. */
  async deleteUser(id: string): Promise<void> {
    found(await this.getUser(id), "user");
    const [living] = await this.#db
      .select({ id: keys.id })
      .from(keys)
      .where(and(eq(keys.user, id), ne(keys.status, "revoked")))
      .limit(1);
    if (living) throw new TollgateError("invalid_request", "The user still has keys.");
    const orphaned = this.#db
      .update(keys)
      .set({ user: null })
      .where(and(eq(keys.user, id), eq(keys.status, "revoked")));
    await this.#db.batch([orphaned, this.#db.delete(users).where(eq(users.id, id))]);
  }
}
