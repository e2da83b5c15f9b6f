import type { Alert } from "./contract.ts";

const DAY_MS = 86_400_000;
/** So many hashes make a letter that any receiver takes. */
const HEADS_PER_ALERT = 100;

/** Where a chain of the audit ends. */
export interface ChainEnd {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

/** Where the audit's chains end, to be told once a UTC day: a receiver that keeps it can hold the audit against it at any time. */
export function checkpoints(ends: readonly ChainEnd[], now: number): Alert[] {
  const about = { type: "audit.checkpoint", severity: "info", subjectKind: "audit", subjectId: "chains", team: null, key: null } as const;
  const letters = Array.from({ length: Math.ceil(ends.length / HEADS_PER_ALERT) }, (_, at) => at);
  return letters.map((at) => {
    const some = ends.slice(at * HEADS_PER_ALERT, (at + 1) * HEADS_PER_ALERT);
    const heads = some.map(({ chain, seq, hash }) => ({ chain, seq, hash }));
    return { ...about, threshold: at, windowStart: now - (now % DAY_MS), data: { heads } };
  });
}
