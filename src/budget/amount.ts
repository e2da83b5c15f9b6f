import type { Amount } from "./contract.ts";

/** The amount of nothing at all. */
export const NOTHING: Amount = { nano: 0, tokens: 0, requests: 0 };

/** Both amounts together. */
export function plus(one: Amount, other: Amount): Amount {
  return { nano: one.nano + other.nano, tokens: one.tokens + other.tokens, requests: one.requests + other.requests };
}

/** What is left of an amount without another; below zero where the other is larger. */
export function minus(one: Amount, other: Amount): Amount {
  return { nano: one.nano - other.nano, tokens: one.tokens - other.tokens, requests: one.requests - other.requests };
}

/** An amount so many times. */
export function times({ nano, tokens, requests }: Amount, factor: number): Amount {
  return { nano: factor * nano, tokens: factor * tokens, requests: factor * requests };
}

/** The larger of two amounts, unit by unit. */
export function larger(one: Amount, other: Amount): Amount {
  return {
    nano: Math.max(one.nano, other.nano),
    tokens: Math.max(one.tokens, other.tokens),
    requests: Math.max(one.requests, other.requests),
  };
}

/** The smaller of two amounts, unit by unit. */
export function lesser(one: Amount, other: Amount): Amount {
  return {
    nano: Math.min(one.nano, other.nano),
    tokens: Math.min(one.tokens, other.tokens),
    requests: Math.min(one.requests, other.requests),
  };
}

/** Whether an amount holds another in every unit. */
export function covers(whole: Amount, part: Amount): boolean {
  return whole.nano >= part.nano && whole.tokens >= part.tokens && whole.requests >= part.requests;
}
