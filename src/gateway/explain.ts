import { AUTO, type Decision } from "#auto";
import type { TollgateError } from "#core";
import type { Target } from "#models";
import type { Ask } from "#wire";
import { consider } from "./auto.ts";
import type { Arrival, Gateway } from "./contract.ts";
import { resolve } from "./resolve.ts";

/** Where a request would go, were it sent now, and why. */
export interface Explanation {
  readonly requested: string;
  /** Whether the choice was the gateway's. */
  readonly auto: boolean;
  readonly decision: Decision;
  /** What answers; null where nothing can. */
  readonly target: Target | null;
  readonly refusal: TollgateError | null;
}

/**
 * Says where a request would go, by the same judgement that sends it there. Nothing is reserved, sent or recorded; pace and policies,
 * which are asked later, are not foreseen.
 * @throws TollgateError what is wrong with the request itself, as for a real one.
 */
export async function explain(ask: Ask, arrival: Arrival, at: Gateway): Promise<Explanation> {
  const { caller } = arrival;
  const choosing = { caller, arrival, at, named: (asked: Ask) => resolve(asked, caller, arrival, at) };
  const { decision, draft, refusal } = await consider(ask, choosing, { all: true });
  return { requested: ask.model, auto: ask.model === AUTO, decision, target: draft?.target ?? null, refusal };
}
