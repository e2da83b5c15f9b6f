import { asTollgateError, type TollgateError } from "#core";
import { restMsOf } from "#providers";
import { type Fault, faultOfStatus, FAULTS, type Perseverance } from "#routes";
import { type Answer, streams } from "./answer.ts";
import { attempt, concluded, type Failure, totalMsOf } from "./attempt.ts";
import { beginning } from "./beginning.ts";
import type { Course, Draft, Gateway } from "./contract.ts";
import { enforceElsewhere } from "./enforce.ts";
import { type Hold, underOwnCap } from "./hold.ts";
import { Journey, type Stop } from "./journey.ts";
import { type Lost, lostNano, type Past } from "./past.ts";
import { usedBeforeContent } from "./used.ts";

/** How long a stream's first word is waited for where nothing else is said: a model that thinks unseen must not keep its client without a sign. */
const PREAMBLE_MS = 10_000;

/** An answer that is the request's, and the hold of the target that gives it. */
export interface Dispatched {
  readonly answer: Answer;
  readonly hold: Hold;
}

/** How an attempt ended; `fault` is null where its answer, or its failure, is the request's. */
interface Met {
  readonly outcome: Answer | Failure;
  readonly fault: Fault | null;
  /** What it may have been billed for, though another attempt takes its place. */
  readonly lost: Lost | null;
}

/**
 * One request on its way through the targets of its route. It owns the hold until an answer takes it over: whatever ends the trip before
 * gives it back or books it. Until the first byte of content another target may take the place of one that failed, and never after.
 */
export class Trip implements AsyncDisposable {
  readonly #at: Gateway;
  readonly #journey: Journey;
  readonly #perseverance: Perseverance;
  readonly #endsAt: number;
  readonly #costMax: number | null;
  #hold: Hold;
  /** The draft that the hold stands for, as it was resolved. */
  #draft: Draft;
  #met: Met | null = null;
  #refusal: TollgateError | null = null;
  #firstSentAt: number | null = null;

  constructor(hold: Hold, course: Course, at: Gateway) {
    this.#hold = hold;
    this.#draft = hold.draft;
    this.#at = at;
    this.#perseverance = course.perseverance;
    this.#endsAt = at.now() + totalMsOf(hold.draft, at, course.perseverance.timeoutMs);
    this.#costMax = hold.draft.arrival.costMax;
    this.#journey = new Journey(hold.draft, course, at);
  }

  /**
   * Goes from target to target until one answers. The last outcome is the request's, whatever it is.
   * @throws TollgateError `upstream_error`, `upstream_timeout`; what refuses the request at every target.
   */
  async run(): Promise<Dispatched> {
    for (let stop = this.#journey.take(); stop !== null; stop = await this.#next()) {
      if (!(await this.#board(stop))) continue;
      this.#met = await this.#try(stop);
      if (this.#met.fault === null || FAULTS[this.#met.fault].next === "nowhere") break;
    }
    return this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hold[Symbol.asyncDispose]();
  }

  #end(): Dispatched {
    if (!this.#met) throw this.#refusal ?? new Error("a trip ended before it began");
    const { outcome } = this.#met;
    if ("error" in outcome) throw concluded(this.#hold, outcome, this.#at);
    return { answer: outcome, hold: this.#hold.move() };
  }

  async #next(): Promise<Stop | null> {
    const stop = this.#journey.take();
    if (stop) return stop;
    const waitMs = this.#journey.anew(this.#endsAt - this.#at.now(), Math.random());
    if (waitMs === null) return null;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return this.#draft.arrival.signal.aborted ? null : this.#journey.take();
  }

  /** Gets the request ready for a place: its money, its policies, its credential. False where it may not go there. */
  async #board({ draft, upstream, name }: Stop): Promise<boolean> {
    const past = this.#past();
    const before = this.#hold;
    // What was lost is held beside whatever this place may come to, also where policies have it grow.
    this.#hold = before.move(before.draft, before.granted.granted, past);
    try {
      const refusal = this.#met?.lost ? await this.#hold.extend(this.#hold.granted.granted) : null;
      if (refusal) throw refusal;
      const costMax = this.#costMax === null ? null : this.#costMax - lostNano(past);
      const arrival = { ...this.#hold.draft.arrival, costMax };
      if (draft !== this.#draft) {
        underOwnCap({ ...draft, arrival });
        const { policies, course } = this.#hold.draft;
        this.#hold = await enforceElsewhere(this.#hold, { ...draft, arrival, policies, course }, this.#at);
        this.#draft = draft;
      } else underOwnCap({ ...this.#hold.draft, arrival });
      this.#drop();
      this.#hold = this.#hold.move({ ...this.#hold.draft, arrival, upstream });
      return true;
    } catch (thrown) {
      this.#hold = this.#hold.move(before.draft, before.granted.granted, before.past);
      const refusal = asTollgateError(thrown);
      if (refusal.code === "internal") throw refusal;
      this.#refusal ??= refusal;
      this.#journey.exclude(draft);
      this.#at.health.left(name);
      return false;
    }
  }

  /** Lets go of an answer whose place another takes, so that its provider stops. */
  #drop(): void {
    const outcome = this.#met?.outcome;
    this.#met = null;
    if (!outcome || "error" in outcome) return;
    outcome.deadline.end();
    outcome.deadline.giveUp("fault");
    // A body that ends by being given up has nothing left to cancel.
    this.#at.background(outcome.response.body?.cancel().catch(() => undefined) ?? Promise.resolve());
  }

  #past(): Past {
    const { past } = this.#hold;
    if (!this.#met) return past;
    const { outcome, lost } = this.#met;
    const now = this.#at.now();
    const [status, endedAt] = "error" in outcome ? [null, outcome.ending.endedAt] : [outcome.response.status, now];
    return {
      attempts: [...past.attempts, { ...this.#hold.draft.target, status, ms: endedAt - outcome.sentAt }],
      lost: lost ? [...past.lost, lost] : past.lost,
      spentMs: now - (this.#firstSentAt ?? now),
    };
  }

  async #try(stop: Stop): Promise<Met> {
    const now = this.#at.now();
    this.#firstSentAt ??= now;
    const firstByteMs = this.#perseverance.firstByteTimeoutMs ?? this.#at.config.TOLLGATE_TIMEOUT_FIRST_BYTE_S * 1000;
    const tried = await attempt(this.#hold, { totalMs: Math.max(1, this.#endsAt - now), firstByteMs }, this.#at);
    const met = "error" in tried ? this.#failed(tried) : await this.#answered(tried);
    this.#learn(stop, met);
    return met;
  }

  /** A client that left, or whose own time is up, says nothing of the place: no caller may open a breaker for the others. */
  #failed(outcome: Failure): Met {
    const { error, billed, why } = outcome;
    if (billed === "unsent") return { outcome, fault: error.code === "invalid_request" ? "unusable" : null, lost: null };
    if (why !== null && why !== "first_byte") return { outcome, fault: null, lost: null };
    const lost = billed === "unknown" ? this.#hold.forfeited() : null;
    return { outcome, fault: why === null ? "unreachable" : "late", lost };
  }

  async #answered(outcome: Answer): Promise<Met> {
    const { response } = outcome;
    if (!response.ok) return { outcome, fault: faultOf(response, this.#perseverance), lost: null };
    if (!streams(response) || !response.body || !this.#journey.goesOn) return { outcome, fault: null, lost: null };
    return this.#begun(outcome, response.body);
  }

  /** A stream is the request's once it has said a word. */
  async #begun(answer: Answer, body: ReadableStream<Uint8Array>): Promise<Met> {
    const { firstByteTimeoutMs } = this.#perseverance;
    const patienceMs = firstByteTimeoutMs === null ? PREAMBLE_MS : firstByteTimeoutMs - (answer.begunAt - answer.sentAt);
    const { draft } = this.#hold;
    const { how, reported, stream } = await beginning(body, draft.ask.capability, Math.max(0, patienceMs));
    const { status, statusText, headers } = answer.response;
    const outcome = { ...answer, response: new Response(stream, { status, statusText, headers }) };
    const { why } = answer.deadline;
    const given = why !== null && why !== "first_byte";
    if (given || how === "content" || (how === "waited" && firstByteTimeoutMs === null)) return { outcome, fault: null, lost: null };
    if (how === "waited") return { outcome, fault: "late", lost: this.#hold.forfeited() };
    const used = usedBeforeContent(this.#hold, reported, this.#at.now() - answer.sentAt);
    return { outcome, fault: "in_band", lost: used && this.#hold.lost(used.usage, used.serviceTier) };
  }

  /** What the attempt tells of its place, and of where to go on. */
  #learn(stop: Stop, { outcome, fault }: Met): void {
    const { health, now } = this.#at;
    const { breaker } = this.#perseverance;
    const restMs = "error" in outcome ? null : restMsOf(outcome.response.headers, now());
    if (fault !== null) {
      this.#journey.failed(stop, fault, restMs);
      if (FAULTS[fault].counts) health.failed(stop.name, breaker, restMs);
      else health.left(stop.name);
    } else if ("error" in outcome || outcome.deadline.why !== null) health.left(stop.name);
    else {
      const stream = this.#hold.draft.ask.stream;
      health.succeeded(stop.name, breaker, { firstByteMs: outcome.begunAt - outcome.sentAt, stream });
    }
  }
}

/** A provider that says that trying again is no use has an account that is empty, not busy. */
function faultOf({ status, headers }: Response, { fallBackOn }: Perseverance): Fault | null {
  const fault = faultOfStatus(status, fallBackOn);
  return fault === "rate_limited" && headers.get("x-should-retry") === "false" ? "not_admitted" : fault;
}
