import { larger, NOTHING, plus, times } from "./amount.ts";
import type { Amount, Asked, Granted, Paid, Refusal, Wish } from "./contract.ts";
import { FLOAT_MS } from "./floats.ts";
import { InHand } from "./in-hand.ts";
import { Reporter } from "./reporter.ts";
import { sleep } from "./sleep.ts";
import type { LedgerRemote, LedgerStub } from "./stub.ts";

/** A float is asked for at the size of what was admitted since the last one was, and some more. */
const WANTED_REQUESTS_MIN = 32;
const ASK_MS = 100;
/** It is asked for twice as many requests at once as there are, and some more. */
const WANTED_SLOTS_MORE = 4;
const PATIENCE_STEP_MS = 200;
/** How long a refusal waits for what is only out in floats: until the last of them, even a dead isolate's, is back. */
const PATIENCE_MS = FLOAT_MS + PATIENCE_STEP_MS;

/** What this isolate knows of one key's requests. */
interface KeyTill {
  inHand: InHand | null;
  askedAt: number;
  /** What was admitted since a float was last asked for. */
  since: Amount;
  /** How many requests go on. */
  running: number;
}

/** A request that goes on, and the float whose place it takes; null where the ledger admitted it. */
interface Running {
  readonly till: KeyTill;
  readonly inHand: InHand | null;
}

/** Keeps the isolate alive for work that outlasts the answer. */
export type Background = (work: Promise<unknown>) => void;

/** Beyond so many, half of them are let go of. */
const KEYS_MAX = 10_000;

/**
 * The till of one team in one isolate. It admits from floats, without a trip, what it may; everything else it asks the ledger. It
 * holds plain values only: no request waits for another's promise, each makes its own calls.
 */
export class Till {
  readonly #remote: LedgerRemote;
  readonly #reporter: Reporter;
  readonly #clock: () => number;
  readonly #keys = new Map<string, KeyTill>();
  readonly #running = new Map<string, Running>();

  constructor(remote: LedgerRemote, clock: () => number) {
    this.#remote = remote;
    this.#reporter = new Reporter(remote, clock);
    this.#clock = clock;
  }

  /** Whether everything that happened here is told. */
  get idle(): boolean {
    return this.#reporter.idle;
  }

  /**
   * The team's ledger as one request may use it. Where nothing may outlast its answer, `background` is null, and nothing is admitted
   * from memory. What is read knows of all that was settled here.
   */
  ledger(background: Background | null): LedgerStub {
    return {
      reserve: (asked) => this.#reserve(asked, background),
      extend: (key, id, to) => this.#extend(key, id, to),
      settle: (paid) => this.#settle(paid),
      release: (id) => this.#release(id),
      lease: (asked) => this.#patiently(asked.key, () => this.#remote.lease(asked)),
      endLeases: (ids) => this.#remote.endLeases(ids),
      leases: async (ids) => {
        await this.#reporter.send();
        return this.#remote.leases(ids);
      },
      keyStatus: async (key, lease) => {
        await this.#reporter.send();
        return this.#remote.keyStatus(key, lease);
      },
      budgetStatus: async (budgets) => {
        await this.#reporter.send();
        return this.#remote.budgetStatus(budgets);
      },
      refresh: () => this.#remote.refresh(),
    };
  }

  async #reserve(asked: Asked, background: Background | null): Promise<Granted | Refusal> {
    const own = background && this.#admit(asked);
    if (own) {
      if (!this.#reporter.flushing) background(this.#reporter.flush());
      return own;
    }
    return this.#patiently(asked.key, () => this.#ask(asked, background !== null));
  }

  /** Admits from the float in hand; null where there is none, or not enough in it. */
  #admit(asked: Asked): Granted | null {
    if (!mayFloat(asked)) return null;
    const inHand = this.#keys.get(asked.key)?.inHand;
    const admitted = inHand?.admit(asked, this.#clock());
    if (!admitted) return null;
    this.#reporter.began(admitted.floated, asked.event);
    this.#begin(asked, inHand!);
    return admitted.granted;
  }

  /** Asks the ledger, and for a float beside, where one may be used. */
  async #ask(asked: Asked, floats: boolean): Promise<Granted | Refusal> {
    const askedAt = this.#clock();
    const float = floats && mayFloat(asked) ? this.#wish(asked, askedAt) : null;
    const admission = { ...asked, event: asked.event(), ...(float && { float }) };
    const answer = await this.#reporter.along((report) => this.#remote.reserve(admission, report));
    if (answer.kind !== "granted") return answer;
    this.#begin(asked, null);
    if (answer.float) this.#take(asked, answer, askedAt);
    return answer;
  }

  /** The float that is worth asking for; null where one was asked for just now. What is in hand goes back, for the next to be lent. */
  #wish({ id, key, likely }: Asked, now: number): Wish | null {
    const till = this.#tillOf(key);
    if (now - till.askedAt < ASK_MS) return null;
    const wanted = larger(times(likely, WANTED_REQUESTS_MIN), times(till.since, 2));
    till.askedAt = now;
    till.since = NOTHING;
    this.#putBack(till);
    return { id: `flt_${id}`, wanted, slots: 2 * till.running + WANTED_SLOTS_MORE };
  }

  #take({ key, epoch }: Asked, granted: Granted, askedAt: number): void {
    const till = this.#tillOf(key);
    this.#putBack(till);
    till.inHand = new InHand(granted.float!, { granted, epoch, askedAt });
  }

  /** Gives up the float in hand, with the next report. */
  #putBack(till: KeyTill): void {
    const rest = till.inHand?.rest();
    if (rest) this.#reporter.returned(rest);
    till.inHand = null;
  }

  #begin({ id, key, likely }: Asked, inHand: InHand | null): void {
    const till = this.#tillOf(key);
    till.since = plus(till.since, likely);
    till.running++;
    this.#running.set(id, { till, inHand });
  }

  /** A request is over: says which float it came from that is still in hand. */
  #end(id: string): InHand | null {
    const running = this.#running.get(id);
    if (!running) return null;
    this.#running.delete(id);
    running.till.running--;
    return running.inHand === running.till.inHand ? running.inHand : null;
  }

  /** Asks again while what is missing lies in floats, all of this isolate's own given back first. */
  async #patiently<Answer extends object>(key: string, ask: () => Promise<Answer | Refusal>): Promise<Answer | Refusal> {
    const from = this.#clock();
    for (;;) {
      const answer = await ask();
      if (!("floating" in answer) || answer.floating === 0 || this.#clock() - from >= PATIENCE_MS) return answer;
      const lent = this.#lentOf(answer, key);
      for (const till of lent) this.#putBack(till);
      await (lent.length > 0 ? this.#reporter.send() : sleep(PATIENCE_STEP_MS));
    }
  }

  /** The keys with a float of that which a request was refused for: a budget, or its key's own pace. */
  #lentOf(refusal: Refusal, key: string): KeyTill[] {
    if (refusal.kind === "budget_exceeded") {
      return [...this.#keys.values()].filter(({ inHand }) => inHand?.float.legs.some(({ budget }) => budget === refusal.budget));
    }
    const till = this.#keys.get(key);
    return till?.inHand ? [till] : [];
  }

  async #extend(key: string, id: string, to: Amount): Promise<Granted | Refusal> {
    await this.#reporter.tellBeginning(id);
    return this.#patiently(key, () => this.#remote.extend(key, id, to));
  }

  async #settle(paid: Paid): Promise<void> {
    const inHand = this.#end(paid.id);
    inHand?.freeSlot();
    this.#reporter.ended(paid, inHand?.float.pace ? inHand.float.id : null);
    await this.#reporter.flush();
  }

  async #release(id: string): Promise<void> {
    const floated = this.#reporter.forget(id);
    const inHand = this.#end(id);
    // What the ledger may know of is given back there: its place in the float is lost to this isolate.
    if (!floated) return this.#remote.release(id);
    inHand?.takeBack(floated);
  }

  #tillOf(key: string): KeyTill {
    const known = this.#keys.get(key);
    if (known) return known;
    if (this.#keys.size >= KEYS_MAX) this.#forget();
    const till = { inHand: null, askedAt: -Infinity, since: NOTHING, running: 0 };
    this.#keys.set(key, till);
    return till;
  }

  /** Lets go of the keys that came first. */
  #forget(): void {
    for (const [key, till] of [...this.#keys].slice(0, KEYS_MAX / 2)) {
      this.#putBack(till);
      this.#keys.delete(key);
    }
  }
}

/**
 * Whether a request may be admitted from memory: one that wider budgets hold too must stand in its team's ledger, which tells theirs how
 * it ends; and a task's is asked of its lease, which may have ended.
 */
function mayFloat({ elsewhere, lease }: Asked): boolean {
  return elsewhere === undefined && lease === undefined;
}
