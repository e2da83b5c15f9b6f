import type { LedgerRemote, LedgerStub } from "./stub.ts";
import { type Background, Till } from "./till.ts";

/** Beyond so many, those with nothing to tell are let go of. */
const TEAMS_MAX = 1_000;

/** The tills of this isolate, by team. */
export class Tills {
  readonly #remote: (team: string) => LedgerRemote;
  readonly #clock: () => number;
  readonly #tills = new Map<string, Till>();

  constructor(remote: (team: string) => LedgerRemote, clock: () => number) {
    this.#remote = remote;
    this.#clock = clock;
  }

  /** A team's ledger as one request may use it. */
  ledger(team: string, background: Background | null = null): LedgerStub {
    return this.#of(team).ledger(background);
  }

  #of(team: string): Till {
    const known = this.#tills.get(team);
    if (known) return known;
    if (this.#tills.size >= TEAMS_MAX) for (const [name, till] of this.#tills) if (till.idle) this.#tills.delete(name);
    const till = new Till(this.#remote(team), this.#clock);
    this.#tills.set(team, till);
    return till;
  }
}
