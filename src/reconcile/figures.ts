import { type Figures, type Measure, MEASURES } from "./contract.ts";

/** Nothing of anything. */
export const NONE: Figures = {};

/** The sum, of every measure that either side states. */
export function plus(a: Figures, b: Figures): Figures {
  return combined(a, b, (x, y) => x + y);
}

/** The difference, of every measure that either side states. */
export function minus(a: Figures, b: Figures): Figures {
  return combined(a, b, (x, y) => x - y);
}

function combined(a: Figures, b: Figures, each: (x: bigint, y: bigint) => bigint): Figures {
  const stated = MEASURES.filter((name) => a[name] !== undefined || b[name] !== undefined);
  return Object.fromEntries(stated.map((name) => [name, each(a[name] ?? 0n, b[name] ?? 0n)]));
}

/** Only these measures. */
export function only(figures: Figures, measures: readonly Measure[]): Figures {
  return Object.fromEntries(measures.flatMap((name) => (figures[name] === undefined ? [] : [[name, figures[name]]])));
}

/** Whether every measure is nought. */
export function isNothing(figures: Figures): boolean {
  return Object.values(figures).every((value) => value === 0n);
}

/** Whether no measure is below nought or above its bound. */
export function within(figures: Figures, bound: Figures): boolean {
  return MEASURES.every((name) => (figures[name] ?? 0n) >= 0n && (figures[name] ?? 0n) <= (bound[name] ?? 0n));
}
