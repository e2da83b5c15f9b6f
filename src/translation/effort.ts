/** How hard a model may be asked to think. */
export const LEVELS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;
export type Level = (typeof LEVELS)[number];

/** How much the model thinks: in words, or in tokens as Anthropic's older models want it. */
export interface Effort {
  readonly level: Level | null;
  readonly budgetTokens: number | null;
  /** The caller wants to see the thoughts, or a summary of them; null where it does not say. */
  readonly shown: boolean | null;
}

const LOW_TOKENS_MAX = 4_096;
const MEDIUM_TOKENS_MAX = 16_384;

/** The effort as a level; where only a budget is told, the one that spends about as much. */
export function levelOf({ level, budgetTokens }: Effort): Level | null {
  if (level !== null || budgetTokens === null) return level;
  if (budgetTokens < LOW_TOKENS_MAX) return "low";
  return budgetTokens < MEDIUM_TOKENS_MAX ? "medium" : "high";
}
