import type { Breaker } from "./contract.ts";

/** Whether calls go to a place: all, none, or one that tries whether it is well again. */
export type BreakerState = "closed" | "open" | "half_open";

/** Places that are remembered; the ones that were used longest ago make way. */
const PLACES_MAX = 1_024;
/** An attempt that tries a place out and is not heard of again holds its turn for so long. */
const PROBE_MS = 60_000;
/** What a place took to answer is believed for so long, and then tried anew. */
const LATENCY_MS = 60_000;
/** The share of a new figure in what is remembered. */
const NEWER = 0.2;
/** A provider may ask for no more rest than this. */
const REST_MS_MAX = 60_000;

/** What is remembered of a place. */
interface Seen {
  /** Calls and failures of the present half of the window, and of the one before it. */
  windowAt: number;
  calls: number;
  failures: number;
  callsBefore: number;
  failuresBefore: number;
  /** Milliseconds UTC; null while the breaker is closed. */
  openUntil: number | null;
  probeUntil: number;
  /** A provider that says when to come again is not called before. */
  restUntil: number;
  /** Milliseconds to the first byte, of whole answers and of streams: the one waits for the last word, the other does not. */
  readonly whole: Latency;
  readonly stream: Latency;
}

interface Latency {
  ms: number;
  at: number;
}

/**
 * How the places of this isolate do: a breaker for each, and how fast it answered lately. It lives in memory, since a shared one would
 * cost each request a trip; every isolate finds out for itself, within a few calls.
 */
export class Health {
  /** In the order of their last use. */
  readonly #places = new Map<string, Seen>();
  readonly #clock: () => number;
  readonly #placesMax: number;

  constructor(clock: () => number, placesMax = PLACES_MAX) {
    this.#clock = clock;
    this.#placesMax = placesMax;
  }

  /** How many places are remembered. */
  get size(): number {
    return this.#places.size;
  }

  /** Whether a call may go to a place now; asking changes nothing. */
  admits(place: string): boolean {
    const known = this.#places.get(place);
    if (!known) return true;
    const now = this.#clock();
    if (known.restUntil > now) return false;
    return known.openUntil === null || (known.openUntil <= now && known.probeUntil <= now);
  }

  /** A call goes to a place; where the breaker is half open it is the one that tries. */
  begin(place: string): void {
    const known = this.#touch(place);
    if (known.openUntil !== null) known.probeUntil = this.#clock() + PROBE_MS;
  }

  /** The place answered, its first byte after so many milliseconds. */
  succeeded(place: string, breaker: Breaker, { firstByteMs, stream }: { readonly firstByteMs: number; readonly stream: boolean }): void {
    const now = this.#clock();
    const known = this.#touch(place);
    const latency = stream ? known.stream : known.whole;
    const old = now - latency.at > LATENCY_MS;
    latency.ms = old ? firstByteMs : latency.ms + NEWER * (firstByteMs - latency.ms);
    latency.at = now;
    if (known.openUntil !== null && known.openUntil <= now) close(known, now);
    else count(known, { now, breaker, failed: false });
  }

  /** The place failed; `restMs` is how long it asks to be left alone, null where it does not. */
  failed(place: string, breaker: Breaker, restMs: number | null = null): void {
    const now = this.#clock();
    const known = this.#touch(place);
    if (restMs !== null) known.restUntil = Math.max(known.restUntil, now + Math.min(restMs, REST_MS_MAX));
    count(known, { now, breaker, failed: true });
    const trying = known.openUntil !== null && known.openUntil <= now;
    if (trying || (known.openUntil === null && tooMany(known, breaker))) {
      known.openUntil = now + breaker.openS * 1_000;
      known.probeUntil = 0;
    }
  }

  /** A call ended without saying anything of its place: its turn to try is free again. */
  left(place: string): void {
    const known = this.#places.get(place);
    if (known) known.probeUntil = 0;
  }

  /** Milliseconds to the first byte lately; null where nothing is known. */
  latency(place: string, stream: boolean): number | null {
    const known = this.#places.get(place)?.[stream ? "stream" : "whole"];
    return known && this.#clock() - known.at <= LATENCY_MS ? known.ms : null;
  }

  /** Where a place's breaker stands. */
  state(place: string): BreakerState {
    const until = this.#places.get(place)?.openUntil ?? null;
    if (until === null) return "closed";
    return until > this.#clock() ? "open" : "half_open";
  }

  /** Every place that is remembered. */
  places(): string[] {
    return [...this.#places.keys()];
  }

  #touch(place: string): Seen {
    const known = this.#places.get(place) ?? fresh(this.#clock());
    this.#places.delete(place);
    this.#places.set(place, known);
    for (const [oldest] of this.#places) {
      if (this.#places.size <= this.#placesMax) break;
      this.#places.delete(oldest);
    }
    return known;
  }
}

function fresh(now: number): Seen {
  const nothing = { calls: 0, failures: 0, callsBefore: 0, failuresBefore: 0 };
  return { windowAt: now, ...nothing, openUntil: null, probeUntil: 0, restUntil: 0, whole: never(), stream: never() };
}

function never(): Latency {
  return { ms: 0, at: -Infinity };
}

function close(known: Seen, now: number): void {
  const { whole, stream } = known;
  Object.assign(known, { ...fresh(now), whole, stream });
}

/** Counts by halves of the window, so that a place costs the same memory however often it is called. */
function count(known: Seen, { now, breaker, failed }: { readonly now: number; readonly breaker: Breaker; readonly failed: boolean }): void {
  const halfMs = breaker.windowS * 500;
  const halves = Math.floor((now - known.windowAt) / halfMs);
  if (halves > 0) {
    known.callsBefore = halves === 1 ? known.calls : 0;
    known.failuresBefore = halves === 1 ? known.failures : 0;
    known.calls = 0;
    known.failures = 0;
    known.windowAt += halves * halfMs;
  }
  known.calls++;
  if (failed) known.failures++;
}

function tooMany({ calls, failures, callsBefore, failuresBefore }: Seen, { callsMin, failurePercent }: Breaker): boolean {
  const all = calls + callsBefore;
  return all >= callsMin && (failures + failuresBefore) * 100 >= failurePercent * all;
}
