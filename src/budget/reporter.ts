import type { Begun, Floated, GivenBack, Over, Paid, Report } from "./contract.ts";
import { sleep } from "./sleep.ts";
import type { LedgerRemote } from "./stub.ts";

/** How long beginnings and endings wait for company on their way to the ledger. */
const FLUSH_MS = 25;
/** A report that is this late belongs to a request that was torn down; the next one sends in its place. */
const LATE_MS = 250;
const TRIES = 4;

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

/**
 * What happened in one isolate that its team's ledger does not know, and the way there: in company, what ended about every 25 ms and what
 * began by the report after, or along with a call that is made anyway. What could not be told is kept for the next report.
 */
export class Reporter {
  readonly #remote: Pick<LedgerRemote, "report">;
  readonly #clock: () => number;
  readonly #untold = new Map<string, Untold>();
  readonly #unwritten: Unwritten[] = [];
  #ended: Over[] = [];
  #returned: GivenBack[] = [];
  #flushAt = -Infinity;
  #flushing = false;

  constructor(remote: Pick<LedgerRemote, "report">, clock: () => number) {
    this.#remote = remote;
    this.#clock = clock;
  }

  /** Whether everything that happened here is told. */
  get idle(): boolean {
    return this.#untold.size === 0 && this.#unwritten.length === 0 && this.#ended.length === 0 && this.#returned.length === 0;
  }

  /** Takes down a request that was admitted here. */
  began(floated: Floated, event: () => string): void {
    this.#untold.set(floated.admission.id, { floated, event, sent: "not" });
  }

  /** Takes down a request that is over; `slot` is the float in hand that its place is free in again. */
  ended(paid: Paid, slot: string | null): void {
    const floated = this.#untold.get(paid.id)?.floated ?? null;
    this.#untold.delete(paid.id);
    this.#unwritten.push({ paid, floated, slot });
  }

  /** Takes down a float that is given up. */
  returned(rest: GivenBack): void {
    this.#returned.push(rest);
  }

  /** Forgets a beginning that the ledger cannot know of; null where it may, and has to be told how it goes on. */
  forget(id: string): Floated | null {
    const untold = this.#untold.get(id);
    this.#untold.delete(id);
    return untold?.sent === "not" ? untold.floated : null;
  }

  /** Tells of one beginning now. A report that has it may be on its way and arrive later than what is asked next; so it is told again. */
  async tellBeginning(id: string): Promise<void> {
    const untold = this.#untold.get(id);
    if (untold) await this.#report({ began: [begun(untold)], ended: [], returned: [] });
  }

  /** Whether another request is about to send a report. */
  get flushing(): boolean {
    return this.#flushing && this.#clock() < this.#flushAt + LATE_MS;
  }

  /** Sends a report a little later, unless another request is about to. */
  async flush(): Promise<void> {
    if (this.flushing) return;
    this.#flushing = true;
    this.#flushAt = this.#clock() + FLUSH_MS;
    await sleep(FLUSH_MS);
    this.#flushing = false;
    await this.send();
    if (this.#untold.size > 0) await this.flush();
  }

  /**
   * Tells the ledger everything that it does not know.
   * @throws where no try succeeds. What was to be told is kept for the next report; what the ledger knows of expires into estimates.
   */
  async send(): Promise<void> {
    if (this.#unwritten.length + this.#ended.length + this.#returned.length + this.#toTell().length > 0)
      await this.along((report) => this.#report(report));
  }

  /** Makes a call that takes along everything that the ledger does not know; what it could not take is kept for the next. */
  async along<Answer>(call: (report: Report) => Promise<Answer>): Promise<Answer> {
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

  /** Writes what is over. An event that cannot be written is its own request's loss, whose hold becomes an estimate, and no other's. */
  #write(): void {
    for (let next = this.#unwritten.shift(); next; next = this.#unwritten.shift()) this.#ended.push(written(next));
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
}

function begun({ floated, event }: Untold): Begun {
  return { ...floated, event: event() };
}

function written({ paid, floated, slot }: Unwritten): Over {
  return { settlement: { ...paid, event: paid.event() }, floated, slot };
}
