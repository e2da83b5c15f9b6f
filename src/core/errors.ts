/**
 * The closed table of errors a caller can meet: HTTP status, the Anthropic error type (also used as OpenAI's `type`),
 * and whether the official SDKs should retry. A code without a status does not compile.
 */
const TABLE = {
  invalid_request: { status: 400, type: "invalid_request_error", retry: false },
  idempotency_mismatch: { status: 400, type: "invalid_request_error", retry: false },
  invalid_api_key: { status: 401, type: "authentication_error", retry: false },
  budget_exceeded: { status: 402, type: "billing_error", retry: false },
  policy_denied: { status: 403, type: "permission_error", retry: false },
  permission_denied: { status: 403, type: "permission_error", retry: false },
  model_not_found: { status: 404, type: "not_found_error", retry: false },
  not_found: { status: 404, type: "not_found_error", retry: false },
  method_not_allowed: { status: 405, type: "invalid_request_error", retry: false },
  request_timeout: { status: 408, type: "timeout_error", retry: true },
  payload_too_large: { status: 413, type: "invalid_request_error", retry: false },
  rate_limited: { status: 429, type: "rate_limit_error", retry: true },
  internal: { status: 500, type: "api_error", retry: true },
  upstream_error: { status: 502, type: "api_error", retry: true },
  overloaded: { status: 503, type: "overloaded_error", retry: true },
  upstream_timeout: { status: 504, type: "timeout_error", retry: true },
} as const satisfies Record<string, { status: number; type: string; retry: boolean }>;

/** Every code that can stand in an error body's `code`. */
export type ErrorCode = keyof typeof TABLE;

/** All of them. */
export const ERROR_CODES = Object.keys(TABLE) as readonly ErrorCode[];

/** What only the log may see, and what the caller's body carries beside the message. */
export interface ErrorFacts {
  /** For the log: why, in words that may name internals. Never sent. */
  readonly reason?: string;
  readonly cause?: unknown;
  /** Path of the offending field, e.g. `budgets.0.window`. */
  readonly param?: string;
  /** Sent as `details`: the closed shapes of the contract (budget, rate limit, attempts, violations). */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Milliseconds until a retry makes sense; sent as `retry-after`, at most 60 s. */
  readonly retryAfterMs?: number;
}

/** A refusal or failure with a public face. `message` is for the caller; `facts.reason` and `cause` are for the log. */
export class TollgateError extends Error {
  override readonly name = "TollgateError";
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, publicMessage: string, facts: ErrorFacts = {}) {
    super(publicMessage, { cause: facts.cause });
    this.code = code;
    this.facts = facts;
  }

  get status(): number {
    return TABLE[this.code].status;
  }

  /** The Anthropic error type, which doubles as OpenAI's `type`. */
  get type(): string {
    return TABLE[this.code].type;
  }

  /** What `x-should-retry` says. */
  get retry(): boolean {
    return TABLE[this.code].retry;
  }
}

/** The public face of anything thrown: ours as it is, anything else as `internal` with the original as cause. */
export function asTollgateError(thrown: unknown): TollgateError {
  if (thrown instanceof TollgateError) return thrown;
  return new TollgateError("internal", "An internal error occurred. Quote the request id when you report it.", {
    cause: thrown,
    reason: thrown instanceof Error ? thrown.message : "non-error thrown",
  });
}
