/**
 * Work of the one thread, in turns: what it yields is the fuel that the turn behind it burnt. Whoever drives it decides what happens
 * between two turns; the work holds nothing of the machine meanwhile.
 */
export type Turns<Result> = Generator<number, Result, void>;

/** Does work to its end without a rest. */
export function atOnce<Result>(work: Turns<Result>): Result {
  for (;;) {
    const turn = work.next();
    if (turn.done) return turn.value;
  }
}

/** The same work, with what it burns told to somebody who counts. */
export function* counted<Result>(work: Turns<Result>, count: (fuel: number) => void): Turns<Result> {
  for (;;) {
    const turn = work.next();
    if (turn.done) return turn.value;
    count(turn.value);
    yield turn.value;
  }
}

/** Fuel from which on a piece of work has had its share: some two milliseconds. Plain decisions burn a hundredth of it. */
const SHARE_FUEL = 500_000;
/** Fuel that burns in a millisecond; counted, since clocks may stand still while code runs. */
const MS_FUEL = 250_000;

/**
 * Shares the thread out. Work that burns little is done at once; after a turn that is dear, whatever else the thread has to do comes
 * first, for as long as that turn took: what takes many steps gets through them all, and does not wait for a turn at each. Of many pieces of
 * dear work at once, one has a turn between two rests, in the order in which they came: who needs one of the same engine waits for those before it.
 */
export class Rota {
  #dear = 0;
  #rested = 0;
  #restMs = 0;

  /** Does work to its end, with rests. */
  async share<Result>(work: Turns<Result>): Promise<Result> {
    for (let burnt = 0; ;) {
      if (this.#rested < this.#dear) await this.#rest();
      const turn = work.next();
      if (turn.done) return turn.value;
      burnt += turn.value;
      if (burnt < SHARE_FUEL) continue;
      this.#restMs = burnt / MS_FUEL;
      this.#dear++;
      burnt = 0;
    }
  }

  /** Each waits by a timer of its own: one that is cancelled with its request keeps nobody else waiting. */
  async #rest(): Promise<void> {
    while (this.#rested < this.#dear) {
      const upTo = this.#dear;
      await new Promise((resolve) => setTimeout(resolve, this.#restMs));
      this.#rested = Math.max(this.#rested, upTo);
    }
  }
}
