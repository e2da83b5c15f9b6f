/** What becomes of a request whose attempt met a fault. */
interface Handling {
  /** For people: the docs print this table. */
  readonly what: string;
  /** Where it goes next: another credential of the same provider, another target, or nowhere. */
  readonly next: "credential" | "target" | "nowhere";
  /** Whether the same place may answer a little later. */
  readonly again: boolean;
  /** Whether the breaker of the place counts it. */
  readonly counts: boolean;
}

/** The closed table of faults: what is retried, and what falls back. */
export const FAULTS = {
  rate_limited: { what: "429", next: "credential", again: true, counts: true },
  not_admitted: { what: "401, 402", next: "credential", again: false, counts: true },
  // Some providers answer so to what a prompt says, and no caller may open a breaker for the others.
  forbidden: { what: "403", next: "credential", again: false, counts: false },
  failing: { what: "408, 500 and above (529 too)", next: "target", again: true, counts: true },
  unreachable: { what: "connection refused, or reset before the first byte; a redirect", next: "target", again: true, counts: true },
  late: { what: "no first byte in time", next: "target", again: false, counts: true },
  in_band: {
    what: "a stream whose first event is an error, or that ends before its first word",
    next: "target",
    again: true,
    counts: true,
  },
  unusable: { what: "a provider without a credential", next: "target", again: false, counts: false },
  listed: { what: "a status that the route names in `fall_back_on`", next: "target", again: false, counts: false },
  refused: { what: "any other status from 400 on (400, 404, 413, 422)", next: "nowhere", again: false, counts: false },
} as const satisfies Record<string, Handling>;

/** What an attempt may fail with. */
export type Fault = keyof typeof FAULTS;

const NOT_ADMITTED: ReadonlySet<number> = new Set([401, 402]);

/** The fault that a status tells of; null for an answer. */
export function faultOfStatus(status: number, fallBackOn: readonly number[]): Fault | null {
  if (status < 400) return null;
  if (status === 429) return "rate_limited";
  if (NOT_ADMITTED.has(status)) return "not_admitted";
  if (status === 403) return "forbidden";
  if (status === 408 || status >= 500) return "failing";
  return fallBackOn.includes(status) ? "listed" : "refused";
}
