import type { Nano, PaceLimits, Scope } from "#core";

/**
 * The ledger's vocabulary: plain values that cross the Durable Object boundary. Counters are safe integers: nano-USD
 * rounded up, tokens, requests. Times are milliseconds UTC.
 */

/** Something a budget counts. `requests` is 1 for a request and 0 for what is not one. */
export interface Amount {
  readonly nano: Nano;
  readonly tokens: number;
  readonly requests: number;
}

/** What one request asks of its ledger, in one trip: identity, pace and money. */
export interface Admission {
  /** The request's id: the idempotency id of every call about this hold. */
  readonly id: string;
  /** `key_…` of the caller, and the epoch of the facts by which the isolate authenticated it. */
  readonly key: string;
  readonly epoch: number;
  /** The least that makes the request worth sending: prompt and the first 512 output tokens. */
  readonly floor: Amount;
  /** The worst that the provider may bill for the request as sent. */
  readonly ceiling: Amount;
  /** The likely bill, tried where every budget on the path is `tight`; between floor and ceiling. */
  readonly likely: Amount;
  /** A stream can extend later, so it takes at most half of what is left; a JSON answer cannot. */
  readonly stream: boolean;
  /** Milliseconds after which the hold may be expired: the request's total timeout and a grace. */
  readonly ttlMs: number;
  /**
   * What an expired hold becomes: the record's facts as known before the call, JSON, opaque to the ledger. Empty where another
   * ledger keeps the record: an expired hold then comes to nothing, until that one says what it came to.
   */
  readonly event: string;
  /** Where else the request is held: those ledgers are told how it ends. */
  readonly elsewhere?: readonly Elsewhere[];
  /** Asks for a float beside the hold, by the id it shall have. It is granted or not; the hold does not hang on it. */
  readonly float?: Wish;
  /** The lease that its money is drawn from: it was reserved in every budget in USD when the lease was taken. */
  readonly lease?: string;
}

/**
 * What a task asks for at its beginning: money for all its calls, reserved in every budget in USD on its key's path, in the windows of
 * that moment. Its id is the task's, and the idempotency id of every call about it.
 */
export interface LeaseAsked {
  readonly id: string;
  readonly key: string;
  readonly epoch: number;
  readonly cap: Nano;
  /** Milliseconds after which it ends by itself, and what is left of it goes back. */
  readonly ttlMs: number;
}

/** Where a lease stands: `reserved` is what its calls in flight hold, and what is left for others while it has not ended. */
export interface LeaseStatus {
  readonly id: string;
  readonly cap: Nano;
  readonly spent: Nano;
  readonly reserved: Nano;
  /** Whether a call was refused for want of money here, and not admitted since. */
  readonly refused: boolean;
  readonly ended: boolean;
}

/** A lease that was granted, whole. */
export interface Leased {
  readonly kind: "leased";
  readonly status: LeaseStatus;
}

/** An admission as a flow asks for it: its event is written only where the ledger must keep it. */
export interface Asked extends Omit<Admission, "event" | "float"> {
  readonly event: () => string;
}

/** The float that an isolate asks for: so much to admit, so many requests at once. */
export interface Wish {
  readonly id: string;
  readonly wanted: Amount;
  readonly slots: number;
}

/** A hold of the same id in the ledger of a wider budget, by that ledger's name. */
export interface Elsewhere {
  readonly ledger: string;
  readonly legs: readonly Leg[];
}

/** How a request ended, as its team's ledger tells the ledgers of wider budgets. Repeating it changes nothing. */
export interface Notice {
  readonly id: string;
  readonly how: "settled" | "expired" | "released";
  readonly actual: Amount;
}

/**
 * What an isolate may admit from memory for one key, reserved in the ledger so that no limit is passed whatever the isolate does.
 * It may be used for `usableMs` after it was asked for; what is not reported a second later goes back.
 */
export interface Float {
  readonly id: string;
  /** Null where no budget binds the key: nothing limits what is admitted but the time. */
  readonly amount: Amount | null;
  /** The windows that what is admitted from it is charged to. */
  readonly legs: readonly Leg[];
  /** What it holds of the key's pace; null where the key has no limits of pace. */
  readonly pace: Slice | null;
  readonly usableMs: number;
}

/** A part of a key's pace. Requests and tokens are used up; a slot is free again once its request is over. */
export interface PacePart {
  readonly requests: number;
  readonly tokens: number;
  readonly slots: number;
}

/**
 * What a float holds of its key's pace: counted by the ledger as if it were used, in the last second in which it can be. What has no
 * limit is plenty.
 */
export interface Slice extends PacePart {
  readonly second: number;
}

/** One budget in one window, as a reservation remembers it: what is charged later is charged where it was admitted. */
export interface Leg {
  readonly budget: string;
  /** Milliseconds UTC; null for `total`. */
  readonly start: number | null;
  readonly unit: Unit;
}

/** A request that an isolate admitted from a float. */
export interface Floated {
  readonly admission: Pick<Admission, "id" | "key" | "ttlMs">;
  readonly granted: Amount;
  readonly float: string;
  readonly legs: readonly Leg[];
  /** Where its pace is counted, and how many tokens; null where the key has no limits of pace. */
  readonly paced: Counted | null;
  /** When it was admitted, milliseconds UTC. */
  readonly at: number;
}

/** A floated request that goes on, with what it becomes if nobody ends it: the event of an admission. */
export interface Begun extends Floated {
  readonly event: string;
}

/** The second in which a request's pace is counted, and the tokens that are counted there. */
export interface Counted {
  readonly second: number;
  readonly counted: number;
}

/**
 * A request that is over. It is `floated` where the ledger may not know of it yet; `slot` is the float in which the isolate keeps its
 * place for another.
 */
export interface Over {
  readonly settlement: Settlement;
  readonly floated: Floated | null;
  readonly slot: string | null;
}

/** A float that will not be used any more, and what was not admitted from it: what was may still be on its way to the ledger. */
export interface GivenBack {
  readonly float: string;
  readonly rest: Amount;
  readonly pace: PacePart | null;
}

/** What an isolate tells its ledger, many requests at a time. Repeating it changes nothing. */
export interface Report {
  /** Requests that go on: each becomes a hold, so that its record is safe whatever happens to the isolate. */
  readonly began: readonly Begun[];
  readonly ended: readonly Over[];
  readonly returned: readonly GivenBack[];
}

/** Why an admission, or an extension, was refused. Expected decisions are values. */
export type Refusal =
  /** The caller's facts are older than the ledger's: read them again and ask once more. */
  | { readonly kind: "stale"; readonly epoch: number }
  /** Disabled, deleted or expired since. */
  | { readonly kind: "inactive" }
  | {
      readonly kind: "rate_limited";
      readonly limit: "rpm" | "tpm" | "concurrency";
      readonly max: number;
      readonly used: number;
      readonly retryAfterMs: number;
      /** How much of what is used lies in floats, and may come back within seconds. */
      readonly floating: number;
    }
  | {
      readonly kind: "budget_exceeded";
      /** Of a lease, its id. */
      readonly budget: string;
      readonly scope: LimitScope;
      readonly window: Window;
      readonly unit: Unit;
      readonly limit: number;
      readonly spent: number;
      readonly reserved: number;
      readonly requested: number;
      readonly windowStart: number | null;
      readonly resetsAt: number | null;
      /** How much of what is reserved may come back within seconds: it lies in floats, or in a task's other calls. */
      readonly floating: number;
    }
  /** The lease that an admission, or an extension, would draw from admits no more. */
  | { readonly kind: "lease_ended"; readonly lease: string }
  /** The same id with another body. */
  | { readonly kind: "mismatch" };

export type Window = "hour" | "day" | "week" | "month" | "total";
export type Unit = "usd" | "tokens" | "requests";
export type BudgetMode = "strict" | "tight";

/** The state of one pace limit after this admission, for `x-ratelimit-*`. */
export interface Pace {
  readonly limit: number;
  readonly remaining: number;
  readonly resetsAt: number;
}

/** A granted hold. `granted` lies between floor and ceiling: what the request may cost before it must extend or stop. */
export interface Granted {
  readonly kind: "granted";
  readonly granted: Amount;
  /** True where any budget binds this request: its output must then be capped at what was granted. */
  readonly bound: boolean;
  /** The windows that it is charged to. */
  readonly legs: readonly Leg[];
  /** The tightest limit in USD after this hold, a budget or its task's lease; null where none binds. */
  readonly tightest: {
    readonly budget: string;
    readonly scope: LimitScope;
    readonly remaining: Nano;
    readonly resetsAt: number | null;
  } | null;
  readonly rpm: Pace | null;
  readonly tpm: Pace | null;
  readonly float?: Float;
}

/** How a hold ends: the true amount and the finished record. */
export interface Settlement {
  readonly id: string;
  readonly actual: Amount;
  /** Tokens for the key's totals. */
  readonly usage: { readonly input: number; readonly output: number };
  /** The finished event (cost record and request log row), JSON. The ledger adds the budgets it charged and delivers it. */
  readonly event: string;
}

/** A settlement as a flow tells of it: its event is written on its way to the ledger, when the caller has long been answered. */
export interface Paid extends Omit<Settlement, "event"> {
  readonly event: () => string;
}

/** What settling did. `late` replaces the estimate of an expired hold. */
export type Settled =
  | { readonly kind: "settled" | "repeated" | "late"; readonly charged: readonly Charge[] }
  | { readonly kind: "unknown" };

/** One leg of a receipt: which window of which budget was charged. */
export interface Charge {
  readonly budget: string;
  readonly windowStart: number | null;
  readonly unit: Unit;
  /** Nano-USD, tokens or requests, by unit. */
  readonly amount: number;
}

/**
 * A charge as its event tells of it: with all that has been spent in its window since, so that who reads it sees a limit passed. A
 * budget across teams tells it itself, to whom asks its ledger.
 */
export interface Told extends Charge {
  readonly spent?: number;
}

/** A budget as the control plane defines it. */
export interface Budget {
  readonly id: string;
  readonly scope: Scope;
  readonly window: Window;
  readonly timeZone: string;
  readonly unit: Unit;
  readonly limit: number;
  readonly mode: BudgetMode;
}

/** Where a limit of money stands: a budget's scope, or a task, which has its lease. */
export type LimitScope = Scope | { readonly kind: "task"; readonly id: string };

/** What a call may be refused by: a budget, or the lease that it draws from. */
export type Limit = Omit<Budget, "scope"> & { readonly scope: LimitScope };

/** A budget's state in its present window. `over` is what was billed beyond what had been reserved. */
export interface BudgetStatus {
  readonly budget: Limit;
  readonly spent: number;
  readonly reserved: number;
  readonly over: number;
  readonly remaining: number;
  readonly windowStart: number | null;
  readonly resetsAt: number | null;
  /** What will have been spent when the window ends, at its pace so far; null where that says nothing. */
  readonly forecast: number | null;
}

/** Everything the ledger knows of one key, for `GET /v1/key`. */
export interface KeyStatus {
  readonly key: string;
  readonly epoch: number;
  readonly active: boolean;
  readonly spent: Nano;
  readonly reserved: Nano;
  readonly requests: number;
  readonly tokens: { readonly input: number; readonly output: number };
  readonly limits: PaceLimits;
  readonly rpm: Pace | null;
  readonly tpm: Pace | null;
  readonly inFlight: number;
  /** The key's own and every ancestor's; for a task its lease, in the place of those in USD. */
  readonly budgets: readonly BudgetStatus[];
}
