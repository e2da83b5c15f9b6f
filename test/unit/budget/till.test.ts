import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Asked, Budget, LedgerRemote } from "#budget";
import type { PaceLimits } from "#core";
import { Ledger } from "../../../src/budget/ledger.ts";
import { Till } from "../../../src/budget/till.ts";
import { NodeSql } from "../../support/node-sql.ts";

const COST = 1_000;
const TRIP_MS = 3;
const NO_LIMITS: PaceLimits = { rpm: null, tpm: null, concurrency: null };
const MINUTE_MS = 60_000;
const LIKELY = { nano: COST, tokens: 10, requests: 1 };

const budget = (limit: number, mode: Budget["mode"] = "tight"): Budget => ({
  id: "bud_1",
  scope: { kind: "key", id: "key_1" },
  window: "total",
  timeZone: "UTC",
  unit: "usd",
  limit,
  mode,
});

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A ledger at the end of a trip that takes time, and may fail on its way there or back. */
class Far {
  readonly sql = new NodeSql();
  readonly ledger = new Ledger(this.sql);
  readonly budgets: readonly Budget[];
  readonly limits: PaceLimits;
  trips = 0;
  /** How often of a hundred a call is lost, half of them after it was heard. */
  lossPercent = 0;
  #seed = 7;

  constructor(budgets: readonly Budget[], limits = NO_LIMITS) {
    this.budgets = budgets;
    this.limits = limits;
  }

  get payer() {
    return { key: { epoch: 1, active: true, expiresAt: null, user: null, limits: this.limits }, budgets: this.budgets };
  }

  remote(): LedgerRemote {
    const { ledger } = this;
    return {
      reserve: (admission, report) =>
        this.#trip(() => {
          if (report) ledger.report(report, Date.now());
          return ledger.reserve(admission, this.payer, Date.now());
        }),
      extend: (_, id, to) => this.#trip(() => ledger.extend(id, to, this.payer, Date.now())),
      report: (report) => this.#trip(() => void ledger.report(report, Date.now())),
      release: (id) => this.#trip(() => ledger.release(id, Date.now())),
      lease: (asked) => this.#trip(() => ledger.lease(asked, this.payer, Date.now())),
      endLeases: (ids) => this.#trip(() => ledger.endLeases(ids, Date.now())),
      leases: (ids) => this.#trip(() => ledger.leases(ids)),
      keyStatus: (key) => this.#trip(() => ledger.keyStatus(key, this.payer, Date.now())),
      budgetStatus: () => this.#trip(() => ledger.budgetStatus(this.budgets, Date.now())),
      refresh: async () => undefined,
    };
  }

  status() {
    return this.ledger.budgetStatus(this.budgets, Date.now())[0]!;
  }

  /** Ids of the records that were made, in no order. */
  records(): string[] {
    return this.sql.rows<{ ids: string }>("SELECT ids FROM outbox_events").flatMap(({ ids }) => ids.split(" "));
  }

  async #trip<Answer>(call: () => Answer): Promise<Answer> {
    this.trips++;
    await sleep(this.#random() % (2 * TRIP_MS));
    const lost = this.#random() % 100 < this.lossPercent;
    if (lost && this.#random() % 2 === 0) throw new Error("lost on its way there");
    const answer = call();
    await sleep(this.#random() % (2 * TRIP_MS));
    if (lost) throw new Error("lost on its way back");
    return answer;
  }

  #random(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(this.#seed / 65_536);
  }
}

function admissionOf(id: string): Asked {
  const event = () => JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] });
  return { id, key: "key_1", epoch: 1, floor: LIKELY, likely: LIKELY, ceiling: LIKELY, stream: false, ttlMs: 60_000, event };
}

function settlementOf(id: string, nano = COST) {
  const event = JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] });
  return { id, actual: { nano, tokens: 10, requests: 1 }, usage: { input: 5, output: 5 }, event: () => event };
}

/** Sends requests of one isolate, one after another, until one is refused or `count` have been. */
async function worker(till: Till, name: string, { count = Infinity, workMs = 20 } = {}) {
  const background: Promise<unknown>[] = [];
  const ledger = till.ledger((work) => void background.push(work.catch(() => undefined)));
  const served: string[] = [];
  const failed: string[] = [];
  let refused = false;
  for (let at = 0; at < count && !refused; at++) {
    const id = `req_${name}_${at}`;
    const answer = await ledger.reserve(admissionOf(id)).catch(() => null);
    if (!answer) failed.push(id);
    else if (answer.kind !== "granted") refused = true;
    else {
      await sleep(workMs);
      served.push(id);
      background.push(ledger.settle(settlementOf(id)).catch(() => undefined));
    }
  }
  await Promise.all(background);
  return { served, failed, refused };
}

/** What happened to a key: when each request was sent, and how many were at once. */
interface Watched {
  readonly sent: number[];
  live: number;
  most: number;
  refused: number;
}

/** Sends requests until a time, and after a refusal waits as it is told. */
async function patient(till: Till, name: string, seen: Watched, untilMs: number): Promise<void> {
  const ledger = till.ledger((work) => void work.catch(() => undefined));
  for (let at = 0; Date.now() < untilMs; at++) {
    const id = `req_${name}_${at}`;
    const answer = await ledger.reserve(admissionOf(id));
    if (answer.kind === "granted") {
      seen.sent.push(Date.now());
      seen.most = Math.max(seen.most, ++seen.live);
      await sleep(20 + (at % 7) * 10);
      seen.live--;
      void ledger.settle(settlementOf(id));
    } else if (answer.kind === "rate_limited") {
      seen.refused++;
      await sleep(Math.min(1_000, answer.retryAfterMs));
    } else throw new Error(answer.kind);
  }
}

/** The most that lay within any minute, less the time that a grant is on its way. */
function mostInAMinute(sent: readonly number[]): number {
  let first = 0;
  let most = 0;
  for (const [at, time] of sent.entries()) {
    while (sent[first]! <= time - MINUTE_MS + 4 * TRIP_MS) first++;
    most = Math.max(most, at - first + 1);
  }
  return most;
}

/** Lets the virtual clock run until the work is done. */
async function run<Result>(work: Promise<Result>): Promise<Result> {
  const watch = { done: false };
  const watched = work.finally(() => (watch.done = true));
  while (!watch.done) await vi.advanceTimersByTimeAsync(5);
  return watched;
}

describe("tills", () => {
  beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-21T12:00:00Z") }));
  afterEach(() => void vi.useRealTimers());

  it("of 32 isolates at 10,000 requests a second pass no limit, and leave less than a hundredth of it unused", async () => {
    const limit = 30_000 * COST;
    const far = new Far([budget(limit)]);
    const tills = Array.from({ length: 32 }, () => new Till(far.remote(), Date.now));
    const from = Date.now();
    const ran = await run(Promise.all(tills.flatMap((till, at) => Array.from({ length: 16 }, (_, of) => worker(till, `${at}.${of}`)))));
    const served = ran.flatMap((each) => each.served);
    const seconds = (Date.now() - from) / 1_000;
    const { spent, over } = far.status();
    expect(served.length / seconds).toBeGreaterThan(10_000);
    expect(spent).toBe(served.length * COST);
    expect(spent).toBeLessThanOrEqual(limit);
    expect(spent).toBeGreaterThanOrEqual(0.99 * limit);
    expect(over).toBe(0);
    expect(far.records().toSorted()).toEqual(served.map((id) => `cost_${id}`).toSorted());
    expect(far.trips).toBeLessThan(served.length);
  }, 60_000);

  it.each([
    { name: "requests a minute", limits: { rpm: 3_000, tpm: null, concurrency: null }, minute: 3_000 },
    { name: "tokens a minute", limits: { rpm: null, tpm: 30_000, concurrency: null }, minute: 3_000 },
    { name: "requests at once", limits: { rpm: 100_000, tpm: null, concurrency: 24 }, minute: Infinity },
  ])(
    "of eight isolates together keep a key within its $name, and let it have them",
    async ({ limits, minute }) => {
      const far = new Far([], limits);
      const seen: Watched = { sent: [], live: 0, most: 0, refused: 0 };
      const until = Date.now() + (minute < Infinity ? 2 * MINUTE_MS : 0) + 20_000;
      const tills = Array.from({ length: 8 }, () => new Till(far.remote(), Date.now));
      await run(Promise.all(tills.flatMap((till, at) => Array.from({ length: 4 }, (_, of) => patient(till, `${at}.${of}`, seen, until)))));
      expect(seen.refused).toBeGreaterThan(0);
      expect(mostInAMinute(seen.sent)).toBeLessThanOrEqual(minute);
      if (minute < Infinity) expect(seen.sent.length).toBeGreaterThanOrEqual(0.99 * 3 * minute);
      expect(seen.most).toBeLessThanOrEqual(limits.concurrency ?? 32);
      if (limits.concurrency !== null) expect(seen.most).toBeGreaterThanOrEqual(limits.concurrency - 1);
    },
    60_000,
  );

  it("A21: ask the lease for each of a task's calls, float or none, and admit none once it has ended", async () => {
    const far = new Far([budget(1_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    await run(worker(till, "own", { count: 3 }));
    const floats = far.trips;
    const ledger = till.ledger((work) => void work.catch(() => undefined));
    expect((await run(ledger.reserve(admissionOf("req_memory")))).kind).toBe("granted");
    expect(far.trips).toBe(floats);
    expect((await run(ledger.lease({ id: "task_1", key: "key_1", epoch: 1, cap: 10 * COST, ttlMs: 60_000 }))).kind).toBe("leased");
    const before = far.trips;
    for (let at = 0; at < 5; at++)
      expect(await run(ledger.reserve({ ...admissionOf(`req_t${at}`), lease: "task_1" }))).toMatchObject({ kind: "granted" });
    expect(far.trips - before).toBeGreaterThanOrEqual(5);
    expect(await run(ledger.leases(["task_1"]))).toMatchObject([{ spent: 0, reserved: 10 * COST }]);
    await run(ledger.endLeases(["task_1"]));
    expect(await run(ledger.reserve({ ...admissionOf("req_late"), lease: "task_1" }))).toEqual({ kind: "lease_ended", lease: "task_1" });
  });

  it("A21: wait for what a task's call before has left over, and refuse at once where that would not be enough", async () => {
    const far = new Far([]);
    const [one, other] = [new Till(far.remote(), Date.now), new Till(far.remote(), Date.now)].map((till) => till.ledger(null));
    await run(one!.lease({ id: "task_1", key: "key_1", epoch: 1, cap: 3 * COST, ttlMs: 60_000 }));
    const large = { nano: 2 * COST, tokens: 10, requests: 1 };
    const asked = (id: string, nano = 2 * COST) => ({
      ...admissionOf(id),
      floor: { ...large, nano },
      likely: large,
      ceiling: large,
      lease: "task_1",
    });
    expect((await run(one!.reserve(asked("req_1")))).kind).toBe("granted");
    // Two isolates: the second knows nothing of the first call's end.
    const second = other!.reserve(asked("req_2"));
    await run(sleep(500).then(() => one!.settle(settlementOf("req_1", COST / 2))));
    expect((await run(second)).kind).toBe("granted");
    const from = Date.now();
    const refused = await run(other!.reserve(asked("req_3", 4 * COST)));
    expect(refused).toMatchObject({ kind: "budget_exceeded", scope: { kind: "task" }, floating: 0 });
    expect(Date.now() - from).toBeLessThan(200);
  });

  it("admit from memory for a key with the limits that a new key has, and say truly what is left of them", async () => {
    const far = new Far([], { rpm: 600, tpm: null, concurrency: 20 });
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    const first = await run(ledger.reserve(admissionOf("req_0")));
    expect(first).toMatchObject({ rpm: { limit: 600, remaining: 599 }, tpm: null });
    const trips = far.trips;
    for (let at = 1; at <= 3; at++) {
      const answer = await ledger.reserve(admissionOf(`req_${at}`));
      expect(answer).toMatchObject({ rpm: { limit: 600, remaining: 599 - at }, tpm: null });
    }
    expect(far.trips).toBe(trips);
    await run(Promise.all([0, 1, 2, 3].map((at) => ledger.settle(settlementOf(`req_${at}`)))));
    expect(await run(ledger.keyStatus("key_1"))).toMatchObject({ rpm: { remaining: 596 }, inFlight: 0, requests: 4 });
  });

  it("write the event of what is over on its way, once, however often it is told", async () => {
    const far = new Far([budget(1_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_0")));
    const { event, ...paid } = settlementOf("req_0");
    let written = 0;
    far.lossPercent = 100;
    const told = ledger.settle({ ...paid, event: () => (written++, event()) });
    expect(written).toBe(0);
    await run(told.catch(() => undefined));
    far.lossPercent = 0;
    await run(ledger.keyStatus("key_1"));
    expect(written).toBe(1);
    expect(far.records()).toEqual(["cost_req_0"]);
  });

  it("lose no other's money by an event that cannot be written", async () => {
    const far = new Far([budget(1_000 * COST)]);
    const told: string[] = [];
    const tell = (work: Promise<unknown>) => void work.catch((error: unknown) => told.push(String(error)));
    const ledger = new Till(far.remote(), Date.now).ledger(tell);
    await run(ledger.reserve(admissionOf("req_0")));
    await run(ledger.reserve(admissionOf("req_1")));
    const unwritable = () => {
      throw new Error("cannot be written");
    };
    tell(ledger.settle({ ...settlementOf("req_0"), event: unwritable }));
    tell(ledger.settle(settlementOf("req_1")));
    await run(sleep(1_000));
    expect(told).toEqual(["Error: cannot be written"]);
    await run(ledger.keyStatus("key_1"));
    expect(far.records()).toEqual(["cost_req_1"]);
  });

  it("say truly what is left of a budget that a float is lent from", async () => {
    const far = new Far([budget(1_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    expect(await run(ledger.reserve(admissionOf("req_0")))).toMatchObject({ tightest: { remaining: 999 * COST } });
    expect(await ledger.reserve(admissionOf("req_1"))).toMatchObject({ tightest: { remaining: 998 * COST } });
  });

  it("use a place of a float again once its request is over, and no more places than it has", async () => {
    const far = new Far([], { rpm: null, tpm: null, concurrency: 20 });
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_first")));
    const trips = far.trips;
    for (let at = 0; at < 50; at++) {
      await ledger.reserve(admissionOf(`req_${at}`));
      void ledger.settle(settlementOf(`req_${at}`));
    }
    expect(far.trips).toBe(trips);
    const asked = Array.from({ length: 19 }, (_, at) => ledger.reserve(admissionOf(`req_more_${at}`)));
    const answers = await run(Promise.all(asked));
    expect(answers.every(({ kind }) => kind === "granted")).toBe(true);
    const beyond = run(ledger.reserve(admissionOf("req_beyond")));
    expect(await beyond).toMatchObject({ kind: "rate_limited", limit: "concurrency", max: 20, used: 20 });
  });

  it("count what is admitted at the end of a float's time for a whole minute from then", async () => {
    const far = new Far([], { rpm: 9, tpm: null, concurrency: null });
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_0")));
    await vi.advanceTimersByTimeAsync(1_900);
    const trips = far.trips;
    await ledger.reserve(admissionOf("req_1"));
    expect(far.trips).toBe(trips);
    const from = Date.now();
    await vi.advanceTimersByTimeAsync(from + 59_900 - Date.now());
    expect(far.ledger.keyStatus("key_1", far.payer, Date.now()).rpm).toMatchObject({ remaining: 8 });
    far.ledger.expire(Date.now(), 100);
    expect(far.ledger.keyStatus("key_1", far.payer, Date.now()).rpm).toMatchObject({ remaining: 8 });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(far.ledger.keyStatus("key_1", far.payer, Date.now()).rpm).toMatchObject({ remaining: 9 });
  });

  it("have a request wait for what only an isolate that died was lent of its key's pace", async () => {
    const far = new Far([], { rpm: null, tpm: null, concurrency: 6 });
    const dead = new Till(far.remote(), Date.now).ledger(() => undefined);
    await run(dead.reserve(admissionOf("req_dead")));
    await run(dead.settle(settlementOf("req_dead")));
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    const expiry = setInterval(() => far.ledger.expire(Date.now(), 100), 200);
    const answers = await run(Promise.all(Array.from({ length: 6 }, (_, at) => ledger.reserve(admissionOf(`req_${at}`)))));
    clearInterval(expiry);
    expect(answers.map(({ kind }) => kind)).toEqual(Array.from({ length: 6 }, () => "granted"));
  });

  it("lose nothing and book nothing twice where trips are lost on their way there and back", async () => {
    const far = new Far([budget(1_000_000 * COST)]);
    far.lossPercent = 20;
    const tills = Array.from({ length: 3 }, () => new Till(far.remote(), Date.now));
    const ran = await run(
      Promise.all(tills.flatMap((till, at) => Array.from({ length: 4 }, (_, of) => worker(till, `${at}.${of}`, { count: 50 })))),
    );
    far.lossPercent = 0;
    await run(Promise.all(tills.map((till) => till.ledger(null).keyStatus("key_1"))));
    const served = ran.flatMap((each) => each.served.map((id) => `cost_${id}`));
    const records = far.records();
    expect(new Set(records).size).toBe(records.length);
    expect(records).toEqual(expect.arrayContaining(served));
    expect(far.status().spent).toBe(records.length * COST);
  }, 60_000);

  it("that die lose at most what they had not told, and leave nothing reserved", async () => {
    const far = new Far([budget(100_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_first")));
    const began = await run(Promise.all(Array.from({ length: 10 }, (_, at) => ledger.reserve(admissionOf(`req_${at}`)))));
    expect(began.every(({ kind }) => kind === "granted")).toBe(true);
    await vi.advanceTimersByTimeAsync(100);
    expect(far.status().reserved).toBeGreaterThan(11 * COST);
    // From here on nobody ever speaks for this isolate again.
    far.ledger.expire(Date.now() + 4_000, 100);
    expect(far.status().reserved).toBe(11 * COST);
    far.ledger.expire(Date.now() + 61_000, 100);
    expect(far.status()).toMatchObject({ reserved: 0, spent: 11 * COST });
    expect(far.records()).toHaveLength(11);
  });

  it("ask the ledger for each request of a strict budget, and of a key whose facts have changed", async () => {
    const far = new Far([budget(1_000 * COST, "strict")]);
    const till = new Till(far.remote(), Date.now);
    await run(worker(till, "a", { count: 20, workMs: 50 }));
    expect(far.trips).toBeGreaterThanOrEqual(20);
    const loose = new Far([budget(1_000_000 * COST)]);
    const other = new Till(loose.remote(), Date.now);
    await run(worker(other, "b", { count: 5 }));
    const before = loose.trips;
    const ledger = other.ledger(() => undefined);
    await run(ledger.reserve({ ...admissionOf("req_new"), epoch: 2 }));
    expect(loose.trips).toBeGreaterThan(before);
  });

  it("give a request back to the float that it came from", async () => {
    const far = new Far([budget(1_000_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_a")));
    const trips = far.trips;
    for (let at = 0; at < 500; at++) {
      await ledger.reserve(admissionOf(`req_b${at}`));
      await ledger.release(`req_b${at}`);
    }
    expect(far.trips).toBe(trips);
  });

  it("leave no hold behind of a request that is given back while its beginning is on its way", async () => {
    const far = new Far([budget(1_000_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger((work) => void work.catch(() => undefined));
    await run(ledger.reserve(admissionOf("req_first")));
    await run(ledger.settle(settlementOf("req_first")));
    for (let at = 0; at < 40; at++) {
      await run(ledger.reserve(admissionOf(`req_${at}`)));
      await vi.advanceTimersByTimeAsync(at);
      await run(ledger.release(`req_${at}`));
      await vi.advanceTimersByTimeAsync(100);
    }
    far.ledger.expire(Date.now() + 61_000, 1_000);
    expect(far.records()).toEqual(["cost_req_first"]);
    expect(far.status()).toMatchObject({ reserved: 0, spent: COST });
  });

  it("let a stream ask for more while another's report of its beginning is on its way", async () => {
    const far = new Far([budget(1_000_000 * COST)]);
    const remote = far.remote();
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let reports = 0;
    const slow = {
      ...remote,
      report: async (...report: Parameters<typeof remote.report>) => {
        if (reports++ === 0) await gate;
        return remote.report(...report);
      },
    };
    const till = new Till(slow, Date.now);
    const ledger = till.ledger((work) => void work.catch(() => undefined));
    await run(ledger.reserve(admissionOf("req_a")));
    await ledger.reserve(admissionOf("req_b"));
    await vi.advanceTimersByTimeAsync(30);
    const answer = await run(ledger.extend("key_1", "req_b", { nano: 3 * COST, tokens: 30, requests: 1 }));
    open();
    await run(ledger.settle(settlementOf("req_b", 2 * COST)));
    expect(answer.kind).toBe("granted");
    expect(far.records()).toEqual(["cost_req_b"]);
  });

  it("give back the floats of all their keys where only these keep a request of another key from a shared budget", async () => {
    const far = new Far([budget(1_600 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_a")));
    const { reserved } = far.status();
    expect(reserved).toBeGreaterThan(2 * COST);
    const dear = { nano: 1_600 * COST - reserved + COST, tokens: 10, requests: 1 };
    const from = Date.now();
    const asked = { ...admissionOf("req_b"), key: "key_2", floor: dear, likely: dear, ceiling: dear };
    expect((await run(ledger.reserve(asked))).kind).toBe("granted");
    expect(Date.now() - from).toBeLessThan(200);
  });

  it("use a float for two seconds and no longer, so that a revoked key is refused then", async () => {
    const far = new Far([]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_a")));
    const trips = far.trips;
    await ledger.reserve(admissionOf("req_b"));
    expect(far.trips).toBe(trips);
    await vi.advanceTimersByTimeAsync(2_001);
    const settled = far.trips;
    await run(ledger.reserve(admissionOf("req_c")));
    expect(far.trips).toBe(settled + 1);
  });

  it("count a stream that began in memory before it asks for more", async () => {
    const far = new Far([budget(1_000_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_a")));
    await ledger.reserve(admissionOf("req_b"));
    const answer = await run(ledger.extend("key_1", "req_b", { nano: 3 * COST, tokens: 30, requests: 1 }));
    expect(answer).toMatchObject({ kind: "granted", granted: { nano: 3 * COST } });
    await run(ledger.settle(settlementOf("req_b", 2 * COST)));
    await vi.advanceTimersByTimeAsync(100);
    expect(far.status().spent).toBe(2 * COST);
  });

  it("tell of a request that goes on within two reports, and never write what a short one would have become", async () => {
    const far = new Far([budget(1_000_000 * COST)]);
    const till = new Till(far.remote(), Date.now);
    const ledger = till.ledger(() => undefined);
    await run(ledger.reserve(admissionOf("req_a")));
    const written: string[] = [];
    const watched = (id: string): Asked => ({ ...admissionOf(id), event: () => (written.push(id), admissionOf(id).event()) });
    const holds = () => far.sql.rows<{ id: string }>("SELECT id FROM holds").map(({ id }) => id);
    await ledger.reserve(watched("req_long"));
    await vi.advanceTimersByTimeAsync(10);
    await ledger.reserve(watched("req_short"));
    await vi.advanceTimersByTimeAsync(10);
    void ledger.settle(settlementOf("req_short"));
    await vi.advanceTimersByTimeAsync(80);
    expect(written).toEqual(["req_long"]);
    expect(holds()).toEqual(["req_a", "req_long"]);
    expect(far.records()).toEqual(["cost_req_short"]);
  });
});
