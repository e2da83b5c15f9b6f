import { eq } from "drizzle-orm";
import { type Db, tables } from "#db";
import { ActivePolicies, type Standing } from "./active.ts";
import { stands } from "./store.ts";

const { policyVersions, policyActivations } = tables;

/** Reads what is active. A source never changes under its hash, so each is read once and kept for as long as it stands anywhere. */
export class StandingPolicies {
  readonly #db: Db;
  #sources: ReadonlyMap<string, string> = new Map();

  constructor(db: Db) {
    this.#db = db;
  }

  /** Every active policy, as one read finds it. Rows that are off are among them: a narrower scope may say so. */
  async read(): Promise<ActivePolicies> {
    const rows = await this.#db
      .select({
        activation: policyActivations,
        version: policyVersions.version,
        hash: policyVersions.hash,
        described: policyVersions.described,
      })
      .from(policyActivations)
      .innerJoin(policyVersions, eq(policyActivations.policy, policyVersions.id));
    const asked = rows.filter(({ activation }) => stands(activation.mode));
    if (asked.length === 0) return new ActivePolicies([]);
    const sources = await this.#sourcesOf(new Set(asked.map(({ hash }) => hash)));
    return new ActivePolicies(
      rows.map(({ activation, ...facts }): Standing => ({ ...activation, ...facts, source: sources.get(facts.hash) ?? "" })),
    );
  }

  async #sourcesOf(hashes: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
    const missing = [...hashes].filter((hash) => !this.#sources.has(hash));
    const read = await Promise.all(missing.map(async (hash) => [hash, await this.#sourceOf(hash)] as const));
    const kept = [...this.#sources].filter(([hash]) => hashes.has(hash));
    this.#sources = new Map([...kept, ...read]);
    return this.#sources;
  }

  /** Each by a query of its own, since a row may be as large as a source may be. */
  async #sourceOf(hash: string): Promise<string> {
    const [row] = await this.#db
      .select({ source: policyVersions.source })
      .from(policyVersions)
      .where(eq(policyVersions.hash, hash))
      .limit(1);
    // A policy without its source would fail, and one that fails may let pass: what was read last goes on instead.
    if (!row) throw new Error(`the source of ${hash} is gone`);
    return row.source;
  }
}
