import type { RequestEvent } from "#audit";
import type { Amount } from "#budget";
import { inputTokens, outputTokens } from "#core";
import type { Target } from "#models";
import type { Bill } from "./contract.ts";

/** One call to a provider, as callers and records are told of it; `status` is null where no answer came. */
export type Attempt = RequestEvent["invocation"]["attempts"][number];

/** What an attempt that came to nothing may have been billed for all the same. */
export interface Lost {
  readonly target: Target;
  readonly bill: Bill;
  readonly amount: Amount;
}

/** The attempts of a request before the one at hand. */
export interface Past {
  readonly attempts: readonly Attempt[];
  readonly lost: readonly Lost[];
  /** Milliseconds that they took, waits between them included. */
  readonly spentMs: number;
}

export const NO_PAST: Past = { attempts: [], lost: [], spentMs: 0 };

/** An amount and what was lost before it; a request counts once, however often it is tried. */
export function withLost(amount: Amount, { lost }: Pick<Past, "lost">): Amount {
  const tokens = lost.reduce((sum, each) => sum + each.amount.tokens, amount.tokens);
  return { nano: amount.nano + lostNano({ lost }), tokens, requests: amount.requests };
}

/** Tokens of a usage and of what was lost before it, for the key's totals. */
export function tokensWithLost(usage: Bill["receipt"]["usage"], { lost }: Pick<Past, "lost">) {
  const all = [usage, ...lost.map(({ bill }) => bill.receipt.usage)];
  const sum = (of: (each: typeof usage) => number) => all.reduce((total, each) => total + of(each), 0);
  return { input: sum(inputTokens), output: sum(outputTokens) };
}

/** Nano-USD that attempts before may have cost. */
export function lostNano({ lost }: Pick<Past, "lost">): number {
  return lost.reduce((sum, { amount }) => sum + amount.nano, 0);
}
