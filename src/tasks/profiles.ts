import { desc, eq } from "drizzle-orm";
import { found, newId, taken, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import type { Profile } from "./contract.ts";
import { ENGINES } from "./engines/contract.ts";

const { profiles, keys } = tables;

/** A profile as stored. */
export type ProfileRow = typeof profiles.$inferSelect;

/** The profile that every deployment has, with small limits: what the development key of a local gateway names. */
export const DEFAULT_PROFILE: Profile = {
  name: "default",
  engines: ENGINES,
  // All that works on a workspace. What would reach beyond the sandbox at a provider's, such as a search of the web, is not among them.
  tools: ["Read", "Write", "Edit", "NotebookEdit", "Glob", "Grep", "LSP", "Bash", "Agent", "Skill"],
  agents: ["*"],
  skills: ["*"],
  deniedCommands: [],
  hosts: [],
  filesystem: "readwrite",
  maxConcurrentTasks: 4,
  cpuCores: 1,
  memoryMb: 256,
  diskMb: 64,
  timeoutS: 300,
  maxCostNano: 500_000_000,
};

/** The profiles of the deployment. */
export class ProfileStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a profile. @throws TollgateError `invalid_request` where its name is taken. */
  async create({ name, ...permits }: Profile): Promise<ProfileRow> {
    const now = this.#clock();
    const row = { id: newId("prf", now), name, permits, createdAt: now };
    if (name === DEFAULT_PROFILE.name) throw new TollgateError("invalid_request", `name: ${name} is built in`, { param: "name" });
    const made = await this.#db.insert(profiles).values(row).onConflictDoNothing().returning({ id: profiles.id });
    if (made.length === 0) throw taken("name", "profiles");
    return row;
  }

  /** The profile that a key names; null where there is none. */
  async named(name: string): Promise<Profile | null> {
    if (name === DEFAULT_PROFILE.name) return DEFAULT_PROFILE;
    const [row] = await this.#db.select().from(profiles).where(eq(profiles.name, name));
    return row ? { name: row.name, ...row.permits } : null;
  }

  /** The profile, or null. */
  async get(id: string): Promise<ProfileRow | null> {
    return (await this.#db.select().from(profiles).where(eq(profiles.id, id)))[0] ?? null;
  }

  /** Profiles, newest first. */
  async list({ limit, cursor }: Paging): Promise<Page<ProfileRow>> {
    const rows = await this.#db
      .select()
      .from(profiles)
      .where(after(profiles, cursor))
      .orderBy(desc(profiles.createdAt), desc(profiles.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes what is named; tasks that run keep what they began with. @throws TollgateError `not_found`. */
  async patch(id: string, changes: Partial<Omit<Profile, "name">>): Promise<ProfileRow> {
    const before = found(await this.get(id), "profile");
    const [row] = await this.#db
      .update(profiles)
      .set({ permits: { ...before.permits, ...changes } })
      .where(eq(profiles.id, id))
      .returning();
    return found(row, "profile");
  }

  /** Removes a profile. @throws TollgateError `not_found`, `invalid_request` while a key names it. */
  async delete(id: string): Promise<ProfileRow> {
    const row = found(await this.get(id), "profile");
    const [user] = await this.#db.select({ id: keys.id }).from(keys).where(eq(keys.profile, row.name)).limit(1);
    if (user) throw new TollgateError("invalid_request", `The key ${user.id} has this profile; give it another first`);
    await this.#db.delete(profiles).where(eq(profiles.id, id));
    return row;
  }
}
