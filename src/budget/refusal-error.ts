import { TollgateError, usdFromNano } from "#core";
import type { Refusal } from "./contract.ts";

type Exceeded = Extract<Refusal, { kind: "budget_exceeded" }>;
type Limited = Extract<Refusal, { kind: "rate_limited" }>;

const PACE_NAMES = { rpm: "requests per minute", tpm: "tokens per minute", concurrency: "requests in flight" } as const;

/** The public face of a ledger's refusal. */
export function refusalError(refusal: Refusal): TollgateError {
  switch (refusal.kind) {
    case "budget_exceeded":
      return budgetError(refusal);
    case "rate_limited":
      return paceError(refusal);
    case "lease_ended":
      return leaseError(refusal.lease, "has ended: no more calls of it are admitted");
    case "inactive":
      return new TollgateError("invalid_api_key", "The API key is not valid", { reason: "inactive at admission" });
    case "mismatch":
      return new TollgateError("idempotency_mismatch", "This request id was used with another body");
    case "stale":
      return new TollgateError("overloaded", "The key is being changed; try again", { retryAfterMs: 250, reason: "facts stale twice" });
  }
}

function leaseError(task: string, says: string, amounts: Readonly<Record<string, string>> = {}): TollgateError {
  return new TollgateError("budget_exceeded", `The task ${task} ${says}`, { details: { scope: { kind: "task", id: task }, ...amounts } });
}

/** A task has a cap of its own, which no budget's window sets back. */
function capError({ limit, spent, reserved, requested, scope }: Exceeded): TollgateError {
  const [cap, ...used] = [limit, spent, reserved, requested].map(usdFromNano) as [string, string, string, string];
  const says = `may spend ${cap} USD in all: ${used[0]} are spent and ${used[1]} held by its other calls; this one needs ${used[2]}`;
  return leaseError(scope.id, says, { unit: "usd", limit: cap, spent: used[0], reserved: used[1], requested: used[2] });
}

function budgetError(refusal: Exceeded): TollgateError {
  if (refusal.scope.kind === "task") return capError(refusal);
  const show = refusal.unit === "usd" ? usdFromNano : String;
  const { kind, id } = refusal.scope;
  const details = {
    scope: kind === "deployment" ? { kind } : { kind, id },
    budget: refusal.budget,
    window: refusal.window,
    unit: refusal.unit,
    limit: show(refusal.limit),
    spent: show(refusal.spent),
    reserved: show(refusal.reserved),
    requested: show(refusal.requested),
    window_start: refusal.windowStart === null ? null : new Date(refusal.windowStart).toISOString(),
    resets_at: refusal.resetsAt === null ? null : new Date(refusal.resetsAt).toISOString(),
  };
  const unit = refusal.unit === "usd" ? " USD" : ` ${refusal.unit}`;
  const whose = `The ${refusal.window} budget of ${kind === "deployment" ? "the deployment" : `${kind} ${id}`}`;
  const stands = `${details.spent}${unit} spent and ${details.reserved} reserved of ${details.limit}`;
  const resets = details.resets_at === null ? "" : `; it resets at ${details.resets_at}`;
  const message = `${whose} has too little left: ${stands}; this request needs ${details.requested}${resets}`;
  return new TollgateError("budget_exceeded", message, { details });
}

function paceError(refusal: Limited): TollgateError {
  return new TollgateError("rate_limited", `Over the limit of ${refusal.max} ${PACE_NAMES[refusal.limit]}`, {
    retryAfterMs: Math.min(refusal.retryAfterMs, 60_000),
    details: { limit: refusal.limit, scope: { kind: "key" }, max: refusal.max, used: refusal.used },
  });
}
