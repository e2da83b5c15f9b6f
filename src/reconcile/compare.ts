import { boundaryRuns, deltaOf, type Differing } from "./boundary.ts";
import { type Cause, type Cell, COUNTS, type Difference, type Figures, type Measure, type Ours } from "./contract.ts";
import { isNothing, minus, NONE, only, within } from "./figures.ts";

/** What is compared, and how closely. */
export interface Terms {
  /** The measures that the export states. */
  readonly measures: readonly Measure[];
  /** How far amounts may be apart, in femto-USD: some exports round. */
  readonly toleranceFemto: bigint;
}

/** Every difference between the two sides of some cells, each named once and with its causes, by day and model. */
export function differences(cells: readonly Cell[], terms: Terms): Difference[] {
  const differing = cells
    .map((cell): Differing => ({ ...cell, delta: deltaOf(cell, terms.measures, terms.toleranceFemto) }))
    .filter(({ delta }) => !isNothing(delta));
  const runs = boundaryRuns(differing, terms.measures);
  const moved = new Set(runs.flatMap((run) => run.cells));
  const standing = differing.filter((cell) => !moved.has(cell));
  const renamed = renames(standing, terms);
  const paired = new Set(renamed.flatMap(({ there, here }) => [there, here]));
  const found: Difference[] = [
    ...runs.map(({ first, through }) => difference(first, ["day_boundary"], { through })),
    ...renamed.map(({ there, here }) => renaming(there, here, terms)),
    ...standing.filter((cell) => !paired.has(cell)).map((cell) => difference(cell, causesOf(cell))),
  ];
  return found.toSorted((a, b) => a.day - b.day || (a.model < b.model ? -1 : 1));
}

function difference(cell: Differing, causes: readonly Cause[], more: Partial<Pick<Difference, "through" | "ownModel">> = {}): Difference {
  const { day, model, theirs, ours } = cell;
  const delta = Object.fromEntries(Object.entries(cell.delta).filter(([, value]) => value !== 0n));
  return { day, model, theirs, ours, delta, causes, through: null, ownModel: null, ...more };
}

interface Rename {
  readonly there: Differing;
  readonly here: Differing;
}

/** Names that stand on one side only, with the same figures on the same day. Where two would fit, nobody can say which it is. */
function renames(cells: readonly Differing[], { measures }: Terms): Rename[] {
  const counts = measures.filter((name) => name !== "usd");
  const compared = counts.length > 0 ? counts : measures;
  const same = (there: Differing, here: Differing) =>
    there.day === here.day && isNothing(minus(only(there.theirs!.figures, compared), only(here.ours!.figures, compared)));
  const something = (figures: Figures) => !isNothing(only(figures, compared));
  const theirs = cells.filter((cell) => !cell.ours && cell.theirs && something(cell.theirs.figures));
  const ours = cells.filter((cell) => !cell.theirs && cell.ours && something(cell.ours.figures));
  return theirs.flatMap((there) => {
    const fitting = ours.filter((here) => same(there, here));
    const [here] = fitting;
    const alone = here && fitting.length === 1 && theirs.filter((other) => same(other, here)).length === 1;
    return alone ? [{ there, here }] : [];
  });
}

/** A renamed model may be billed at another price besides. */
function renaming(there: Differing, here: Differing, terms: Terms): Difference {
  const cell = { ...there, ours: here.ours };
  const joined = { ...cell, delta: deltaOf(cell, terms.measures, terms.toleranceFemto) };
  const more = isNothing(joined.delta) ? [] : causesOf(joined);
  return difference(joined, ["model_renamed", ...more], { ownModel: here.model });
}

function causesOf(cell: Differing): Cause[] {
  const { theirs, ours, delta } = cell;
  if (!ours) return ["missing_here"];
  if (!theirs) return ["missing_there"];
  const counts = COUNTS.filter((name) => delta[name] !== undefined);
  if (counts.some((name) => delta[name] !== 0n)) return [lies(cell, ours, "estimated", counts) ? "estimated_here" : "tokens_differ"];
  if (lies(cell, ours, "unknown", ["usd"])) return ["unknown_price"];
  if (COUNTS.some((name) => theirs.figures[name] !== undefined)) return ["price_differs"];
  return [lies(cell, ours, "estimated", ["usd"]) ? "estimated_here" : "amount_differs"];
}

/** Whether the difference lies within records that are no certain ones: what is certain must be billed in full. */
function lies({ theirs }: Cell, ours: Ours, part: "estimated" | "unknown", measures: readonly Measure[]): boolean {
  if (ours[part].records === 0) return false;
  const certain = minus(only(ours.figures, measures), only(ours[part].figures, measures));
  return within(certain, only(theirs?.figures ?? NONE, measures));
}
