/** A window that has run for less says nothing of its end. */
const PART_MIN = 0.05;

/**
 * What will have been spent at a window's end if it goes on at its pace so far: rounded up, never less than what was spent. Null for a
 * window without an end, and while it has hardly begun.
 */
export function forecast(
  spent: number,
  { start, end }: { readonly start: number | null; readonly end: number | null },
  now: number,
): number | null {
  if (start === null || end === null) return null;
  const part = Math.min(1, (now - start) / (end - start));
  return part < PART_MIN ? null : Math.min(Number.MAX_SAFE_INTEGER, Math.max(spent, Math.ceil(spent / part)));
}
