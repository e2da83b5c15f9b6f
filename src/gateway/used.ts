import { inputTokens, NO_USAGE, outputTokens, type Usage } from "#core";
import { closeTokens } from "#models";
import type { Reported } from "#wire";
import type { Draft } from "./contract.ts";

/** What a request used, and whether the provider said so or it was estimated here. */
export interface Used {
  readonly usage: Usage;
  readonly serviceTier: string | null;
  readonly status: "actual" | "estimated";
}

/**
 * Reads an answer's report. The provider's word holds while it is possible: more input than the request has bytes, more output
 * than was allowed, or no output beside text that was seen, is bounded by our own count and called an estimate.
 */
export function used(draft: Draft, reported: Reported): Used {
  const { serviceTier } = reported;
  if (draft.ask.capability === "count_tokens") return { usage: NO_USAGE, serviceTier, status: "actual" };
  const own = ownCount(draft, reported);
  if (!reported.usage) return { usage: own, serviceTier, status: "estimated" };
  const complete = reported.complete ? reported.usage : { ...reported.usage, output: Math.max(reported.usage.output, own.output) };
  const usage = possible(draft, complete, own);
  return { usage, serviceTier, status: reported.complete && usage === reported.usage ? "actual" : "estimated" };
}

function ownCount({ ask }: Draft, { outputTokens }: Reported): Usage {
  return { ...NO_USAGE, input: Math.min(ask.promptBytes, closeTokens(ask.promptBytes)), output: outputTokens };
}

function possible({ bounds }: Draft, usage: Usage, own: Usage): Usage {
  const tooMuch = inputTokens(usage) > bounds.inputMax || outputTokens(usage) > bounds.outputMax;
  const tooLittle = outputTokens(usage) === 0 && own.output > 0;
  if (!tooMuch && !tooLittle) return usage;
  const input = inputTokens(usage) > bounds.inputMax ? own : usage;
  const output = tooLittle ? own.output : Math.min(usage.output, bounds.outputMax);
  return { ...input, output, reasoning: Math.min(usage.reasoning, output), audioOutput: usage.audioOutput };
}
