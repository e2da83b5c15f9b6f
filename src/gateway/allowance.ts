import { inputTokens, nanoCeil, NO_USAGE, outputTokens, TollgateError, type Usage } from "#core";
import type { Amount } from "#budget";
import type { Reported } from "#wire";
import type { Hold } from "./hold.ts";
import { used } from "./used.ts";

/** Output tokens that a stream is paid ahead, so that the next look comes before they are spent. */
const AHEAD_TOKENS = 512;

/** What a stream may still cost: extends the hold while it runs, and says when it must stop. */
export class Allowance {
  readonly #hold: Hold;
  #granted: Amount;
  #refusal: TollgateError | null = null;

  constructor(hold: Hold) {
    this.#hold = hold;
    this.#granted = hold.granted.granted;
  }

  /** Why the stream had to stop; null while it need not. */
  get refusal(): TollgateError | null {
    return this.#refusal;
  }

  /** Whether what has been used so far, and a little more, is paid for. */
  async covers(reported: Reported): Promise<boolean> {
    if (this.#hold.unbound) return true;
    const { usage } = used(this.#hold.draft, reported);
    const ahead = this.#hold.granted.bound ? 0 : AHEAD_TOKENS;
    if (within(this.#amountOf(usage, ahead), this.#granted)) return true;
    const wanted = this.#amountOf(usage, 2 * AHEAD_TOKENS);
    const { costMax } = this.#hold.draft.arrival;
    if (costMax !== null && wanted.nano > costMax) {
      this.#refusal = new TollgateError("budget_exceeded", "The answer came to what x-tollgate-max-cost allows", {
        param: "x-tollgate-max-cost",
      });
      return within(this.#amountOf(usage, 0), this.#granted);
    }
    this.#refusal = await this.#hold.extend(wanted);
    if (this.#refusal) return within(this.#amountOf(usage, 0), this.#granted);
    this.#granted = wanted;
    return true;
  }

  #amountOf(usage: Usage, ahead: number): Amount {
    const grown = { ...NO_USAGE, ...usage, output: usage.output + ahead };
    return { nano: nanoCeil(this.#hold.price(grown, null).total), tokens: inputTokens(grown) + outputTokens(grown), requests: 1 };
  }
}

function within(amount: Amount, granted: Amount): boolean {
  return amount.nano <= granted.nano && amount.tokens <= granted.tokens;
}
