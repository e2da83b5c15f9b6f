import type { Price, PriceRow } from "./contract.ts";
import { OLLAMA } from "./overrides.ts";
import { BUNDLED, TABLE_HASH } from "./table.ts";

const DATE_SUFFIX = /-(?:\d{4}-\d{2}-\d{2}|\d{8})$/;

/** Rows by provider and name; a name is a model's id or a listed alias. */
type Index = ReadonlyMap<string, readonly PriceRow[]>;

function indexed(rows: readonly PriceRow[]): Index {
  const index = new Map<string, PriceRow[]>();
  for (const row of rows) {
    for (const name of new Set([row.model, ...row.aliases])) {
      const key = `${row.provider}/${name}`;
      const known = index.get(key);
      if (known) known.push(row);
      else index.set(key, [row]);
    }
  }
  return index;
}

const BUNDLED_INDEX = indexed(BUNDLED);

function holds(row: PriceRow, at: number): boolean {
  return row.effectiveFrom <= at && (row.effectiveTo === null || at < row.effectiveTo);
}

/** The row in force: the newest of those that hold. */
function inForce(rows: readonly PriceRow[] | undefined, at: number): PriceRow | null {
  let best: PriceRow | null = null;
  for (const row of rows ?? []) if (holds(row, at) && (!best || row.effectiveFrom >= best.effectiveFrom)) best = row;
  return best;
}

function dearness({ rates }: PriceRow): number {
  return Number(rates.input ?? 0) + Number(rates.output ?? 0);
}

/**
 * Every price the deployment knows: overrides of a team over those of the deployment over the bundled table. A model is matched
 * by its exact id, a listed alias, or its id and a date; never by a prefix, which would sell a new model at an old one's price.
 */
export class PriceBook {
  readonly tableHash = TABLE_HASH;
  readonly #overrides: readonly PriceRow[];
  readonly #deployment: Index;
  readonly #teams: ReadonlyMap<string, Index>;

  constructor(overrides: readonly PriceRow[]) {
    this.#overrides = overrides;
    this.#deployment = indexed(overrides.filter(({ scope }) => scope.kind === "deployment"));
    const byTeam = Map.groupBy(
      overrides.filter(({ scope }) => scope.kind === "team"),
      ({ scope }) => scope.id,
    );
    this.#teams = new Map([...byTeam].map(([team, rows]) => [team, indexed(rows)]));
  }

  /** The price of a model for a team at a time. Never fails: what has no row is `unknown`, at the provider's dearest rates. */
  find(provider: string, model: string, team: string, at: number): Price {
    const row = this.#row(provider, model, team, at) ?? this.#row(provider, model.replace(DATE_SUFFIX, ""), team, at);
    if (row) return { state: row.state, row };
    if (provider === "ollama") return { state: "free", row: OLLAMA };
    return { state: "unknown", row: this.#dearest(provider, at) };
  }

  /** Whether a provider's model has a row of its own, for names that come without a provider. */
  knows(provider: string, model: string, at: number): boolean {
    return this.find(provider, model, "", at).state !== "unknown";
  }

  /** The rows in force that a team sees, one per model. */
  rows(team: string, at: number): readonly PriceRow[] {
    const visible = this.#overrides.filter(({ scope }) => scope.kind === "deployment" || scope.id === team);
    const names = new Set([...BUNDLED, ...visible].map(({ provider, model }) => `${provider}/${model}`));
    return [...names].flatMap((name) => {
      const slash = name.indexOf("/");
      return this.#row(name.slice(0, slash), name.slice(slash + 1), team, at) ?? [];
    });
  }

  #row(provider: string, model: string, team: string, at: number): PriceRow | null {
    const key = `${provider}/${model}`;
    return inForce(this.#teams.get(team)?.get(key), at) ?? inForce(this.#deployment.get(key), at) ?? inForce(BUNDLED_INDEX.get(key), at);
  }

  /** The dearest row of the provider; of all providers where it has none. */
  #dearest(provider: string, at: number): PriceRow {
    const own = [...this.#overrides, ...BUNDLED].filter((row) => row.provider === provider && holds(row, at));
    const from = own.length > 0 ? own : BUNDLED;
    return from.reduce((dearest, row) => (dearness(row) > dearness(dearest) ? row : dearest));
  }
}
