import type { Db } from "#db";
import type { PriceBook } from "#models";
import { SEARCHES } from "./anthropic.ts";
import { cellsOf } from "./cells.ts";
import { differences } from "./compare.ts";
import { type Measure, MEASURES, type Reconciliation } from "./contract.ts";
import { minus, NONE, only, plus } from "./figures.ts";
import { modelOf } from "./names.ts";
import { type Bundle, type Export, readExports } from "./read.ts";
import { ownDays, withSearchesApart } from "./records.ts";
import { refuse } from "./rows.ts";

const DAY_MS = 86_400_000;
const DAYS_MAX = 92;

/** A comparison as it is asked for. Times are milliseconds UTC, `to` exclusive. */
export interface Question {
  /** The providers, by their names here, that the export's account bills. */
  readonly providers: readonly string[];
  readonly exports: readonly Export[];
  readonly from?: number;
  readonly to?: number;
  /** Our names by the provider's, where neither the price table nor a date tells them. */
  readonly models: Readonly<Record<string, string>>;
  readonly toleranceFemto: bigint;
  /** How long a request may take. */
  readonly lateMs: number;
}

/**
 * Holds a provider's exports against our cost records, by UTC day and model. Only what the exports state is compared; amounts are
 * exact.
 * @throws TollgateError `invalid_request` naming the path of what is wrong.
 */
export async function reconcile(db: Db, book: PriceBook, question: Question): Promise<Reconciliation> {
  const bundle = readExports(question.exports, question);
  const { from, to, complete } = bundle;
  if (to - from > DAYS_MAX * DAY_MS) refuse("exports", `cover more than ${DAYS_MAX} days; compare fewer at a time`);
  const extent = { providers: question.providers, from, to, lateMs: Math.min(question.lateMs, DAY_MS) };
  const summed = await ownDays(db, extent);
  const own = bundle.sheets.some(({ searchesApart }) => searchesApart) ? await withSearchesApart(db, extent, summed, SEARCHES) : summed;
  const measures = statedIn(bundle);
  const cells = cellsOf(bundle.sheets, own, namer(book, bundle, question));
  const theirs = cells.reduce((sum, cell) => plus(sum, cell.theirs?.figures ?? NONE), NONE);
  const ours = cells.reduce((sum, cell) => plus(sum, only(cell.ours?.figures ?? NONE, measures)), NONE);
  const found = differences(cells, { measures, toleranceFemto: question.toleranceFemto });
  return { from, to, complete, measures, cells: cells.length, differences: found, theirs, ours, delta: minus(ours, theirs) };
}

/** What the exports state. One that states nothing, since the account used nothing, is compared in every amount. */
function statedIn({ sheets }: Bundle): Measure[] {
  const stated = MEASURES.filter((name) => sheets.some(({ rows }) => rows.some(({ figures }) => figures[name] !== undefined)));
  return stated.length > 0 ? stated : [...MEASURES];
}

/** Our name, and the provider's, of one and the same model. */
function namer(book: PriceBook, { sheets, from }: Bundle, { providers, models }: Question): (name: string) => string {
  const vendors = sheets.flatMap(({ vendor }) => vendor ?? []);
  const names = { book, providers: [...new Set([...vendors, ...providers])], at: from };
  const known = new Map<string, string>();
  const given = new Map(Object.entries(models));
  return (name) => {
    const found = known.get(name) ?? modelOf(given.get(name) ?? name, names);
    known.set(name, found);
    return found;
  };
}
