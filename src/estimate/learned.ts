/** Models that are remembered; the one that was heard of longest ago makes room. */
const MODELS_MAX = 512;
/** Smaller prompts say more of what stands around them than of the tokenizer. */
const TOKENS_MIN = 64;
/** A report further off than this is no tokenizer's doing. */
const RATIO_MAX = 4;
const FACTOR_MAX = 2;
const GAIN_MIN = 0.1;

interface Learned {
  readonly factor: number;
  readonly heard: number;
}

/**
 * How far the close estimate of each model is off, by what its provider reports. Kept by one isolate, bounded, and only ever applied to
 * the close estimate: whoever reports nonsense can move that by a factor of two at most, and nothing that a budget relies on.
 */
export class LearnedFactors {
  readonly #models = new Map<string, Learned>();

  /** By what to multiply a model's close estimate; 1 for one that nobody has reported on. */
  factor(model: string): number {
    return this.#models.get(model)?.factor ?? 1;
  }

  /** Takes a report beside the estimate that was made for it, factor and all. The first reports count more than the later. */
  learn(model: string, estimated: number, reported: number): void {
    if (estimated < TOKENS_MIN || reported < TOKENS_MIN) return;
    const ratio = reported / estimated;
    if (ratio > RATIO_MAX || ratio < 1 / RATIO_MAX) return;
    const { factor, heard } = this.#models.get(model) ?? { factor: 1, heard: 0 };
    const gain = Math.max(GAIN_MIN, 1 / (heard + 2));
    const next = Math.min(FACTOR_MAX, Math.max(1 / FACTOR_MAX, factor * ratio ** gain));
    this.#models.delete(model);
    this.#models.set(model, { factor: next, heard: heard + 1 });
    if (this.#models.size > MODELS_MAX) this.#models.delete(this.#models.keys().next().value!);
  }
}
