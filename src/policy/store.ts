import { and, desc, eq, inArray, max, ne, or, sql } from "drizzle-orm";
import { found, newId, TollgateError } from "#core";
import type { Config } from "#config";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import type { Described } from "./engine/contract.ts";
import { VERSION } from "./engine/describe.ts";
import { wrong } from "./refusal.ts";
import { settingsFor, settingsOf } from "./settings.ts";
import { type Bundle, hashOf, type Signature, signatureFault } from "./signature.ts";

const { policyVersions, policyActivations } = tables;

/** A version of a policy without its source. */
export interface PolicyRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly described: Described;
  readonly signedBy: string | null;
  readonly uploadedBy: string;
  readonly createdAt: number;
}

/** Where a version of a policy stands, as stored. */
export type ActivationRow = typeof policyActivations.$inferSelect;

/** Where a policy may stand. `deployment` has the empty id. */
export type PolicyScope = Pick<ActivationRow, "scopeKind" | "scopeId">;

/** What an operator decides about a version, wherever it is to stand. */
export interface Enforcement {
  readonly mode: ActivationRow["mode"];
  readonly canaryPercent: number | null;
  readonly onError: ActivationRow["onError"];
  readonly compose: ActivationRow["compose"] | null;
  readonly priority: number | null;
  readonly config: Readonly<Record<string, unknown>>;
}

/** What an operator decides about a version in a scope. */
export interface Activation extends PolicyScope, Enforcement {}

/** A bundle as uploaded. */
export interface Upload extends Bundle {
  readonly signature: Signature | null;
}

const PART_MAX = 100_000;
const COLUMNS = {
  id: policyVersions.id,
  name: policyVersions.name,
  version: policyVersions.version,
  hash: policyVersions.hash,
  described: policyVersions.described,
  signedBy: policyVersions.signedBy,
  uploadedBy: policyVersions.uploadedBy,
  createdAt: policyVersions.createdAt,
};

/** Versions of policies, and where each stands. A version never changes; what was active goes on until another is. */
export class PolicyStore {
  readonly #db: Db;
  readonly #config: Config;
  readonly #clock: () => number;

  constructor(db: Db, config: Config, clock: () => number) {
    this.#db = db;
    this.#config = config;
    this.#clock = clock;
  }

  /**
   * Judges a bundle before any of its code runs: its version's form and its signature.
   * @throws TollgateError `invalid_request` naming the field.
   */
  async check({ signature, ...bundle }: Upload): Promise<void> {
    ordinalOf(bundle.version);
    const keys = this.#config.TOLLGATE_POLICY_KEYS ?? new Map<string, string>();
    if (signature === null) {
      if (this.#config.development) return;
      throw wrong("signature", "is missing: only development takes a policy that nobody signed");
    }
    const fault = await signatureFault(bundle, signature, keys);
    if (fault !== null) throw wrong("signature", fault);
  }

  /**
   * Keeps a bundle that was checked and described. Its version must be newer than every other of its name, so that no old bundle,
   * though well signed, comes back by this way.
   * @throws TollgateError `invalid_request` naming the field.
   */
  async add(upload: Upload, described: Described, by: string): Promise<PolicyRow> {
    const { name, version, source, signature } = upload;
    if (described.name !== name) throw wrong("name", `is not what the module says, ${described.name}`);
    if (described.version !== version) throw wrong("version", `is not what the module says, ${described.version}`);
    const now = this.#clock();
    settingsOf(described);
    const row: PolicyRow = {
      id: newId("pol", now),
      name,
      version,
      hash: await hashOf(source),
      described,
      signedBy: signature?.keyId ?? null,
      uploadedBy: by,
      createdAt: now,
    };
    const ordinal = ordinalOf(version);
    const newest = this.#db.select({ one: sql`1` }).from(policyVersions).where(sql`name = ${name} and ordinal >= ${ordinal}`); // prettier-ignore
    const values = sql`select ${row.id}, ${name}, ${version}, ${ordinal}, ${row.hash}, ${source}, ${JSON.stringify(described)},
      ${row.signedBy}, ${signature?.ed25519 ?? null}, ${by}, ${now} where not exists ${newest}`;
    const made = await this.#db.insert(policyVersions).select(values).returning({ id: policyVersions.id });
    if (made.length === 0) throw wrong("version", `must be newer than ${await this.#newest(name)}, the newest of ${name} there is`);
    return row;
  }

  /** The newest version of its name, where a bundle that was checked is that one, signed by the same key: what was uploaded may be again. */
  async same({ name, version, source, signature }: Upload): Promise<PolicyRow | null> {
    const [newest] = await this.#db
      .select(COLUMNS)
      .from(policyVersions)
      .where(eq(policyVersions.name, name))
      .orderBy(desc(policyVersions.ordinal))
      .limit(1);
    if (newest?.version !== version || newest.signedBy !== (signature?.keyId ?? null)) return null;
    return newest.hash === (await hashOf(source)) ? newest : null;
  }

  /** A version, or null. */
  async get(id: string): Promise<PolicyRow | null> {
    const [row] = await this.#db.select(COLUMNS).from(policyVersions).where(eq(policyVersions.id, id));
    return row ?? null;
  }

  /** A version as it was uploaded. @throws TollgateError `not_found`. */
  async bundleOf(id: string): Promise<Upload> {
    const { name, version, source, signedBy, signature } = policyVersions;
    const [stored] = await this.#db
      .select({ name, version, source, signedBy, signature })
      .from(policyVersions)
      .where(eq(policyVersions.id, id));
    const row = found(stored, "policy");
    const signed = row.signedBy === null || row.signature === null ? null : { keyId: row.signedBy, ed25519: row.signature };
    return { name: row.name, version: row.version, source: row.source, signature: signed };
  }

  /** Versions, newest first; of one policy where it is named. */
  async list({ limit, cursor }: Paging, name?: string): Promise<Page<PolicyRow>> {
    const rows = await this.#db
      .select(COLUMNS)
      .from(policyVersions)
      .where(and(after(policyVersions, cursor), name === undefined ? undefined : eq(policyVersions.name, name)))
      .orderBy(desc(policyVersions.createdAt), desc(policyVersions.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Where versions stand: every lane of every scope but the trials that have ended, or those of one policy. */
  async activations(name?: string): Promise<ActivationRow[]> {
    const { lane, mode } = policyActivations;
    return this.#db
      .select()
      .from(policyActivations)
      .where(and(or(eq(lane, "main"), ne(mode, "off")), name === undefined ? undefined : eq(policyActivations.name, name)))
      .orderBy(policyActivations.name, policyActivations.scopeKind, policyActivations.scopeId, policyActivations.lane);
  }

  /** What is enforced in the own scopes of keys. */
  async enforcedFor(keys: readonly string[]): Promise<ActivationRow[]> {
    const { scopeKind, scopeId, mode, name } = policyActivations;
    const named = sql`(select value from json_each(${JSON.stringify(keys)}))`;
    return this.#db
      .select()
      .from(policyActivations)
      .where(and(eq(scopeKind, "key"), inArray(scopeId, named), eq(mode, "enforce")))
      .orderBy(scopeId, name);
  }

  /**
   * Judges whether a version may be put in force, or tried, with these settings; answers them as they will hold.
   * @throws TollgateError `not_found`, `invalid_request` naming the field, `permission_denied`.
   */
  async judge(id: string, wanted: Enforcement, by: string): Promise<{ readonly row: PolicyRow; readonly config: Record<string, unknown> }> {
    const row = found(await this.get(id), "policy");
    await this.#verify(row);
    return { row, config: this.#judged(row, wanted, by) };
  }

  /**
   * Puts a version where it shall stand. To enforce it, to turn it off, or to let a wider scope speak again, ends every trial of its name in that scope; to try it, as a
   * canary or a shadow, leaves in force what was. Rolling back is to enforce an older version.
   * @throws TollgateError `not_found`, `invalid_request` naming the field, `permission_denied`.
   */
  async activate(id: string, wanted: Activation, by: string): Promise<ActivationRow> {
    const { row, config } = await this.judge(id, wanted, by);
    const { scopeKind, scopeId } = wanted;
    const lane = laneOf(wanted.mode);
    const generation = sql<number>`(select coalesce(max(generation), 0) + 1 from policy_activations)`;
    const facts = {
      policy: row.id,
      mode: wanted.mode,
      canaryPercent: wanted.canaryPercent,
      onError: wanted.onError,
      compose: wanted.compose ?? row.described.compose,
      priority: wanted.priority,
      config,
      generation,
      activatedBy: by,
      activatedAt: this.#clock(),
    };
    const place = [policyActivations.scopeKind, policyActivations.scopeId, policyActivations.name, policyActivations.lane];
    const standing = and(
      eq(policyActivations.scopeKind, scopeKind),
      eq(policyActivations.scopeId, scopeId),
      eq(policyActivations.name, row.name),
    );
    const ends = lane === "main" ? sql`true` : sql`false`;
    const trials = and(standing, sql`lane <> 'main' and mode <> 'off'`, ends);
    const [, [made]] = await this.#db.batch([
      this.#db.update(policyActivations).set({ mode: "off", generation }).where(trials),
      this.#db
        .insert(policyActivations)
        .values({ scopeKind, scopeId, name: row.name, lane, ...facts })
        .onConflictDoUpdate({ target: place, set: facts })
        .returning(),
    ]);
    return made!;
  }

  /** What was signed is verified once more: neither the source nor the key's standing may have changed since the upload. */
  async #verify({ id, hash }: PolicyRow): Promise<void> {
    const bundle = await this.bundleOf(id);
    if ((await hashOf(bundle.source)) !== hash) throw wrong("id", "names a version whose source is not what was uploaded");
    await this.check(bundle);
  }

  /** The settings as they will hold, with what the policy's schema fills in: what the host reads of them is what the policy reads. */
  #judged({ described, uploadedBy }: PolicyRow, { mode, canaryPercent, config }: Enforcement, by: string): Record<string, unknown> {
    if (mode === "canary" && canaryPercent === null) throw wrong("canary_percent", "is missing");
    if (mode !== "canary" && canaryPercent !== null) throw wrong("canary_percent", "is only for the mode canary");
    if (stands(mode) && uploadedBy === by && this.#config.TOLLGATE_POLICY_TWO_PEOPLE) {
      throw new TollgateError("permission_denied", "Who uploaded this version may not activate it: another one must approve");
    }
    return settingsFor(described, config);
  }

  async #newest(name: string): Promise<string> {
    const [row] = await this.#db
      .select({ version: policyVersions.version, ordinal: max(policyVersions.ordinal) })
      .from(policyVersions)
      .where(eq(policyVersions.name, name));
    return row?.version ?? "0.0.0";
  }
}

/** Whether a mode has a version asked about anything. */
export function stands(mode: ActivationRow["mode"]): mode is Exclude<ActivationRow["mode"], "off" | "inherit"> {
  return mode !== "off" && mode !== "inherit";
}

function laneOf(mode: ActivationRow["mode"]): ActivationRow["lane"] {
  return mode === "canary" || mode === "shadow" ? mode : "main";
}

/** A version as a number that grows as versions do. @throws TollgateError `invalid_request`. */
function ordinalOf(version: string): number {
  const parts = VERSION.exec(version);
  if (!parts) throw wrong("version", "must be three numbers below 100000, such as 1.0.0");
  return parts.slice(1).reduce((sum, part) => sum * PART_MAX + Number(part), 0);
}
