import { larger, NOTHING, plus, times } from "./amount.ts";
import type { Amount, Asked, Begun, Floated, Granted, Over, Paid, Refusal, Report, Wish } from "./contract.ts";
import { FLOAT_MS } from "./floats.ts";
import { InHand } from "./in-hand.ts";
import type { LedgerRemote, LedgerStub } from "./stub.ts";

/** How long beginnings and endings wait for company on their way to the ledger. */
const FLUSH_MS = 25;
/** A report that is this late belongs to a request that was torn down; the next one sends in its place. */
const LATE_MS = 250;
const TRIES = 4;
/** A float is asked for at the size of what was admitted since the last one was, and some more. */
const WANTED_REQUESTS_MIN = 32;
const ASK_MS = 100;
/** It is asked for twice as many requests at once as there are, and some more. */
const WANTED_SLOTS_MORE = 4;
const PATIENCE_STEP_MS = 200;
/** How long a refusal waits for what is only out in floats: until the last of them, even a dead isolate's, is back. */
const PATIENCE_MS = FLOAT_MS + PATIENCE_STEP_MS;

/** A request that was admitted here, and that the ledger has not acknowledged. */
interface Untold {
  readonly floated: Floated;
  readonly event: () => string;
  /** Once its beginning was sent, the ledger may know of it, whatever became of the answer. */
  sent: "not" | "on its way" | "in vain";
}

/** A request that is over, and whose event nobody has written yet. */
interface Unwritten extends Omit<Over, "settlement"> {
  readonly paid: Paid;
}

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
type Background = (work: Promise<unknown>) => void;

/** More than one isolate serves at a time. */
const KEYS_MAX = 10_000;
const TEAMS_MAX = 1_000;

/**
 * The till of one team in one isolate. It admits from floats, without a trip, what it may; everything else it asks the ledger. What
 * ended it reports in company, about every 25 ms, and what began by the report after. It holds plain values only: no request waits for another's
 * promise, each makes its own calls.
 */
export class Till {
  readonly #remote: LedgerRemote;
  readonly #clock: () => number;
  readonly #keys = new Map<string, KeyTill>();
  readonly #untold = new Map<string, Untold>();
  readonly #running = new Map<string, Running>();
  readonly #unwritten: Unwritten[] = [];
  #ended: Over[] = [];
  #returned: Report["returned"][number][] = [];
  #flushAt = -Infinity;
  #flushing = false;

  constructor(remote: LedgerRemote, clock: () => number) {
    this.#remote = remote;
    this.#clock = clock;
  }

  /** Whether everything that happened here is told. */
  get idle(): boolean {
    return this.#untold.size === 0 && this.#unwritten.length === 0 && this.#ended.length === 0 && this.#returned.length === 0;
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
        await this.#send();
        return this.#remote.leases(ids);
      },
      keyStatus: async (key, lease) => {
        await this.#send();
        return this.#remote.keyStatus(key, lease);
      },
      budgetStatus: async (budgets) => {
        await this.#send();
        return this.#remote.budgetStatus(budgets);
      },
      refresh: () => this.#remote.refresh(),
    };
  }

  async #reserve(asked: Asked, background: Background | null): Promise<Granted | Refusal> {
    const own = background && this.#admit(asked);
    if (own) {
      if (!this.#isFlushing()) background(this.#flush());
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
    this.#count(asked);
    this.#untold.set(asked.id, { floated: admitted.floated, event: asked.event, sent: "not" });
    this.#begin(asked, inHand!);
    return admitted.granted;
  }

  /** Asks the ledger, and for a float beside, where one may be used. */
  async #ask(asked: Asked, floats: boolean): Promise<Granted | Refusal> {
    const askedAt = this.#clock();
    const float = floats && mayFloat(asked) ? this.#wish(asked, askedAt) : null;
    const admission = { ...asked, event: asked.event(), ...(float && { float }) };
    const answer = await this.#telling((report) => this.#remote.reserve(admission, report));
    if (answer.kind !== "granted") return answer;
    this.#count(asked);
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
    if (rest) this.#returned.push(rest);
    till.inHand = null;
  }

  #begin({ id, key }: Asked, inHand: InHand | null): void {
    const till = this.#tillOf(key);
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
      await (lent.length > 0 ? this.#send() : sleep(PATIENCE_STEP_MS));
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

  /** What another request's report has of this one may arrive later than this asks; so it is told again. */
  async #extend(key: string, id: string, to: Amount): Promise<Granted | Refusal> {
    const untold = this.#untold.get(id);
    if (untold) await this.#report({ began: [begun(untold)], ended: [], returned: [] });
    return this.#patiently(key, () => this.#remote.extend(key, id, to));
  }

  async #settle(paid: Paid): Promise<void> {
    const floated = this.#untold.get(paid.id)?.floated ?? null;
    this.#untold.delete(paid.id);
    const inHand = this.#end(paid.id);
    inHand?.freeSlot();
    this.#unwritten.push({ paid, floated, slot: inHand?.float.id ?? null });
    await this.#flush();
  }

  async #release(id: string): Promise<void> {
    const untold = this.#untold.get(id);
    this.#untold.delete(id);
    const inHand = this.#end(id);
    // What the ledger may know of is given back there: its place in the float is lost to this isolate.
    if (untold?.sent !== "not") return this.#remote.release(id);
    inHand?.takeBack(untold.floated);
  }

  /** Whether another request is about to send a report. */
  #isFlushing(): boolean {
    return this.#flushing && this.#clock() < this.#flushAt + LATE_MS;
  }

  /** Sends a report a little later, unless another request is about to. */
  async #flush(): Promise<void> {
    if (this.#isFlushing()) return;
    this.#flushing = true;
    this.#flushAt = this.#clock() + FLUSH_MS;
    await sleep(FLUSH_MS);
    this.#flushing = false;
    await this.#send();
    if (this.#untold.size > 0) await this.#flush();
  }

  /**
   * Tells the ledger everything that it does not know.
   * @throws where no try succeeds. What was to be told is kept for the next report; what the ledger knows of expires into estimates.
   */
  async #send(): Promise<void> {
    if (this.#unwritten.length + this.#ended.length + this.#returned.length + this.#toTell().length > 0)
      await this.#telling((report) => this.#report(report));
  }

  /** Beginnings that the ledger should hear of. One that is younger than a flush waits for the next: it may be over by then. */
  #toTell(): Untold[] {
    const young = this.#clock() - FLUSH_MS;
    return [...this.#untold.values()].filter(({ floated, sent }) => sent !== "on its way" && floated.at <= young);
  }

  async #report(report: Report): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#remote.report(report);
      } catch (error) {
        if (tried === TRIES) throw error;
        await sleep(50 * 4 ** tried);
      }
    }
  }

  /** Writes what is over. An event that cannot be written is its own request's loss, whose hold becomes an estimate, and no other's. */
  #write(): void {
    for (let next = this.#unwritten.shift(); next; next = this.#unwritten.shift()) this.#ended.push(written(next));
  }

  /** Makes a call that takes along everything that the ledger does not know; what it could not take is kept for the next. */
  async #telling<Answer>(call: (report: Report) => Promise<Answer>): Promise<Answer> {
    this.#write();
    const began = this.#toTell();
    const report: Report = { began: began.map(begun), ended: this.#ended, returned: this.#returned };
    for (const each of began) each.sent = "on its way";
    this.#ended = [];
    this.#returned = [];
    try {
      const answer = await call(report);
      for (const { floated } of began) this.#untold.delete(floated.admission.id);
      return answer;
    } catch (error) {
      for (const each of began) each.sent = "in vain";
      this.#ended.push(...report.ended);
      this.#returned.push(...report.returned);
      throw error;
    }
  }

  #count({ key, likely }: Asked): void {
    const till = this.#tillOf(key);
    till.since = plus(till.since, likely);
  }

  #tillOf(key: string): KeyTill {
    const known = this.#keys.get(key);
    if (known) return known;
    if (this.#keys.size >= KEYS_MAX) this.#forget();
    const till = { inHand: null, askedAt: -Infinity, since: NOTHING, running: 0 };
    this.#keys.set(key, till);
    return till;
  }

  /** Lets go of the keys that were asked for longest ago. */
  #forget(): void {
    for (const [key, till] of [...this.#keys].slice(0, KEYS_MAX / 2)) {
      this.#putBack(till);
      this.#keys.delete(key);
    }
  }
}

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

/**
 * Whether a request may be admitted from memory: one that wider budgets hold too must stand in its team's ledger, which tells theirs how
 * it ends; and a task's is asked of its lease, which may have ended.
 */
function mayFloat({ elsewhere, lease }: Asked): boolean {
  return elsewhere === undefined && lease === undefined;
}

function begun({ floated, event }: Untold): Begun {
  return { ...floated, event: event() };
}

function written({ paid, floated, slot }: Unwritten): Over {
  return { settlement: { ...paid, event: paid.event() }, floated, slot };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
