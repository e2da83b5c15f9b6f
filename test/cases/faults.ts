/**
 * The fault matrix: what an upstream does, to a request for JSON or a stream, with and without another target to fall back on, and what
 * becomes of it. test/conformance/faults.test.ts plays every row through the real gateway.
 */

/** What a caller sees and what is on record. */
interface Outcome {
  readonly status: number;
  /** The code of an error, in its body or in its stream; null for an answer, and `provider` for the provider's own error. */
  readonly error: "upstream_error" | "upstream_timeout" | "provider" | null;
  readonly outcome: "ok" | "error" | "truncated";
  readonly attempts: number;
  /** Who is named as the provider: the one that fails, or the one that is well. */
  readonly by: "bad" | "good";
  /** What the last attempt is billed: nothing, what was reported, or what must be supposed. */
  readonly billed: "nothing" | "reported" | "supposed";
  /** Whether an attempt before it is billed as well. */
  readonly lost: boolean;
}

interface Row {
  readonly fault: string;
  /** The fake's scenario; null where nothing listens. */
  readonly scenario: string | null;
  readonly shape: "json" | "stream";
  readonly alone: Outcome;
  readonly withFallback: Outcome;
}

const by = (who: Outcome["by"], attempts: number, fields: Partial<Outcome> = {}): Outcome => ({
  status: 200,
  error: null,
  outcome: "ok",
  attempts,
  by: who,
  billed: "reported",
  lost: false,
  ...fields,
});
const rescued = by("good", 2);
const passed = (status: number) => by("bad", 1, { status, error: "provider", outcome: "error", billed: "nothing" });
const unreached = by("bad", 1, { status: 502, error: "upstream_error", outcome: "error", billed: "nothing" });
const late = by("bad", 1, { status: 504, error: "upstream_timeout", outcome: "error", billed: "supposed" });
const cutJson = by("bad", 1, { status: 502, error: "upstream_error", outcome: "truncated", billed: "supposed" });
const cutStream = by("bad", 1, { error: "upstream_error", outcome: "truncated", billed: "supposed" });
const asItCame = by("bad", 1, { billed: "supposed" });

const both = (fault: string, scenario: string | null, alone: Outcome, withFallback: Outcome): Row[] =>
  (["json", "stream"] as const).map((shape) => ({ fault, scenario, shape, alone, withFallback }));

export const FAULT_MATRIX: readonly Row[] = [
  ...both("429", "error-429", passed(429), rescued),
  ...both("429, quota used up", "error-quota", passed(429), rescued),
  ...both("401", "error-401", passed(401), rescued),
  ...both("500", "error-500", passed(500), rescued),
  ...both("529", "error-529", passed(529), rescued),
  ...both("400", "error-400", passed(400), passed(400)),
  ...both("422", "error-422", passed(422), passed(422)),
  ...both("connection refused", null, unreached, rescued),
  ...both("reset before the first byte", "hang-up", unreached, rescued),
  ...both("hang", "stall", late, { ...rescued, lost: true }),
  ...both("slow drip", "slow-50", by("bad", 1), by("bad", 1)),
  { fault: "reset after the first byte", scenario: "cut-json", shape: "json", alone: cutJson, withFallback: cutJson },
  { fault: "reset after the first byte", scenario: "cut-after-3", shape: "stream", alone: cutStream, withFallback: cutStream },
  { fault: "truncated JSON", scenario: "half-json", shape: "json", alone: asItCame, withFallback: asItCame },
  { fault: "malformed SSE", scenario: "garbage-sse", shape: "stream", alone: cutStream, withFallback: { ...rescued, lost: true } },
  {
    fault: "an error as the first event",
    scenario: "error-first",
    shape: "stream",
    alone: by("bad", 1, { error: "provider", outcome: "error", billed: "supposed" }),
    withFallback: rescued,
  },
  {
    fault: "an error in the middle of a stream",
    scenario: "error-mid",
    shape: "stream",
    alone: by("bad", 1, { error: "provider", outcome: "error", billed: "supposed" }),
    withFallback: by("bad", 1, { error: "provider", outcome: "error", billed: "supposed" }),
  },
];
