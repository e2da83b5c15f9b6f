import { foresee, refusalError } from "#budget";
import { type Nano, TollgateError } from "#core";
import type { Cost, TokenCounts } from "#estimate";
import { LIKELY_OUTPUT_TOKENS, receipt, type Target } from "#models";
import type { Ask } from "#wire";
import type { Arrival, Draft, Gateway } from "./contract.ts";
import { wanted } from "./hold.ts";
import { modelCall } from "./draft.ts";
import { resolve } from "./resolve.ts";
import { goesOn, resume } from "./resume.ts";
import { mostOf } from "./surface.ts";
import { standing } from "./standing.ts";

/** What a request would cost and whether it would be let in, were it sent now. */
export interface Quote {
  readonly target: Target;
  readonly input: TokenCounts;
  /** Of all its choices. */
  readonly outputMax: number;
  /** What the ledger would hold for it; what it would need at the least, where it would be refused. */
  readonly reserved: Nano;
  readonly expected: Cost;
  readonly priceState: "priced" | "free" | "unknown";
  /** What the caller would be told by its budgets and pace; null where they would let it in. Policies are not asked. */
  readonly refusal: TollgateError | null;
}

/**
 * Prices a request that is not sent. Goes the way of a real one up to the ledger, which is asked where it stands and holds nothing; no
 * record is left.
 * @throws TollgateError what is wrong with the request itself, as for a real one.
 */
export async function quote(ask: Ask, arrival: Arrival, at: Gateway): Promise<Quote> {
  const draft = await resolve(goesOn(ask) ? await resume(ask, arrival, at) : ask, arrival.caller, arrival, at);
  const { reserved, refusal } = await foreseen(draft, at);
  const { target, bounds, price, input } = draft;
  return {
    target,
    input: { ...input, strict: bounds.inputMax },
    outputMax: bounds.outputMax,
    reserved,
    expected: expectedCost(draft, at),
    priceState: price.state,
    refusal,
  };
}

function expectedCost({ ask, target, input, bounds, price, tableHash }: Draft, { estimators }: Gateway): Cost {
  if (ask.extent) return receipt(price, mostOf(ask, price), null, tableHash);
  return estimators.estimate(modelCall({ ask, target }), {
    tokens: input,
    outputTokens: Math.min(bounds.outputMax, LIKELY_OUTPUT_TOKENS * ask.choices),
    charge: (usage) => receipt(price, usage, ask.serviceTier, tableHash),
  });
}

async function foreseen(draft: Draft, at: Gateway): Promise<Pick<Quote, "reserved" | "refusal">> {
  const admission = { ...wanted(draft), stream: draft.ask.stream };
  const status = await standing(draft, at);
  if (!status) throw new TollgateError("invalid_api_key", "The API key is not valid", { reason: "unknown to its ledger" });
  const verdict = foresee(status, admission, at.now());
  if (!("kind" in verdict)) return { reserved: verdict.amount.nano, refusal: null };
  return { reserved: admission.floor.nano, refusal: refusalError(verdict) };
}
