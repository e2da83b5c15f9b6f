import * as fc from "fast-check";
import type { Admission, Amount, Budget, Settled } from "../../../src/budget/contract.ts";
import type { Payer } from "../../../src/budget/facts.ts";
import { Ledger } from "../../../src/budget/ledger.ts";
import { measured } from "../../../src/budget/legs.ts";
import { windowAt } from "../../../src/budget/windows.ts";
import { NodeSql, type Tamper } from "../../support/node-sql.ts";

/** One step of a story: what is asked of the ledger, how far the clock moves before, and at which statement the process dies. */
export interface Step {
  readonly kind: "reserve" | "extend" | "settle" | "release" | "expire";
  readonly request: number;
  readonly key: number;
  readonly floor: number;
  readonly more: number;
  readonly actual: number;
  readonly stream: boolean;
  readonly advanceMs: number;
  readonly crashAt: number | null;
}

const step = fc.record<Step>({
  kind: fc.constantFrom("reserve", "reserve", "reserve", "extend", "settle", "settle", "release", "expire"),
  request: fc.nat(9),
  key: fc.nat(2),
  floor: fc.nat(40),
  more: fc.nat(400),
  actual: fc.nat(300),
  stream: fc.boolean(),
  advanceMs: fc.oneof(fc.nat(2_000), fc.nat(2_000), fc.nat(40 * 60_000)),
  crashAt: fc.option(fc.nat(8), { nil: null }),
});

/** Stories of up to forty steps over one tree of budgets. */
export const story = fc.record({
  steps: fc.array(step, { minLength: 5, maxLength: 40 }),
  limits: fc.array(fc.integer({ min: 50, max: 1_000 }), { minLength: 6, maxLength: 6 }),
  tight: fc.boolean(),
  /** Everything within a minute or two, so that limits of pace are met. */
  hurried: fc.boolean(),
});
export type Story = typeof story extends fc.Arbitrary<infer Told> ? Told : never;

const START = Date.parse("2026-10-24T20:00:00Z");
const TTL_MS = 15 * 60_000;
const TABLES = ["holds", "balances", "totals", "ended", "outbox"] as const;
const LIMITS = { rpm: 3, tpm: null, concurrency: 3 };

function budgetsOf({ limits, tight }: Story): Budget[] {
  const mode = tight ? "tight" : "strict";
  const of = (id: string, scope: Budget["scope"], window: Budget["window"], unit: Budget["unit"], limit: number): Budget => ({
    id,
    scope,
    window,
    timeZone: "Europe/Berlin",
    unit,
    limit,
    mode,
  });
  const [a = 1, b = 1, c = 1, d = 1, e = 1, f = 1] = limits;
  return [
    of("team-day", { kind: "team", id: "t" }, "day", "usd", 2 * a),
    of("team-total", { kind: "team", id: "t" }, "total", "tokens", 20 * b),
    of("user-week", { kind: "user", id: "u" }, "week", "usd", c),
    of("user-hour", { kind: "user", id: "u" }, "hour", "requests", 1 + (d % 9)),
    of("k0-hour", { kind: "key", id: "k0" }, "hour", "usd", e),
    of("k1-month", { kind: "key", id: "k1" }, "month", "tokens", 10 * f),
  ];
}

/** `k0` and `k1` belong to the user, `k2` to the team alone. */
function payerOf(budgets: readonly Budget[], key: number): Payer {
  const user = key < 2 ? "u" : null;
  const binding = budgets.filter(
    ({ scope }) => scope.kind === "team" || (scope.kind === "user" && user !== null) || scope.id === `k${key}`,
  );
  return { key: { epoch: 1, active: true, expiresAt: null, user, limits: LIMITS }, budgets: binding };
}

interface Held {
  readonly key: number;
  readonly legs: readonly { readonly budget: Budget; readonly start: number }[];
  readonly expiresAt: number;
  amount: Amount;
}

/** What must be true, kept apart from the ledger in the plainest way there is. */
class Truth {
  readonly held = new Map<string, Held>();
  readonly spent = new Map<string, number>();
  readonly ended = new Map<string, { how: "settled" | "released" | "expired"; held: Held; charged: Amount }>();
  readonly delivered = new Set<string>();
  readonly admissions: { key: number; at: number }[] = [];

  book(held: Held, amount: Amount, sign = 1): void {
    for (const { budget, start } of held.legs) {
      const leg = `${budget.id}@${start}`;
      this.spent.set(leg, (this.spent.get(leg) ?? 0) + sign * measured(amount, budget.unit));
    }
  }

  reserved(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { legs, amount } of this.held.values()) {
      for (const { budget, start } of legs) {
        const leg = `${budget.id}@${start}`;
        sums.set(leg, (sums.get(leg) ?? 0) + measured(amount, budget.unit));
      }
    }
    return sums;
  }
}

class Crash extends Error {}

/** A broken promise of the ledger, by its number in the design. */
function must(holds: boolean, promise: string): void {
  if (!holds) throw new Error(promise);
}

/** Plays one story against a ledger, with a defect planted in its statements where there is one, and checks every promise after every step. */
export function play(told: Story, defect?: { readonly tamper?: Tamper; readonly atomic?: boolean }): void {
  const sql = new NodeSql();
  const budgets = budgetsOf(told);
  const truth = new Truth();
  const clean: Tamper = defect?.tamper ?? ((query, values) => ({ query, values }));
  let ledger = new Ledger(sql);
  sql.atomic = defect?.atomic ?? true;
  let now = START;
  for (const each of told.steps) {
    now += told.hurried ? each.advanceMs % 1_000 : each.advanceMs;
    const before = sql.dump(...TABLES);
    sql.tamper = each.crashAt === null ? clean : crashing(clean, each.crashAt);
    try {
      perform(ledger, each, { truth, budgets, now, sql, before });
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      must(sql.dump(...TABLES) === before, "I5: what was not acknowledged is wholly absent");
      sql.tamper = clean;
      ledger = new Ledger(sql);
      perform(ledger, each, { truth, budgets, now, sql, before });
    }
    sql.tamper = clean;
    balanced(sql, truth);
  }
  sql.tamper = clean;
  quiet(ledger, sql, truth, now);
}

function crashing(clean: Tamper, at: number): Tamper {
  let seen = 0;
  return (query, values) => {
    if (seen++ === at) throw new Crash();
    return clean(query, values);
  };
}

interface Scene {
  readonly truth: Truth;
  readonly budgets: readonly Budget[];
  readonly now: number;
  readonly sql: NodeSql;
  readonly before: string;
}

function perform(ledger: Ledger, each: Step, scene: Scene): void {
  const id = `req_${each.request}`;
  switch (each.kind) {
    case "reserve":
      return reserve(ledger, each, id, scene);
    case "extend":
      return extend(ledger, each, id, scene);
    case "settle":
      return settle(ledger, each, id, scene);
    case "release":
      ledger.release(id, scene.now);
      release(scene.truth, id);
      return;
    case "expire": {
      // One hold at a time, so that a crash in the middle leaves a state that the truth can follow.
      ledger.expire(scene.now, 1);
      const [due] = [...scene.truth.held]
        .filter(([, held]) => held.expiresAt <= scene.now)
        .toSorted(([, a], [, b]) => a.expiresAt - b.expiresAt);
      if (due) expire(scene.truth, ...due);
    }
  }
}

function admissionOf(each: Step, id: string): Admission {
  const floor = { nano: each.floor, tokens: 10 * each.floor, requests: 1 };
  const ceiling = { nano: each.floor + each.more, tokens: 10 * (each.floor + each.more), requests: 1 };
  const likely = { nano: each.floor + Math.floor(each.more / 3), tokens: 10 * each.floor + each.more, requests: 1 };
  const event = JSON.stringify({ v: 1, cost: { id: `cost_${id}`, actualUsd: "0", nanoUsd: 0 }, charges: [] });
  return { id, key: `k${each.key}`, epoch: 1, floor, likely, ceiling, stream: each.stream, ttlMs: TTL_MS, event };
}

function reserve(ledger: Ledger, each: Step, id: string, { truth, budgets, now, sql, before }: Scene): void {
  const payer = payerOf(budgets, each.key);
  const admission = admissionOf(each, id);
  const answer = ledger.reserve(admission, payer, now);
  if (truth.held.has(id) || truth.ended.has(id)) {
    must(sql.dump(...TABLES) === before, "I4: a repeat changes nothing");
    must(truth.held.has(id) || answer.kind === "mismatch", "I4: an id that has ended admits nothing");
    return;
  }
  if (answer.kind !== "granted") {
    must(sql.dump(...TABLES) === before, "I4: a refusal takes nothing");
    return;
  }
  const { granted } = answer;
  for (const unit of ["nano", "tokens", "requests"] as const) {
    must(granted[unit] >= admission.floor[unit] && granted[unit] <= admission.ceiling[unit], "a grant lies between floor and ceiling");
  }
  const legs = payer.budgets.map((budget) => ({ budget, start: windowAt(budget.window, budget.timeZone, now).start ?? 0 }));
  truth.held.set(id, { key: each.key, legs, expiresAt: now + TTL_MS, amount: granted });
  paced(truth, each.key, now);
  // What costs nothing passes a budget that an answer beyond its hold has overspent.
  within(
    truth,
    legs.filter(({ budget }) => measured(granted, budget.unit) > 0),
  );
}

function paced(truth: Truth, key: number, now: number): void {
  truth.admissions.push({ key, at: now });
  const lately = truth.admissions.filter((each) => each.key === key && each.at > now - 60_000).length;
  const live = [...truth.held.values()].filter((each) => each.key === key).length;
  must(lately <= LIMITS.rpm, "no more requests in any minute than the limit");
  must(live <= LIMITS.concurrency, "no more requests in flight than the limit");
}

/** Right after an admission or an extension, no budget on the path is passed by what is spent and held. */
function within(truth: Truth, legs: Held["legs"]): void {
  const reserved = truth.reserved();
  for (const { budget, start } of legs) {
    const leg = `${budget.id}@${start}`;
    must(
      (truth.spent.get(leg) ?? 0) + (reserved.get(leg) ?? 0) <= budget.limit,
      "I1: no admission or extension passes any ancestor's limit",
    );
  }
}

function extend(ledger: Ledger, each: Step, id: string, { truth, budgets, now, sql, before }: Scene): void {
  const held = truth.held.get(id);
  const to = { nano: each.floor + each.more, tokens: 10 * (each.floor + each.more), requests: 1 };
  const answer = ledger.extend(id, to, payerOf(budgets, held?.key ?? each.key), now);
  if (answer.kind !== "granted") {
    must(sql.dump(...TABLES) === before, "I4: a refused extension takes nothing");
    return;
  }
  must(held !== undefined, "only a living hold grows");
  const { amount } = held!;
  const grew = held!.legs.filter(({ budget }) => measured(to, budget.unit) > measured(amount, budget.unit));
  const same = to.nano <= amount.nano && to.tokens <= amount.tokens;
  held!.amount = { nano: Math.max(held!.amount.nano, to.nano), tokens: Math.max(held!.amount.tokens, to.tokens), requests: 1 };
  within(truth, grew);
  if (same) must(sql.dump(...TABLES) === before, "I4: a repeated extension changes nothing");
}

function settle(ledger: Ledger, each: Step, id: string, { truth, now, sql, before }: Scene): void {
  const actual = { nano: each.actual, tokens: 10 * each.actual, requests: 1 };
  const event = JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] });
  const answer = ledger.settle({ id, actual, usage: { input: 1, output: 1 }, event }, now);
  const held = truth.held.get(id);
  const ended = truth.ended.get(id);
  must(answer.kind === expected(held, ended), `I3: at most one settle of an id (answered ${answer.kind})`);
  if (answer.kind === "settled") {
    truth.held.delete(id);
    truth.book(held!, actual);
    truth.ended.set(id, { how: "settled", held: held!, charged: actual });
    truth.delivered.add(`cost_${id}`);
  } else if (answer.kind === "late") {
    truth.book(ended!.held, ended!.charged, -1);
    truth.book(ended!.held, actual);
    truth.ended.set(id, { how: "settled", held: ended!.held, charged: actual });
    truth.delivered.add(`cost_${id}_late`);
  } else must(sql.dump(...TABLES) === before, "I4: a repeated settle changes nothing");
}

function expected(held: Held | undefined, ended: { how: string } | undefined): Settled["kind"] {
  if (held) return "settled";
  if (!ended || ended.how === "released") return "unknown";
  return ended.how === "settled" ? "repeated" : "late";
}

function release(truth: Truth, id: string): void {
  const held = truth.held.get(id);
  if (!held) return;
  truth.held.delete(id);
  truth.ended.set(id, { how: "released", held, charged: { nano: 0, tokens: 0, requests: 0 } });
  const at = truth.admissions.findLastIndex(({ key }) => key === held.key);
  truth.admissions.splice(at, 1);
}

function expire(truth: Truth, id: string, held: Held): void {
  truth.held.delete(id);
  truth.book(held, held.amount);
  truth.ended.set(id, { how: "expired", held, charged: held.amount });
  truth.delivered.add(`cost_${id}`);
}

/** Balances, holds and outbox agree with the truth, to the last unit. */
function balanced(sql: NodeSql, truth: Truth): void {
  const reserved = truth.reserved();
  const rows = sql.rows<{ budget: string; window_start: number; spent: number; reserved: number }>("SELECT * FROM balances");
  const seen = new Set<string>();
  for (const row of rows) {
    const leg = `${row.budget}@${row.window_start}`;
    seen.add(leg);
    must(row.reserved === (reserved.get(leg) ?? 0), `I2: reserved of ${leg} equals the sum of its holds`);
    must(row.spent === (truth.spent.get(leg) ?? 0), `I2: spent of ${leg} equals what was settled`);
  }
  for (const [leg, amount] of [...reserved, ...truth.spent]) must(amount === 0 || seen.has(leg), `I2: ${leg} has a balance`);
  const outbox = sql.rows<{ id: string }>("SELECT id FROM outbox").map(({ id }) => id);
  must(outbox.length === truth.delivered.size && outbox.every((id) => truth.delivered.has(id)), "I5: every ending is delivered, once");
}

/** Without traffic every hold becomes a record, and nothing stays reserved. */
function quiet(ledger: Ledger, sql: NodeSql, truth: Truth, now: number): void {
  const later = now + TTL_MS + 1;
  while (ledger.expire(later, 3) > 0);
  for (const [id, held] of truth.held) expire(truth, id, held);
  balanced(sql, truth);
  const [left] = sql.rows<{ reserved: number | null }>("SELECT sum(reserved) AS reserved FROM balances");
  must((left?.reserved ?? 0) === 0, "I6: without traffic reserved returns to 0");
}
