import type { Upstream } from "#providers";
import { type Fault, FAULTS, type Health, type Perseverance, spread } from "#routes";
import type { Course, Draft } from "./contract.ts";
import { accountsOf, placeName } from "./course.ts";

/** One request is no reason for more calls than this, whatever its route allows. */
const ATTEMPTS_MAX = 64;

/** A draft through one credential of its upstream. */
export interface Stop {
  readonly draft: Draft;
  readonly upstream: Upstream;
  /** What its health is known by. */
  readonly name: string;
}

/** A wait before the next round, in milliseconds: twice as long each time, the half of it by chance, so that clients that failed together do not come together. */
export function backoffMs(base: number, round: number, chance: number): number {
  return base * 2 ** round * (0.5 + chance / 2);
}

/**
 * Where a request goes next. Each round goes through the places whose breakers let it, in order; the places that may yet answer are gone
 * through again, after a wait, as often as the route retries.
 */
export class Journey {
  readonly #health: Health;
  readonly #clock: () => number;
  readonly #perseverance: Perseverance;
  #round: readonly Stop[];
  #again: { readonly stop: Stop; readonly notBefore: number }[] = [];
  #rounds = 0;
  #taken = 0;

  constructor(draft: Draft, { rest, perseverance }: Course, { health, now }: { readonly health: Health; readonly now: () => number }) {
    this.#health = health;
    this.#clock = now;
    this.#perseverance = perseverance;
    this.#round = [draft, ...rest].flatMap(stopsOf);
  }

  /** Whether anything is left to go on to from the place at hand. */
  get goesOn(): boolean {
    return this.#taken < ATTEMPTS_MAX && (this.#round.length > 0 || this.#rounds < this.#perseverance.retries);
  }

  /** The next place of this round; null where there is none. Where no breaker lets a request go anywhere, the first place is asked all the same. */
  take(): Stop | null {
    const at = this.#round.findIndex(({ name }) => this.#health.admits(name));
    const stop = this.#round[at] ?? (this.#taken > 0 ? undefined : this.#round[0]);
    if (!stop || this.#taken >= ATTEMPTS_MAX) return null;
    this.#taken++;
    this.#round = this.#round.filter((each) => each !== stop);
    this.#health.begin(stop.name);
    return stop;
  }

  /** Takes down that a place failed, and how long it asks to be left alone. */
  failed(stop: Stop, fault: Fault, restMs: number | null): void {
    const { next, again } = FAULTS[fault];
    if (again) this.#again.push({ stop, notBefore: this.#clock() + (restMs ?? 0) });
    if (next === "target") this.leave(stop.draft);
  }

  /** A target that the request may not go to: none of its credentials is tried, now or later. */
  exclude(draft: Draft): void {
    this.leave(draft);
    this.#again = this.#again.filter(({ stop }) => stop.draft !== draft);
  }

  /** Goes on to the next target of this round. */
  leave(draft: Draft): void {
    this.#round = this.#round.filter((each) => each.draft !== draft);
  }

  /** Begins another round, and says how long to wait before; null where none is left, or the time for it. */
  anew(leftMs: number, chance: number): number | null {
    const { retries, backoffMs: base } = this.#perseverance;
    if (this.#rounds >= retries || this.#again.length === 0 || this.#taken >= ATTEMPTS_MAX) return null;
    const soonest = Math.min(...this.#again.map(({ notBefore }) => notBefore)) - this.#clock();
    const waitMs = Math.max(backoffMs(base, this.#rounds, chance), soonest);
    if (waitMs >= leftMs) return null;
    this.#round = this.#again.map(({ stop }) => stop);
    this.#again = [];
    this.#rounds++;
    return waitMs;
  }
}

/** A caller stays with one credential of a provider, whose prompt cache is warm for it; callers spread over all. */
function stopsOf(draft: Draft): Stop[] {
  const { arrival, caller, target, upstream } = draft;
  const accounts = spread(accountsOf(upstream), arrival.session ?? caller.key, ({ account }) => account ?? "");
  return accounts.map((account) => ({ draft, upstream: account, name: placeName(target, account) }));
}
