import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eq, sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { type Admission, BudgetStore, ledgerOf, type LedgerRemote } from "#budget";
import { connect, tables } from "#db";
import { KeyStore, TenantStore } from "#keys";

const db = connect(env.DB);
const clock = () => Date.now();
const keys = new KeyStore(db, "pepper-for-worker-tests-0123456789abcdef", clock);
const budgets = new BudgetStore(db, clock);
let team = "";
let ledger: LedgerRemote;
let sequence = 0;

beforeEach(async () => {
  ({ id: team } = await new TenantStore(db, clock).createTeam({ name: "t" }));
  ledger = ledgerOf(env.LEDGER, team);
});

const object = () => env.LEDGER.get(env.LEDGER.idFromName(team));

function eventOf(id: string, key: string, nano: number): string {
  const usage = {
    input: 1,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 1,
    reasoning: 0,
    audioInput: 0,
    audioOutput: 0,
    images: 0,
    webSearches: 0,
  };
  const usd = (nano / 1e9).toFixed(9);
  return JSON.stringify({
    v: 1,
    kind: "request",
    invocation: {
      request: id,
      at: Date.now(),
      key,
      team,
      user: null,
      endUser: null,
      session: null,
      task: null,
      capability: "chat.completions",
      requested: "m",
      provider: "p",
      model: "m",
      stream: false,
      outcome: "ok",
      attempts: [],
      tags: [],
      metadata: {},
    },
    cost: {
      id: id.replace("req", "cost"),
      status: "estimated",
      priceState: "priced",
      cache: "bypass",
      estimatedUsd: usd,
      actualUsd: usd,
      nanoUsd: nano,
      usage,
      serviceTier: null,
      reprices: null,
      receipt: { price: {}, tableHash: "sha256:0", lines: [] },
    },
    log: { httpStatus: 200, code: null, latencyMs: 1, firstByteMs: 1, overheadMs: null, upstreamRequestId: null },
    charges: [],
  });
}

function admission(key: string, more: Partial<Admission> = {}): Admission {
  const id = `req_${++sequence}${team.slice(5)}`;
  const amount = { nano: 1_000, tokens: 10, requests: 1 };
  return {
    id,
    key,
    epoch: 1,
    floor: amount,
    likely: amount,
    ceiling: amount,
    stream: false,
    ttlMs: 600_000,
    event: eventOf(id, key, 1_000),
    ...more,
  };
}

function settle(id: string, key: string, nano: number, event = eventOf(id, key, nano)): Promise<void> {
  const settlement = { id, actual: { nano, tokens: 5, requests: 1 }, usage: { input: 3, output: 2 }, event };
  return ledger.report({ began: [], ended: [{ settlement, floated: null, slot: null }], returned: [] });
}

async function newKey(fields: object = {}): Promise<string> {
  return (await keys.create({ name: "k", team, rpm: null, concurrency: null, ...fields })).row.id;
}

/** Runs the alarm until the outbox is empty. */
async function delivered(): Promise<void> {
  await expect
    .poll(
      async () => {
        await runDurableObjectAlarm(object());
        return runInDurableObject(object(), (_, state) => state.storage.sql.exec("SELECT count(*) AS n FROM outbox_events").one()["n"]);
      },
      { timeout: 25_000, interval: 200 },
    )
    .toBe(0);
}

describe("LedgerObject", () => {
  test("1,000 concurrent reservations against room for 400 admit exactly 400, and reserved returns to 0", async () => {
    const key = await newKey();
    const { id: budget } = await budgets.create({
      scope: { kind: "key", id: key },
      window: "day",
      timeZone: "UTC",
      unit: "usd",
      limit: 400_000,
      mode: "strict",
    });
    const asked = Array.from({ length: 1_000 }, () => admission(key));
    const answers = await Promise.all(asked.map((each) => ledger.reserve(each)));
    expect(answers.filter(({ kind }) => kind === "granted")).toHaveLength(400);
    expect(answers.filter(({ kind }) => kind === "budget_exceeded")).toHaveLength(600);
    const granted = asked.filter((_, at) => answers[at]!.kind === "granted");
    await Promise.all(granted.map(({ id }, at) => (at % 2 === 0 ? settle(id, key, 600) : ledger.release(id))));
    const [status] = await ledger.budgetStatus([budget]);
    expect(status).toMatchObject({ spent: 200 * 600, reserved: 0, over: 0 });
  });

  test("I7: what the database sums equals what the ledger spent, and the outbox empties", async () => {
    const key = await newKey();
    const asked = Array.from({ length: 150 }, () => admission(key));
    await Promise.all(asked.map((each) => ledger.reserve(each)));
    await Promise.all(asked.map(({ id }, at) => settle(id, key, 100 + at)));
    await delivered();
    const [sum] = await db
      .select({ nano: sql<number>`sum(${tables.costRecords.nanoUsd})`, count: sql<number>`count(*)` })
      .from(tables.costRecords)
      .where(eq(tables.costRecords.key, key));
    const status = await ledger.keyStatus(key);
    expect(sum).toEqual({ nano: status?.spent, count: 150 });
    expect(status?.spent).toBe(asked.reduce((total, _, at) => total + 100 + at, 0));
  });

  test("a hold whose isolate died becomes an estimated record at its reserved amount, and a late settle takes its place", async () => {
    const key = await newKey();
    const dead = admission(key, { ttlMs: 1 });
    await ledger.reserve(dead);
    await expect
      .poll(async () => (await runDurableObjectAlarm(object()), (await ledger.keyStatus(key))?.reserved), { timeout: 5_000 })
      .toBe(0);
    expect((await ledger.keyStatus(key))?.spent).toBe(1_000);
    await settle(dead.id, key, 250);
    await settle(dead.id, key, 250);
    await delivered();
    const rows = await db.select().from(tables.costRecords).where(eq(tables.costRecords.key, key));
    expect(rows.map(({ nanoUsd, reprices }) => [nanoUsd, reprices !== null]).toSorted()).toEqual(
      [
        [1_000, false],
        [250, true],
      ].toSorted(),
    );
    expect((await ledger.keyStatus(key))?.spent).toBe(250);
  });

  test("threat 10: a disabled key is refused from the moment that its change is acknowledged", async () => {
    const key = await newKey();
    expect((await ledger.reserve(admission(key))).kind).toBe("granted");
    await keys.disable(key);
    await ledger.refresh();
    expect((await ledger.reserve(admission(key, { epoch: 2 }))).kind).toBe("inactive");
    await keys.enable(key);
    await ledger.refresh();
    expect(await ledger.reserve(admission(key))).toEqual({ kind: "stale", epoch: 3 });
    expect((await ledger.reserve(admission(key, { epoch: 3 }))).kind).toBe("granted");
  });

  test("I1: a key under more budgets than a statement has parameters for is held and charged by every one of them", async () => {
    const key = await newKey();
    const scopes = [{ kind: "key", id: key } as const, { kind: "team", id: team } as const];
    const made = scopes.flatMap((scope) =>
      (["hour", "day", "week", "month", "total"] as const).flatMap((window) =>
        (["usd", "tokens", "requests"] as const).map((unit) =>
          budgets.create({ scope, window, timeZone: "UTC", unit, limit: 1_000_000, mode: "strict" }),
        ),
      ),
    );
    const ids = (await Promise.all(made)).map(({ id }) => id);
    const asked = admission(key);
    expect((await ledger.reserve(asked)).kind).toBe("granted");
    await settle(asked.id, key, 600);
    const spent = { usd: 600, tokens: 5, requests: 1 };
    const status = await ledger.budgetStatus(ids);
    expect(status).toHaveLength(30);
    for (const each of status) expect(each).toMatchObject({ spent: spent[each.budget.unit], reserved: 0 });
  });

  test("a key of another team is nobody here", async () => {
    const stranger = await keys.create({ name: "other" });
    expect((await ledger.reserve(admission(stranger.row.id))).kind).toBe("inactive");
    expect(await ledger.keyStatus(stranger.row.id)).toBeNull();
  });

  test("threat 46: an alarm whose queue is down still expires holds, and delivers once the queue is back", async () => {
    const key = await newKey();
    await ledger.reserve(admission(key, { ttlMs: 1 }));
    await runInDurableObject(object(), async (instance) => {
      const inside = instance as unknown as { env: { EVENTS: Queue }; alarm(): Promise<void> };
      const { EVENTS } = inside.env;
      inside.env = { ...inside.env, EVENTS: { send: () => Promise.reject(new Error("down")) } as unknown as Queue };
      await new Promise((resolve) => setTimeout(resolve, 5));
      await inside.alarm();
      inside.env = { ...inside.env, EVENTS };
    });
    expect(await ledger.keyStatus(key)).toMatchObject({ reserved: 0, spent: 1_000 });
    await delivered();
  });

  test("threat 46: a hold that cannot become a record keeps no other hold reserved", async () => {
    const [spoiled, sound] = [await newKey(), await newKey()];
    const first = admission(spoiled, { ttlMs: 1 });
    await ledger.reserve(first);
    await ledger.reserve(admission(sound, { ttlMs: 1 }));
    await runInDurableObject(object(), (_, { storage }) => {
      storage.sql.exec("UPDATE holds SET event = 'no record', expires_at = 0 WHERE id = ?", first.id);
    });
    await expect
      .poll(async () => (await runDurableObjectAlarm(object()), (await ledger.keyStatus(sound))?.reserved), { timeout: 5_000 })
      .toBe(0);
    expect(await ledger.keyStatus(sound)).toMatchObject({ spent: 1_000 });
    await delivered();
    expect(await ledger.keyStatus(spoiled)).toMatchObject({ spent: 0, reserved: 1_000 });
  });

  test("threat 46: of a report's endings one that cannot be booked keeps no other from its record", async () => {
    const key = await newKey();
    const [first, spoiled, last] = [admission(key), admission(key), admission(key)];
    for (const each of [first, spoiled, last]) await ledger.reserve(each);
    const ending = ({ id }: Admission, event = eventOf(id, key, 7)) => ({
      settlement: { id, actual: { nano: 7, tokens: 5, requests: 1 }, usage: { input: 3, output: 2 }, event },
      floated: null,
      slot: null,
    });
    await ledger.report({ began: [], ended: [ending(first), ending(spoiled, "no event"), ending(last)], returned: [] });
    expect(await ledger.keyStatus(key)).toMatchObject({ spent: 14, reserved: 1_000 });
  });

  test("requests that were admitted from a float are charged to it, booked once, and leave nothing of it reserved", async () => {
    const key = await newKey({ rpm: null, concurrency: null });
    const budget = await budgets.create({
      scope: { kind: "key", id: key },
      window: "day",
      timeZone: "UTC",
      unit: "usd",
      limit: 1_000_000,
      mode: "tight",
    });
    await ledger.refresh();
    const wanted = { nano: 32_000, tokens: 320_000, requests: 32 };
    const answer = await ledger.reserve(admission(key, { float: { id: `flt_${key}`, wanted, slots: 4 } }));
    if (answer.kind !== "granted" || !answer.float) throw new Error("no float was lent");
    const { id: float, legs } = answer.float;
    expect(answer.float.amount?.nano).toBe(32_000);
    const [status] = await ledger.budgetStatus([budget.id]);
    expect(status?.reserved).toBe(33_000);
    const floated = Array.from({ length: 5 }, () => {
      const each = admission(key);
      return { admission: each, event: each.event, granted: each.likely, float, legs, paced: null, at: Date.now() };
    });
    const ended = floated.slice(1).map((each) => {
      const { id } = each.admission;
      const actual = { nano: 600, tokens: 5, requests: 1 };
      return { settlement: { id, actual, usage: { input: 3, output: 2 }, event: eventOf(id, key, 600) }, floated: each, slot: null };
    });
    const report = { began: floated.slice(0, 1), ended, returned: [] };
    await ledger.report(report);
    await ledger.report(report);
    expect(await ledger.keyStatus(key)).toMatchObject({ spent: 4 * 600, requests: 4, reserved: 2_000 });
    await expect.poll(async () => (await ledger.budgetStatus([budget.id]))[0]?.reserved, { timeout: 6_000 }).toBe(2_000);
    await delivered();
    const rows = await db.select().from(tables.costRecords).where(eq(tables.costRecords.key, key));
    expect(rows.map(({ nanoUsd }) => nanoUsd)).toEqual([600, 600, 600, 600]);
  });

  test("threat 46: an event that no message can carry holds up no other event", async () => {
    const key = await newKey();
    const [large, small] = [admission(key), admission(key)];
    await ledger.reserve(large);
    await ledger.reserve(small);
    const event = JSON.parse(eventOf(large.id, key, 5)) as { invocation: { metadata: object } };
    event.invocation.metadata = { text: "x".repeat(200_000) };
    const sent: string[] = [];
    await runInDurableObject(object(), async (instance) => {
      const inside = instance as unknown as { env: { EVENTS: Queue }; alarm(): Promise<void> };
      const send = (text: string) => (text.length > 128_000 ? Promise.reject(new Error("too large")) : Promise.resolve(sent.push(text)));
      inside.env = { ...inside.env, EVENTS: { send } as unknown as Queue };
    });
    await settle(large.id, key, 5, JSON.stringify(event));
    await settle(small.id, key, 7);
    // The large one is the oldest by far: what cannot go must not stand first in the line for ever.
    await runInDurableObject(object(), (_, { storage }) => {
      storage.sql.exec("UPDATE outbox_due SET due_at = 0 WHERE seq IN (SELECT seq FROM outbox_events WHERE length(events) > 100000)");
    });
    await expect.poll(async () => (await runDurableObjectAlarm(object()), sent.join()), { timeout: 5_000 }).toContain(small.id);
  });

  test("what ended is forgotten after a day, as fast as it came, and without new traffic", async () => {
    const key = await newKey();
    const asked = admission(key);
    await ledger.reserve(asked);
    await ledger.release(asked.id);
    await settle(asked.id, key, 1);
    await runInDurableObject(object(), (_, { storage }) => {
      storage.sql.exec(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO ended SELECT 'old_' || i, key, how, nano, tokens, requests, legs, charged, elsewhere, 0, lease FROM n, ended`,
      );
    });
    const left = () => runInDurableObject(object(), (_, { storage }) => storage.sql.exec("SELECT id FROM ended").toArray());
    await expect.poll(async () => (await runDurableObjectAlarm(object()), await left()), { timeout: 10_000 }).toEqual([{ id: asked.id }]);
    const alarmAt = await runInDurableObject(object(), (_, { storage }) => storage.getAlarm());
    expect(alarmAt).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  });

  test("I7: a budget of the deployment comes to what two teams' ledgers were billed, told by their alarms", async () => {
    const { id } = await budgets.create({
      scope: { kind: "deployment", id: "" },
      window: "day",
      timeZone: "UTC",
      unit: "usd",
      limit: 10_000,
      mode: "strict",
    });
    const deployment = ledgerOf(env.LEDGER, "deployment");
    const other = await new TenantStore(db, clock).createTeam({ name: "other" });
    const theirs = (await keys.create({ name: "k", team: other.id, rpm: null, concurrency: null })).row.id;
    const hold = async (of: LedgerRemote, key: string, more: Partial<Admission> = {}) => {
      const asked = admission(key, more);
      const wide = await deployment.reserve({ ...asked, event: "", ttlMs: asked.ttlMs + 3_600_000 });
      if (wide.kind !== "granted") throw new Error("refused");
      expect(await of.reserve({ ...asked, elsewhere: [{ ledger: "deployment", legs: wide.legs }] })).toMatchObject({ kind: "granted" });
      return asked;
    };
    const mine = await newKey();
    const there = ledgerOf(env.LEDGER, other.id);
    const [settled, released] = [await hold(ledger, mine), await hold(there, theirs)];
    await hold(there, theirs, { ttlMs: 1 });
    await settle(settled.id, mine, 700);
    await there.release(released.id);
    const standing = async () => (await deployment.budgetStatus([id]))[0];
    await expect.poll(standing, { timeout: 8_000 }).toMatchObject({ spent: 1_700, reserved: 0 });
    expect(await deployment.reserve(admission(mine, { event: "", floor: { nano: 9_000, tokens: 1, requests: 1 } }))).toMatchObject({
      kind: "budget_exceeded",
      scope: { kind: "deployment" },
    });
    await budgets.delete(id);
  });

  test("threat 41: a budget's window and zone are fixed, so no change of clocks or of zone opens a second window", async () => {
    const key = await newKey();
    const { id } = await budgets.create({
      scope: { kind: "key", id: key },
      window: "day",
      timeZone: "Pacific/Auckland",
      unit: "requests",
      limit: 1,
      mode: "strict",
    });
    expect((await ledger.reserve(admission(key))).kind).toBe("granted");
    await budgets.patch(id, { limit: 1, mode: "tight" });
    await ledger.refresh();
    expect((await ledger.reserve(admission(key))).kind).toBe("budget_exceeded");
  });
});
