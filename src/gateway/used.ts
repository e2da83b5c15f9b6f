import { inputTokens, isSurface, NO_USAGE, outputTokens, type Usage } from "#core";
import type { Reported } from "#wire";
import type { Draft, Gateway } from "./contract.ts";
import type { Hold } from "./hold.ts";
import { modelCall } from "./draft.ts";
import { surfaceUsed } from "./surface.ts";

/** What a request used, and whether the provider said so or it was estimated here. */
export interface Used {
  readonly usage: Usage;
  readonly serviceTier: string | null;
  readonly status: "actual" | "estimated";
  /** Output tokens by our own count, where it can be held against the provider's; null elsewhere. */
  readonly ownOutput: number | null;
}

/** Beyond twice what could be expected, and what vendors add unseen, a count is taken for a fault. */
const SLACK_TOKENS = 8_192;

/** Our own count is a rough one, and of a short answer too rough to say anything. */
const COMPARED_TOKENS_MIN = 200;

/** The fastest providers publish less. */
const FASTEST_TOKENS_PER_S = 3_000;
/** A model that has shown nothing for longer is taken to think, unseen. */
const FIRST_TOKEN_MS = 2_000;

/**
 * Reads an answer's report. The provider's word holds while it is credible, even past a cap that it ignored: that is what it will
 * bill. A count that is absurd, or nought beside what was sent or seen, is bounded by our own and called an estimate.
 */
export function used(draft: Draft, reported: Reported): Used {
  const { serviceTier } = reported;
  const unbilled = draft.recall.original !== null || draft.ask.capability === "count_tokens" || reported.unbilled;
  if (unbilled) return { usage: NO_USAGE, serviceTier, status: "actual", ownOutput: null };
  if (isSurface(draft.ask.capability)) return { ...surfaceUsed(draft, reported), serviceTier, ownOutput: null };
  const own = ownCount(draft, reported);
  if (!reported.usage) return { usage: own, serviceTier, status: "estimated", ownOutput: null };
  const complete = reported.complete ? reported.usage : { ...reported.usage, output: Math.max(reported.usage.output, own.output) };
  const usage = possible(draft, complete, own);
  const status = reported.complete && usage === reported.usage ? "actual" : "estimated";
  return { usage, serviceTier, status, ownOutput: status === "actual" ? comparable(usage, own) : null };
}

/** What was thought or said aloud shows in no text, so that only answers of text alone can be compared. */
function comparable({ output, reasoning, audioOutput }: Usage, own: Usage): number | null {
  return reasoning + audioOutput === 0 && Math.max(output, own.output) >= COMPARED_TOKENS_MIN ? own.output : null;
}

/** Lets the estimators learn from what a provider says of a prompt. */
export function learn(draft: Draft, usage: Usage, { estimators }: Pick<Gateway, "estimators">): void {
  estimators.learn(modelCall(draft), draft.input, inputTokens(usage));
}

function ownCount({ input }: Draft, { outputTokens }: Reported): Usage {
  return { ...NO_USAGE, input: input.close, output: outputTokens };
}

function possible({ bounds }: Draft, usage: Usage, own: Usage): Usage {
  const doubtfulInput = inputTokens(usage) > 2 * bounds.inputMax + SLACK_TOKENS || (inputTokens(usage) === 0 && own.input > 0);
  const absurdOutput = outputTokens(usage) > 2 * bounds.outputMax + SLACK_TOKENS;
  const silent = outputTokens(usage) === 0 && own.output > 0;
  if (!doubtfulInput && !absurdOutput && !silent) return usage;
  const { output, reasoning, audioOutput } =
    absurdOutput || silent ? { ...own, output: Math.max(own.output, absurdOutput ? bounds.outputMax : 0) } : usage;
  return { ...(doubtfulInput ? own : usage), output, reasoning, audioOutput };
}

/**
 * What a stream that ended before it told may have used under a strict budget, which must not be passed by what nobody saw: a
 * prompt that cannot be counted is taken at its bound, and a silence of over two seconds as thought, as fast as any provider
 * thinks, up to `outputMax` tokens.
 */
function usedUnseen(draft: Draft, reported: Reported, { ranMs, outputMax }: { ranMs: number; outputMax: number }): Used {
  const seen = used(draft, reported);
  if (reported.complete || isSurface(draft.ask.capability)) return seen;
  const thought = reported.outputTokens === 0 && ranMs > FIRST_TOKEN_MS ? Math.ceil((ranMs * FASTEST_TOKENS_PER_S) / 1000) : 0;
  const output = Math.max(seen.usage.output, Math.min(outputMax, thought));
  const input = reported.usage === null && draft.ask.uncountable ? draft.bounds.inputMax : seen.usage.input;
  return { ...seen, usage: { ...seen.usage, input, output } };
}

/** What a stream used: seen, or under a strict budget taken at the worst where it broke off. */
export function usedByStream({ draft, granted, cap }: Hold, reported: Reported, ranMs: number): Used {
  return granted.bound ? usedUnseen(draft, reported, { ranMs, outputMax: cap ?? draft.bounds.outputMax }) : used(draft, reported);
}

/** The same of one that said no word; null where its provider reported an error and no usage, which nobody bills. */
export function usedBeforeContent(hold: Hold, reported: Reported, ranMs: number): Used | null {
  return reported.failed && reported.usage === null ? null : usedByStream(hold, reported, ranMs);
}
