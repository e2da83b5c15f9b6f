import { TollgateError } from "#core";
import { wrong } from "./refusal.ts";
import type { ActivationRow, Enforcement, PolicyStore } from "./store.ts";

/** What is to be put into a key's own scope. */
interface Placing {
  readonly id: string;
  readonly wanted: Enforcement;
}

/**
 * The policies of a key: the versions that are enforced in its own scope, beside what binds it by its team and the deployment. They are
 * activations like any other, seen from the key's side, so that there is one truth about what stands.
 */
export class KeyPolicies {
  readonly #store: PolicyStore;

  constructor(store: PolicyStore) {
    this.#store = store;
  }

  /** The versions' ids by key, in the order of the policies' names. */
  async of(keys: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const byKey = Map.groupBy(await this.#store.enforcedFor(keys), ({ scopeId }) => scopeId);
    return new Map([...byKey].map(([key, rows]) => [key, rows.map(({ policy }) => policy)]));
  }

  /**
   * What it takes for a key, or one that is still to be made, to have these policies and no others; nothing is written. What stands already
   * stays as it is, another version of it takes its settings over, and what is not named gives way to what stands in a wider scope.
   * @throws TollgateError naming the item: one that is no version, is named twice, or may not be put in force.
   */
  async plan(key: string | null, ids: readonly string[], by: string): Promise<readonly Placing[]> {
    const standing = key === null ? [] : await this.#store.enforcedFor([key]);
    const names = new Map<string, string>();
    const placings: Placing[] = [];
    for (const [at, id] of ids.entries()) {
      const param = `policies.${at}`;
      const version = await this.#store.get(id);
      if (!version) throw wrong(param, "is no version of a policy; GET /policies lists them by id");
      if (names.has(version.name)) throw wrong(param, `is a second one of ${version.name}`);
      names.set(version.name, id);
      const before = standing.find(({ name }) => name === version.name);
      if (before?.policy === id) continue;
      const wanted = enforcing(before);
      await this.#store.judge(id, wanted, by).catch(refusedAs(param));
      placings.push({ id, wanted });
    }
    const gone = standing.filter(({ name }) => !names.has(name));
    return [...placings, ...gone.map((row) => ({ id: row.policy, wanted: { ...enforcing(row), mode: "inherit" as const } }))];
  }

  /** Puts what was planned, in force as any activation is; answers what stands now. */
  async put(key: string, placings: readonly Placing[], by: string): Promise<ActivationRow[]> {
    const rows: ActivationRow[] = [];
    for (const { id, wanted } of placings) rows.push(await this.#store.activate(id, { scopeKind: "key", scopeId: key, ...wanted }, by));
    return rows;
  }
}

function enforcing(before: ActivationRow | undefined): Enforcement {
  const { onError = "deny", compose = null, priority = null, config = {} } = before ?? {};
  return { mode: "enforce", canaryPercent: null, onError, compose, priority, config };
}

function refusedAs(param: string): (thrown: unknown) => never {
  return (thrown) => {
    if (!(thrown instanceof TollgateError)) throw thrown;
    throw new TollgateError(thrown.code, `${param}: ${thrown.message}`, { param, cause: thrown });
  };
}
