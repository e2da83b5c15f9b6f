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
/** The table is long, and asked for its dearest row at each request for a model without a price. */
const DEAREST_FIRST = BUNDLED.filter((row) => dearness(row) > 0).toSorted((a, b) => dearness(b) - dearness(a));

function holds(row: PriceRow, at: number): boolean {
  return row.effectiveFrom <= at && (row.effectiveTo === null || at < row.effectiveTo);
}

/** The row in force: the newest of those that hold. */
function inForce(rows: readonly PriceRow[] | undefined, at: number): PriceRow | null {
  let best: PriceRow | null = null;
  for (const row of rows ?? []) if (holds(row, at) && (!best || row.effectiveFrom >= best.effectiveFrom)) best = row;
  return best;
}

/** Names under which a model's price may stand, the most exact first: its own, that of the table's row which lists it, its undated one. */
function namesOf(provider: string, model: string): readonly string[] {
  const listed = BUNDLED_INDEX.get(`${provider}/${model}`)?.[0];
  if (listed) return [model, listed.model];
  const undated = model.replace(DATE_SUFFIX, "");
  return [model, undated, BUNDLED_INDEX.get(`${provider}/${undated}`)?.[0]?.model ?? undated];
}

/** An override speaks of money only: how much the model takes and gives is as the table has it. */
function withLimits(row: PriceRow): PriceRow {
  const listed = namesOf(row.provider, row.model).flatMap((name) => BUNDLED_INDEX.get(`${row.provider}/${name}`)?.[0] ?? [])[0];
  const { contextTokens, maxOutputTokens } = row;
  return {
    ...row,
    contextTokens: contextTokens ?? listed?.contextTokens ?? null,
    maxOutputTokens: maxOutputTokens ?? listed?.maxOutputTokens ?? null,
  };
}

function dearness({ rates }: PriceRow): number {
  return Number(rates.input ?? 0) + Number(rates.output ?? 0);
}

function dearestOf(rows: readonly PriceRow[]): PriceRow {
  return rows.reduce((dearest, row) => (dearness(row) > dearness(dearest) ? row : dearest));
}

/**
 * Every price the deployment knows: overrides of a team over those of the deployment over the bundled table. A model is matched
 * by its exact id, a listed alias, or its id and a date; never by a prefix, which would sell a new model at an old one's price.
 * An override of a model holds for the names and dates that the table lists as the same model.
 */
export class PriceBook {
  readonly tableHash = TABLE_HASH;
  readonly #overrides: readonly PriceRow[];
  readonly #deployment: Index;
  readonly #teams: ReadonlyMap<string, Index>;

  constructor(overrides: readonly PriceRow[]) {
    this.#overrides = overrides.map(withLimits);
    this.#deployment = indexed(this.#overrides.filter(({ scope }) => scope.kind === "deployment"));
    const byTeam = Map.groupBy(
      this.#overrides.filter(({ scope }) => scope.kind === "team"),
      ({ scope }) => scope.id,
    );
    this.#teams = new Map([...byTeam].map(([team, rows]) => [team, indexed(rows)]));
  }

  /** The price of a model for a team at a time. Never fails: what has no row is `unknown`, at the provider's dearest rates. */
  find(provider: string, model: string, team: string, at: number): Price {
    const row = this.#row(provider, model, team, at);
    if (row) return { state: row.state, row };
    if (provider === "ollama") return { state: "free", row: OLLAMA };
    return { state: "unknown", row: this.#dearest(provider, team, at) };
  }

  /** Whether a provider's model has a row of its own, for names that come without a provider. */
  knows(provider: string, model: string, at: number): boolean {
    return this.find(provider, model, "", at).state !== "unknown";
  }

  /** The rows in force that a team sees, one per model. */
  rows(team: string, at: number): readonly PriceRow[] {
    const names = new Set([...BUNDLED, ...this.#visible(team)].map(({ provider, model }) => `${provider}/${model}`));
    const found = [...names].flatMap((name) => {
      const slash = name.indexOf("/");
      return this.#row(name.slice(0, slash), name.slice(slash + 1), team, at) ?? [];
    });
    return [...new Set(found)];
  }

  /** What a team may see: never another team's prices. */
  #visible(team: string): readonly PriceRow[] {
    return this.#overrides.filter(({ scope }) => scope.kind === "deployment" || scope.id === team);
  }

  #row(provider: string, model: string, team: string, at: number): PriceRow | null {
    const names = namesOf(provider, model);
    for (const layer of [this.#teams.get(team), this.#deployment, BUNDLED_INDEX]) {
      for (const name of names) {
        const row = inForce(layer?.get(`${provider}/${name}`), at);
        if (row) return row;
      }
    }
    return null;
  }

  /** The dearest row of the provider. Where it has none, or only free ones, that of the whole table, whose source then says so. */
  #dearest(provider: string, team: string, at: number): PriceRow {
    const fits = (row: PriceRow) => row.provider === provider && holds(row, at);
    const listed = DEAREST_FIRST.find(fits);
    const own = this.#visible(team).filter((row) => fits(row) && dearness(row) > 0);
    if (listed) own.push(listed);
    if (own.length > 0) return dearestOf(own);
    const row = DEAREST_FIRST.find((each) => holds(each, at))!;
    return { ...row, source: `no price of ${provider} is known; the dearest of all providers stands in: ${row.source}` };
  }
}
