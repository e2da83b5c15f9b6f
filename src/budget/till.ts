import type { Admission, Amount, Floated, Float, Granted, Refusal, Report, Settlement } from "./contract.ts";
import type { LedgerRemote, LedgerStub } from "./stub.ts";

/** How long beginnings and endings wait for company on their way to the ledger. */
const FLUSH_MS = 25;
/** A report that is this late belongs to a request that was torn down; the next one sends in its place. */
const LATE_MS = 250;
const TRIES = 4;
/** A float is asked for at the size of what was admitted since the last one was, and some more. */
const WANTED_REQUESTS_MIN = 32;
const ASK_MS = 100;
/** How long a refusal waits for money that is only out in floats. */
const PATIENCE_MS = 2_000;
const PATIENCE_STEP_MS = 200;

/** A float in this isolate's hands. */
interface InHand {
  readonly float: Float;
  readonly epoch: number;
  readonly until: number;
  readonly tightest: Granted["tightest"];
  /** What of it has not been admitted; null where nothing limits it. */
  left: Amount | null;
}

/** A request that was admitted here, and that the ledger has not acknowledged. */
interface Untold {
  readonly floated: Floated;
  /** Once its beginning was sent, the ledger may know of it, whatever became of the answer. */
  sent: "not" | "on its way" | "in vain";
}

/** What this isolate knows of one key's requests. */
interface KeyTill {
  inHand: InHand | null;
  askedAt: number;
  /** What was admitted since a float was last asked for. */
  since: Amount;
}

/** Keeps the isolate alive for work that outlasts the answer. */
type Background = (work: Promise<unknown>) => void;

/** More than one isolate serves at a time. */
const KEYS_MAX = 10_000;
const TEAMS_MAX = 1_000;

const NOTHING: Amount = { nano: 0, tokens: 0, requests: 0 };

/**
 * The till of one team in one isolate. It admits from floats, without a trip, what it may; everything else it asks the ledger. What
 * began and what ended it reports in company, about every 25 ms. It holds plain values only: no request waits for another's
 * promise, each makes its own calls.
 */
export class Till {
  readonly #remote: LedgerRemote;
  readonly #clock: () => number;
  readonly #keys = new Map<string, KeyTill>();
  readonly #untold = new Map<string, Untold>();
  #ended: Report["ended"][number][] = [];
  #returned: Report["returned"][number][] = [];
  #flushAt = -Infinity;
  #flushing = false;

  constructor(remote: LedgerRemote, clock: () => number) {
    this.#remote = remote;
    this.#clock = clock;
  }

  /** Whether everything that happened here is told. */
  get idle(): boolean {
    return this.#untold.size === 0 && this.#ended.length === 0 && this.#returned.length === 0;
  }

  /**
   * The team's ledger as one request may use it. Where nothing may outlast its answer, `background` is null, and nothing is admitted
   * from memory. What is read knows of all that was settled here.
   */
  ledger(background: Background | null): LedgerStub {
    return {
      reserve: (admission) => this.#reserve(admission, background),
      extend: (key, id, to) => this.#extend(key, id, to),
      settle: (settlement) => this.#settle(settlement),
      release: (id) => this.#release(id),
      keyStatus: async (key) => {
        await this.#send();
        return this.#remote.keyStatus(key);
      },
      budgetStatus: async (budgets) => {
        await this.#send();
        return this.#remote.budgetStatus(budgets);
      },
      refresh: () => this.#remote.refresh(),
    };
  }

  async #reserve(admission: Admission, background: Background | null): Promise<Granted | Refusal> {
    const own = background && this.#admit(admission);
    if (own) {
      background(this.#flush());
      return own;
    }
    return this.#patiently(() => this.#ask(admission));
  }

  /** Admits from the float in hand; null where there is none, or not enough in it. */
  #admit(admission: Admission): Granted | null {
    const now = this.#clock();
    const inHand = this.#usable(admission, now);
    if (!inHand) return null;
    const granted = inHand.left ? admission.likely : admission.ceiling;
    if (inHand.left && !covers(inHand.left, granted)) return null;
    if (inHand.left) inHand.left = plus(inHand.left, granted, -1);
    this.#count(admission);
    const { id, legs } = inHand.float;
    this.#untold.set(admission.id, { floated: { admission, granted, float: id, legs, at: now }, sent: "not" });
    const { tightest } = inHand;
    const left = inHand.left?.nano ?? 0;
    return {
      kind: "granted",
      granted,
      bound: false,
      legs,
      tightest: tightest && { ...tightest, remaining: tightest.remaining + left },
      rpm: null,
      tpm: null,
    };
  }

  /** The float that a request may be admitted from, if it has enough. */
  #usable({ key, epoch, elsewhere }: Admission, now: number): InHand | null {
    const inHand = this.#keys.get(key)?.inHand;
    // A request that wider budgets hold too must stand in its team's ledger, which tells theirs how it ends.
    return inHand && inHand.epoch === epoch && now < inHand.until && !elsewhere ? inHand : null;
  }

  /** Asks the ledger, and for a float beside. */
  async #ask(admission: Admission): Promise<Granted | Refusal> {
    const till = this.#tillOf(admission.key);
    const askedAt = this.#clock();
    const wanted = askedAt - till.askedAt < ASK_MS ? null : larger(times(admission.likely, WANTED_REQUESTS_MIN), times(till.since, 2));
    this.#count(admission);
    if (!wanted) return this.#telling((report) => this.#remote.reserve(admission, report));
    till.askedAt = askedAt;
    till.since = NOTHING;
    const asking = { ...admission, float: { id: `flt_${admission.id}`, wanted } };
    const answer = await this.#telling((report) => this.#remote.reserve(asking, report));
    if (answer.kind === "granted" && answer.float) this.#take(till, answer, admission.epoch, askedAt);
    return answer;
  }

  #take(till: KeyTill, { float, tightest }: Granted, epoch: number, askedAt: number): void {
    this.#putBack(till);
    till.inHand = { float: float!, epoch, until: askedAt + float!.usableMs, tightest, left: float!.amount };
  }

  /** Gives up the float in hand, with the next report. */
  #putBack(till: KeyTill): void {
    if (till.inHand?.left) this.#returned.push({ float: till.inHand.float.id, rest: till.inHand.left });
    till.inHand = null;
  }

  /** Asks again while the money that is missing lies in floats, all of this isolate's own given back first. */
  async #patiently(ask: () => Promise<Granted | Refusal>): Promise<Granted | Refusal> {
    const from = this.#clock();
    for (;;) {
      const answer = await ask();
      if (answer.kind !== "budget_exceeded" || answer.floating === 0 || this.#clock() - from >= PATIENCE_MS) return answer;
      const lent = [...this.#keys.values()].filter(({ inHand }) => inHand?.float.legs.some(({ budget }) => budget === answer.budget));
      for (const till of lent) this.#putBack(till);
      await (lent.length > 0 ? this.#send() : sleep(PATIENCE_STEP_MS));
    }
  }

  /** What another request's report has of this one may arrive later than this asks; so it is told again. */
  async #extend(key: string, id: string, to: Amount): Promise<Granted | Refusal> {
    const untold = this.#untold.get(id);
    if (untold) await this.#report({ began: [untold.floated], ended: [], returned: [] });
    return this.#patiently(() => this.#remote.extend(key, id, to));
  }

  async #settle(settlement: Settlement): Promise<void> {
    const floated = this.#untold.get(settlement.id)?.floated ?? null;
    this.#untold.delete(settlement.id);
    this.#ended.push({ settlement, floated });
    await this.#flush();
  }

  async #release(id: string): Promise<void> {
    const untold = this.#untold.get(id);
    this.#untold.delete(id);
    if (untold?.sent !== "not") return this.#remote.release(id);
    const { floated } = untold;
    const inHand = this.#keys.get(floated.admission.key)?.inHand;
    if (inHand?.left && inHand.float.id === floated.float) inHand.left = plus(inHand.left, floated.granted, 1);
  }

  /** Sends a report a little later, unless another request is about to. */
  async #flush(): Promise<void> {
    const now = this.#clock();
    if (this.#flushing && now < this.#flushAt + LATE_MS) return;
    this.#flushing = true;
    this.#flushAt = now + FLUSH_MS;
    await sleep(FLUSH_MS);
    this.#flushing = false;
    await this.#send();
  }

  /**
   * Tells the ledger everything that it does not know.
   * @throws where no try succeeds. What was to be told is kept for the next report; what the ledger knows of expires into estimates.
   */
  async #send(): Promise<void> {
    if (!this.idle) await this.#telling((report) => this.#report(report));
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

  /** Makes a call that takes along everything that the ledger does not know; what it could not take is kept for the next. */
  async #telling<Answer>(call: (report: Report) => Promise<Answer>): Promise<Answer> {
    const began = [...this.#untold.values()].filter(({ sent }) => sent !== "on its way");
    const report: Report = { began: began.map(({ floated }) => floated), ended: this.#ended, returned: this.#returned };
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

  #count({ key, likely }: Admission): void {
    const till = this.#tillOf(key);
    till.since = plus(till.since, likely, 1);
  }

  #tillOf(key: string): KeyTill {
    const known = this.#keys.get(key);
    if (known) return known;
    if (this.#keys.size >= KEYS_MAX) this.#forget();
    const till = { inHand: null, askedAt: -Infinity, since: NOTHING };
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

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function covers(left: Amount, amount: Amount): boolean {
  return left.nano >= amount.nano && left.tokens >= amount.tokens && left.requests >= amount.requests;
}

function plus(one: Amount, other: Amount, sign: 1 | -1): Amount {
  return { nano: one.nano + sign * other.nano, tokens: one.tokens + sign * other.tokens, requests: one.requests + sign * other.requests };
}

function times({ nano, tokens, requests }: Amount, factor: number): Amount {
  return { nano: factor * nano, tokens: factor * tokens, requests: factor * requests };
}

function larger(one: Amount, other: Amount): Amount {
  return {
    nano: Math.max(one.nano, other.nano),
    tokens: Math.max(one.tokens, other.tokens),
    requests: Math.max(one.requests, other.requests),
  };
}
