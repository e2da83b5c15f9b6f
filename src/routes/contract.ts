/** How a route chooses among targets of equal priority. */
export const STRATEGIES = ["priority", "weighted", "latency", "cost"] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** When a target is one: every condition that is named must hold; one that is empty holds always. */
export interface When {
  /** Patterns of which the model that the caller named must match one. */
  readonly models: readonly string[];
  /** Tags of the request or its key, of which it must bear one. */
  readonly tags: readonly string[];
  /** Metadata that it must carry, value for value. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A model of a provider. */
export interface Place {
  readonly provider: string;
  /** A `*` stands for the text that the `*` of the route's name stood for. */
  readonly model: string;
}

/** One entry of a route's list: a place, or another route whose places stand where it stands. */
export type RouteTarget = (Place | { readonly route: string }) & {
  /** Lower ones come first. */
  readonly priority: number;
  readonly weight: number;
  readonly when: When;
};

/** When a place that fails is left alone, and for how long. */
export interface Breaker {
  /** Of at least so many calls within the window, at least so many per cent failed. */
  readonly callsMin: number;
  readonly failurePercent: number;
  readonly windowS: number;
  /** Seconds until one call tries again. */
  readonly openS: number;
}

/** How a request goes on from a place that failed it. */
export interface Perseverance {
  /** How often the whole list is gone through again. */
  readonly retries: number;
  /** Milliseconds before the first time; doubles with each. */
  readonly backoffMs: number;
  /** Milliseconds for all attempts together, and for the first byte of each; null for the deployment's own. */
  readonly timeoutMs: number | null;
  readonly firstByteTimeoutMs: number | null;
  /** Statuses beyond the table's that are a reason to go on. */
  readonly fallBackOn: readonly number[];
  readonly breaker: Breaker;
}

/** What names of the operator's choice lead to. */
export interface Route extends Perseverance {
  /** What callers write as the model; one `*` in it stands for any text. */
  readonly name: string;
  readonly strategy: Strategy;
  /** Requests of one session go to one target as long as it is well, so that its prompt cache stays warm. */
  readonly sticky: boolean;
  readonly targets: readonly RouteTarget[];
}

export const BREAKER: Breaker = { callsMin: 5, failurePercent: 50, windowS: 30, openS: 15 };

/** What holds where no route says otherwise. */
export const PERSEVERANCE: Perseverance = {
  retries: 0,
  backoffMs: 250,
  timeoutMs: null,
  firstByteTimeoutMs: null,
  fallBackOn: [],
  breaker: BREAKER,
};
