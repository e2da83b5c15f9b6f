import type { Cell, Figures, Measure } from "./contract.ts";
import { isNothing, minus, NONE, only, plus, within } from "./figures.ts";

const DAY_MS = 86_400_000;

/** A cell that differs: ours less theirs. */
export interface Differing extends Cell {
  readonly delta: Figures;
}

/** Days of one model whose differences cancel, because requests were admitted before midnight and billed after it. */
export interface Run {
  readonly first: Differing;
  readonly through: number;
  readonly cells: readonly Differing[];
}

/**
 * Finds those days. What a day has too much must stand on the following day in full, and can be no more than what was admitted in the
 * day's last minutes; anything else is a difference of its own.
 */
export function boundaryRuns(differing: readonly Differing[], measures: readonly Measure[]): Run[] {
  const byModel = Map.groupBy(differing, ({ model }) => model);
  return [...byModel.values()].flatMap((cells) => {
    const days = cells.toSorted((a, b) => a.day - b.day);
    const runs: Run[] = [];
    for (let at = 0; at < days.length; at++) {
      const length = runFrom(days, at, measures);
      if (length < 2) continue;
      const run = days.slice(at, at + length);
      runs.push({ first: run[0]!, through: run.at(-1)!.day, cells: run });
      at += length - 1;
    }
    return runs;
  });
}

/** How many days from `start` on cancel; nought where they do not. */
function runFrom(days: readonly Differing[], start: number, measures: readonly Measure[]): number {
  let carried = NONE;
  for (let at = start; at < days.length; at++) {
    const { day, delta, ours } = days[at]!;
    if (at > start && day !== days[at - 1]!.day + DAY_MS) return 0;
    carried = plus(carried, delta);
    if (isNothing(carried)) return at - start + 1;
    if (!within(carried, only(ours?.late.figures ?? NONE, measures))) return 0;
  }
  return 0;
}

/** Ours less theirs, in the measures that are compared; an amount no further off than the tolerance does not differ. */
export function deltaOf({ ours, theirs }: Cell, measures: readonly Measure[], toleranceFemto: bigint): Figures {
  const delta = only(minus(ours?.figures ?? NONE, theirs?.figures ?? NONE), measures);
  const usd = delta.usd ?? 0n;
  const near = usd <= toleranceFemto && -usd <= toleranceFemto;
  return near && delta.usd !== undefined ? { ...delta, usd: 0n } : delta;
}
