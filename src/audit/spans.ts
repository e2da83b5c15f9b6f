/** How long a cell sums over. */
export type Grain = "hour" | "day" | "month";

/** A stretch of time, `to` exclusive, milliseconds UTC; of whole grains, or of single records. */
export interface Span {
  readonly grain: Grain | null;
  readonly from: number;
  readonly to: number;
}

/** From the coarsest. */
export const GRAINS: readonly Grain[] = ["month", "day", "hour"];

/** No record is later. */
export const FOREVER = 8_640_000_000_000_000;

const LENGTH_MS = { hour: 3_600_000, day: 86_400_000 } as const;

/**
 * Covers a stretch of time with as few grains as it takes: whole months, the days up to the first and after the last of them, and
 * so on; what is left at both ends is read from the records.
 */
export function cover(from: number, to: number, [grain, ...finer]: readonly Grain[]): readonly Span[] {
  if (from >= to) return [];
  if (grain === undefined) return [{ grain: null, from, to }];
  const first = ceiling(from, grain);
  const last = floor(to, grain);
  if (first >= last) return cover(from, to, finer);
  return [...cover(from, first, finer), { grain, from: first, to: last }, ...cover(last, to, finer)];
}

function floor(at: number, grain: Grain): number {
  if (at === FOREVER) return at;
  if (grain !== "month") return at - (at % LENGTH_MS[grain]);
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

function ceiling(at: number, grain: Grain): number {
  const start = floor(at, grain);
  if (start === at) return at;
  if (grain !== "month") return start + LENGTH_MS[grain];
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
