import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Admission, type Budget, type Elsewhere, WiderScopes } from "#budget";
import { Ledger } from "../../../src/budget/ledger.ts";
import { dueNotices, heard, unheard } from "../../../src/budget/notices.ts";
import { NodeSql } from "../../support/node-sql.ts";

const NO_LIMITS = { rpm: null, tpm: null, concurrency: null };
const TTL_MS = 60_000;
const WIDER_TTL_MS = TTL_MS + 3_600_000;
const LIMIT = 300;

const budgetOf = (id: string, scope: Budget["scope"], limit: number): Budget => ({
  id,
  scope,
  window: "total",
  timeZone: "UTC",
  unit: "usd",
  limit,
  mode: "strict",
});

/** One ledger, its budgets, and where it stands. */
class Desk {
  readonly sql = new NodeSql();
  readonly ledger = new Ledger(this.sql);
  readonly #budgets: readonly Budget[];

  constructor(...budgets: Budget[]) {
    this.#budgets = budgets;
  }

  get payer() {
    return { key: { epoch: 0, active: true, expiresAt: null, user: null, limits: NO_LIMITS }, budgets: this.#budgets };
  }

  status(now: number) {
    return this.ledger.budgetStatus(this.#budgets, now)[0]!;
  }
}

interface Step {
  readonly kind: "reserve" | "settle" | "release" | "extend" | "tell" | "lose" | "wait";
  readonly request: number;
  readonly team: number;
  readonly nano: number;
  readonly advanceMs: number;
  /** The isolate dies between the wider ledger and the team's. */
  readonly dies: boolean;
}

const story = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("reserve", "reserve", "settle", "settle", "release", "extend", "tell", "lose", "wait"),
    request: fc.nat(7),
    team: fc.nat(1),
    nano: fc.nat(120),
    advanceMs: fc.oneof(fc.nat(5_000), fc.nat(90_000)),
    dies: fc.boolean(),
  }),
  { minLength: 5, maxLength: 40 },
);

/** Two teams and one budget that binds them both; their ledgers talk by notices, which may be lost and come again. */
function play(steps: readonly Step[]): void {
  const across = new Desk(budgetOf("bud_wide", { kind: "tag", id: "x" }, LIMIT));
  const teams = [0, 1].map((at) => new Desk(budgetOf(`bud_${at}`, { kind: "team", id: `t${at}` }, 200)));
  let now = Date.parse("2026-11-21T00:00:00Z");
  const tell = (arrives: boolean) => {
    for (const { sql } of teams)
      for (const bundle of dueNotices(sql, now, 100)) {
        across.ledger.follow(bundle.notices, now);
        if (arrives) heard(sql, bundle);
        else unheard(sql, bundle, now);
      }
  };
  for (const { kind, request, team, nano, advanceMs, dies } of steps) {
    now += advanceMs;
    for (const { ledger } of [...teams, across]) ledger.expire(now, 1_000);
    const desk = teams[team]!;
    const id = `req_${team}_${request}`;
    const amount = { nano, tokens: 0, requests: 1 };
    if (kind === "reserve") {
      const admission: Admission = {
        id,
        key: "k",
        epoch: 0,
        floor: amount,
        likely: amount,
        ceiling: amount,
        stream: false,
        ttlMs: TTL_MS,
        event: JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] }),
      };
      const wide = across.ledger.reserve({ ...admission, event: "", ttlMs: WIDER_TTL_MS }, across.payer, now);
      const { spent, reserved } = across.status(now);
      if (wide.kind === "granted" && nano > 0) expect(spent + reserved).toBeLessThanOrEqual(LIMIT);
      if (wide.kind !== "granted" || dies) continue;
      const elsewhere: Elsewhere[] = [{ ledger: "tag:x", legs: wide.legs }];
      const granted = desk.ledger.reserve({ ...admission, elsewhere }, desk.payer, now);
      if (granted.kind === "budget_exceeded") across.ledger.release(id, now);
    }
    const settlement = {
      id,
      actual: amount,
      usage: { input: 0, output: 0 },
      event: JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] }),
    };
    if (kind === "settle") desk.ledger.settle(settlement, now);
    if (kind === "release") desk.ledger.release(id, now);
    if (kind === "extend" && across.ledger.extend(id, amount, across.payer, now).kind === "granted")
      desk.ledger.extend(id, amount, desk.payer, now);
    if (kind === "tell" || kind === "lose") tell(kind === "tell");
  }
  now += WIDER_TTL_MS + 1;
  for (const { ledger } of teams) ledger.expire(now, 1_000);
  tell(true);
  across.ledger.expire(now, 1_000);
  const billed = teams.reduce((sum, desk) => sum + desk.status(now).spent, 0);
  expect(across.status(now)).toMatchObject({ reserved: 0, spent: billed });
}

describe("a budget across teams", () => {
  it("I1, I6 and I7: is never passed, comes to what the teams' ledgers were billed, and leaves nothing reserved", () => {
    fc.assert(fc.property(story, play), { numRuns: 1_000 });
  }, 60_000);

  it("charges the receipt of the request that it binds", () => {
    const across = new Desk(budgetOf("bud_wide", { kind: "deployment", id: "" }, LIMIT));
    const team = new Desk(budgetOf("bud_team", { kind: "team", id: "t" }, LIMIT));
    const amount = { nano: 7, tokens: 0, requests: 1 };
    const event = JSON.stringify({ v: 1, cost: { id: "cost_a" }, charges: [] });
    const asked = { id: "a", key: "k", epoch: 0, floor: amount, likely: amount, ceiling: amount, stream: false, ttlMs: TTL_MS, event };
    const wide = across.ledger.reserve({ ...asked, event: "" }, across.payer, 1);
    if (wide.kind !== "granted") throw new Error("refused");
    team.ledger.reserve({ ...asked, elsewhere: [{ ledger: "deployment", legs: wide.legs }] }, team.payer, 1);
    const settled = team.ledger.settle({ id: "a", actual: { ...amount, nano: 5 }, usage: { input: 1, output: 1 }, event }, 2);
    expect(settled).toMatchObject({
      charged: [
        { budget: "bud_team", amount: 5 },
        { budget: "bud_wide", amount: 5 },
      ],
    });
  });
});

describe("scopes across teams", () => {
  const bearer = { tags: ["a", "b", "a"], endUser: "u" };

  it("are asked only where they have budgets", () => {
    expect(new WiderScopes([]).of(bearer)).toEqual([]);
    expect(new WiderScopes(["tag:b", "end_user:other", "tag:c"]).of(bearer)).toEqual(["tag:b"]);
    expect(new WiderScopes(["deployment"]).of({ tags: [], endUser: null })).toEqual(["deployment"]);
  });

  it("are all asked where there are too many to list", () => {
    expect(new WiderScopes(null).of(bearer)).toEqual(["deployment", "tag:a", "tag:b", "end_user:u"]);
  });
});
