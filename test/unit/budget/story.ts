import * as fc from "fast-check";
import type { PaceLimits } from "#core";
import type { Admission, Amount, Begun, Budget, Float, PacePart, Refusal, Settled, Told } from "../../../src/budget/contract.ts";
import type { Payer } from "../../../src/budget/facts.ts";
import { Ledger } from "../../../src/budget/ledger.ts";
import { measured } from "../../../src/budget/legs.ts";
import { windowAt } from "../../../src/budget/windows.ts";
import { NodeSql, type Tamper } from "../../support/node-sql.ts";

/** One step of a story: what is asked of the ledger, how far the clock moves before, and at which statement the process dies. */
export interface Step {
  readonly kind: "reserve" | "extend" | "settle" | "release" | "expire" | "admit" | "tell" | "return" | "die" | "lease" | "draw" | "close";
  readonly request: number;
  /** Which of the isolates it concerns. */
  readonly isolate: number;
  readonly key: number;
  /** Which of the leases it concerns, and how large that shall be. */
  readonly task: number;
  readonly cap: number;
  readonly floor: number;
  readonly more: number;
  readonly actual: number;
  readonly stream: boolean;
  readonly advanceMs: number;
  readonly crashAt: number | null;
}

const REQUESTS = 11;
const TASKS = 4;

const CALLS = fc.constantFrom("reserve", "reserve", "reserve", "extend", "settle", "settle", "release", "expire");
const FLOATS = fc.constantFrom("reserve", "admit", "admit", "admit", "tell", "settle", "return", "die");
const LEASES = fc.constantFrom("lease", "draw", "draw", "draw", "extend", "settle", "settle", "close", "expire");

const facts = {
  request: fc.nat(REQUESTS - 1),
  isolate: fc.nat(2),
  key: fc.nat(2),
  task: fc.nat(TASKS - 1),
  cap: fc.nat(300),
  floor: fc.oneof(fc.nat(3), fc.nat(40)),
  more: fc.oneof(fc.nat(6), fc.nat(400)),
  actual: fc.nat(300),
  stream: fc.boolean(),
  advanceMs: fc.oneof(fc.nat(200), fc.nat(200), fc.nat(2_000), fc.nat(2_000), fc.nat(40 * 60_000)),
  crashAt: fc.option(fc.nat(8), { nil: null }),
};

type Kinds = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step["kind"]> };

/** Up to forty steps, so many of each kind, over one tree of budgets. */
function stories(...kinds: Kinds[]) {
  return fc.record({
    steps: fc.array(fc.record<Step>({ kind: fc.oneof(...kinds), ...facts }), { minLength: 5, maxLength: 40 }),
    limits: fc.array(fc.integer({ min: 50, max: 1_000 }), { minLength: 6, maxLength: 6 }),
    tight: fc.boolean(),
    /** Everything within a minute or two, so that limits of pace are met. */
    hurried: fc.boolean(),
    /** One key for all, so that its limits are met wherever a request comes from. */
    crowded: fc.boolean(),
  });
}

/** Stories of everything. */
export const story = stories({ weight: 4, arbitrary: CALLS }, { weight: 3, arbitrary: FLOATS }, { weight: 3, arbitrary: LEASES });

/** Stories of what the ledger itself admits, most of it to its end. */
export const calls = stories({ weight: 1, arbitrary: CALLS });

/** Stories in which floats are lent, and limits of pace are met. */
export const crowd = stories({ weight: 4, arbitrary: CALLS }, { weight: 3, arbitrary: FLOATS }).map((told) => ({
  ...told,
  tight: true,
  hurried: true,
  crowded: true,
}));

/** Stories of a few calls of two tasks, which no limit of pace holds up. */
export const tasks = stories({ weight: 1, arbitrary: CALLS }, { weight: 4, arbitrary: LEASES }).map((told) => {
  const steps = told.steps.map((each) => ({ ...each, request: each.request % 4, task: each.task % 2 }));
  return { ...told, steps, tight: true, hurried: false, crowded: true };
});

export type Story = typeof story extends fc.Arbitrary<infer Told> ? Told : never;

const START = Date.parse("2026-10-24T20:00:00Z");
const TTL_MS = 15 * 60_000;
const GRACE_MS = 1_000;
const PLENTY = 2 ** 50;
const LEASE_MS = 10 * 60_000;
/** What a refusal leaves as it was: of a lease, all but that it refused. */
const LEASED = "(SELECT id, key, cap, spent, drawn, legs, expires_at, ended_at FROM leases)";
const TABLES = ["holds", "floats", "slices", "pace", "balances", "totals", "ended", "outbox_events", "outbox_due", LEASED] as const;
const LIMITS = { rpm: 3, tpm: null, concurrency: 3 };
const NO_LIMITS = { rpm: null, tpm: null, concurrency: null };

/** Narrow ones for strict budgets; for tight ones none, or such as a part of may be lent. */
function limitsOf({ tight, hurried, limits: [a = 1, b = 1, c = 1] }: Story): PaceLimits {
  if (!tight) return LIMITS;
  if (!hurried) return NO_LIMITS;
  return { rpm: a % 4 === 0 ? null : 9 + (a % 3), tpm: b % 2 === 0 ? null : 500 + 4 * b, concurrency: c % 4 === 0 ? null : 5 + (c % 2) };
}

function budgetsOf({ limits, tight, crowded }: Story): Budget[] {
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
  // A crowd meets the limits of its pace before those of its budgets.
  const [a = 1, b = 1, c = 1, d = 1, e = 1, f = 1] = limits.map((limit) => (crowded && tight ? 20 * limit + 1 : limit));
  return [
    of("team-day", { kind: "team", id: "t" }, "day", "usd", 2 * a),
    of("team-total", { kind: "team", id: "t" }, "total", "tokens", 20 * b),
    of("user-week", { kind: "user", id: "u" }, "week", "usd", c),
    of("user-hour", { kind: "user", id: "u" }, "hour", "requests", d % 2 === 0 ? 1 + (d % 9) : 100 + d),
    of("k0-hour", { kind: "key", id: "k0" }, "hour", "usd", e),
    of("k1-month", { kind: "key", id: "k1" }, "month", "tokens", 10 * f),
  ];
}

/** `k0` and `k1` belong to the user, `k2` to the team alone. */
function payerOf({ budgets, limits }: Scene, key: number): Payer {
  const user = key < 2 ? "u" : null;
  const binding = budgets.filter(
    ({ scope }) => scope.kind === "team" || (scope.kind === "user" && user !== null) || scope.id === `k${key}`,
  );
  return { key: { epoch: 1, active: true, expiresAt: null, user, limits }, budgets: binding };
}

type Legs = readonly { readonly budget: Budget; readonly start: number }[];

interface Lent {
  readonly id: string;
  readonly key: number;
  readonly legs: Legs;
  readonly expiresAt: number;
  left: Amount;
  /** What of its part of the pace has not been used; null where the key has none. */
  pace: { requests: number; tokens: number } | null;
}

/** One isolate's memory, which dies with it: what it may still admit from its float, and what it has not told. */
class Isolate {
  inHand: { readonly float: Float; readonly until: number; readonly key: number; left: Amount; pace: PacePart } | null = null;
  readonly untold = new Map<string, Begun>();
  /** The float that each of its requests came from. */
  readonly from = new Map<string, string>();
}

/** A task's money. What is neither spent nor held by its calls is reserved, while it has not ended. */
interface Lease {
  readonly key: number;
  readonly cap: number;
  readonly legs: Legs;
  readonly expiresAt: number;
  spent: number;
  ended: boolean;
  refused: string | null;
}

interface Held {
  readonly lease: string | null;
  readonly key: number;
  readonly legs: Legs;
  readonly expiresAt: number;
  amount: Amount;
}

/** What must be true, kept apart from the ledger in the plainest way there is. */
class Truth {
  readonly held = new Map<string, Held>();
  readonly lent = new Map<string, Lent>();
  readonly leases = new Map<string, Lease>();
  readonly isolates = [new Isolate(), new Isolate(), new Isolate()] as const;
  readonly spent = new Map<string, number>();
  readonly ended = new Map<string, { how: "settled" | "released" | "expired"; held: Held; charged: Amount }>();
  readonly delivered = new Set<string>();
  /** What is in some minute, however it was admitted. Of what its isolate told too late, or never, the ledger could not know. */
  readonly admissions = new Map<string, { key: number; at: number; tokens: number; float: string | null }>();
  /** The requests that the ledger has counted of a key's pace for good, with their keys. */
  readonly counted = new Map<string, number>();

  book(held: Held, amount: Amount, sign = 1): void {
    const lease = this.leases.get(held.lease ?? "");
    if (lease) lease.spent += sign * amount.nano;
    for (const { budget, start } of held.legs) {
      const leg = `${budget.id}@${start}`;
      this.spent.set(leg, (this.spent.get(leg) ?? 0) + sign * measured(amount, budget.unit));
    }
  }

  reserved(): Map<string, number> {
    const sums = new Map<string, number>();
    const floats = [...this.lent.values()].map(({ legs, left }) => ({ legs, amount: left }));
    const rests = [...this.leases].map(([id, { legs }]) => ({ legs, amount: { nano: this.restOf(id), tokens: 0, requests: 0 } }));
    for (const { legs, amount } of [...this.held.values(), ...floats, ...rests]) {
      for (const { budget, start } of legs) {
        const leg = `${budget.id}@${start}`;
        sums.set(leg, (sums.get(leg) ?? 0) + measured(amount, budget.unit));
      }
    }
    return sums;
  }

  /** What a task's calls in flight hold. */
  drawnFrom(id: string): number {
    return [...this.held.values()].filter(({ lease }) => lease === id).reduce((sum, { amount }) => sum + amount.nano, 0);
  }

  /** What is left for a task's further calls. */
  restOf(id: string): number {
    const lease = this.leases.get(id);
    return !lease || lease.ended ? 0 : Math.max(0, lease.cap - lease.spent - this.drawnFrom(id));
  }

  /** Takes an amount out of a float, as far as it is there. */
  draw(id: string, amount: Amount): void {
    const float = this.lent.get(id);
    if (!float) return;
    const { left } = float;
    const rest = (unit: keyof Amount) => Math.max(0, left[unit] - amount[unit]);
    float.left = { nano: rest("nano"), tokens: rest("tokens"), requests: rest("requests") };
  }

  /** Takes requests and tokens out of what was lent of a pace, as far as they are there. */
  drawPace(id: string, part: { readonly requests: number; readonly tokens: number }): void {
    const pace = this.lent.get(id)?.pace;
    if (!pace) return;
    pace.requests = Math.max(0, pace.requests - part.requests);
    pace.tokens = Math.max(0, pace.tokens - part.tokens);
  }

  /** The ledger hears of a request that an isolate admitted. */
  hear({ admission, float, paced }: Begun): void {
    if (!paced) return;
    const key = Number(admission.key.slice(1));
    this.drawPace(float, { requests: 1, tokens: paced.counted });
    this.counted.set(admission.id, key);
  }

  /** How many of a key's requests are in flight, whoever admitted them. */
  live(key: number): number {
    const untold = this.isolates.flatMap(({ untold }) => [...untold.keys()]);
    return [...this.admissions].filter(([id, each]) => each.key === key && (this.held.has(id) || untold.includes(id))).length;
  }

  /** A float's time is up: what its isolate has not told by now, the ledger knows nothing of. */
  lapse(id: string): void {
    this.lent.delete(id);
    for (const { untold } of this.isolates) {
      for (const [request, floated] of untold) if (floated.float === id) this.admissions.delete(request);
    }
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
  const limits = limitsOf(told);
  const truth = new Truth();
  const clean: Tamper = defect?.tamper ?? ((query, values) => ({ query, values }));
  let ledger = new Ledger(sql);
  sql.atomic = defect?.atomic ?? true;
  let now = START;
  for (const plain of told.steps) {
    const each = told.crowded ? { ...plain, key: 0, isolate: plain.isolate % 2 } : plain;
    now += told.hurried ? each.advanceMs % 1_000 : each.advanceMs;
    const before = sql.dump(...TABLES);
    sql.tamper = each.crashAt === null ? clean : crashing(clean, each.crashAt);
    try {
      perform(ledger, each, { truth, budgets, limits, now, sql, before });
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      // A float and a hold expire in steps of their own, of which one may have been made.
      if (each.kind === "expire") followed(truth, sql, now);
      else must(sql.dump(...TABLES) === before, "I5: what was not acknowledged is wholly absent");
      sql.tamper = clean;
      ledger = new Ledger(sql);
      perform(ledger, each, { truth, budgets, limits, now, sql, before });
    }
    sql.tamper = clean;
    balanced(sql, truth, limits);
  }
  sql.tamper = clean;
  quiet(ledger, { sql, truth, limits, now });
}

function crashing(clean: Tamper, at: number): Tamper {
  let seen = 0;
  return (query, values) => {
    if (seen++ === at) throw new Crash();
    return clean(query, values);
  };
}

/** What was over, and is gone: each of an expiry's steps stands by itself. */
function followed(truth: Truth, sql: NodeSql, now: number): void {
  const idsOf = (table: string) => new Set(sql.rows<{ id: string }>(`SELECT id FROM ${table}`).map(({ id }) => id));
  const [floats, holds] = [idsOf("floats"), idsOf("holds")];
  const open = new Set(sql.rows<{ id: string }>("SELECT id FROM leases WHERE ended_at IS NULL").map(({ id }) => id));
  for (const [id, lease] of truth.leases) if (lease.expiresAt <= now && !open.has(id)) lease.ended = true;
  for (const [id, { expiresAt }] of truth.lent) if (expiresAt <= now && !floats.has(id)) truth.lapse(id);
  for (const [id, held] of truth.held) if (held.expiresAt <= now && !holds.has(id)) expire(truth, id, held);
}

interface Scene {
  readonly truth: Truth;
  readonly budgets: readonly Budget[];
  readonly limits: PaceLimits;
  readonly now: number;
  readonly sql: NodeSql;
  readonly before: string;
}

/** Which request a step concerns: any, but that isolates admit what is new, tell what they admitted, and mostly see it through. */
function requestOf({ kind, request, isolate, stream }: Step, { truth }: Scene): string {
  const { untold, from } = truth.isolates[isolate]!;
  const any = `req_${request}`;
  const one = (ids: Iterable<string>) => [...ids].find((_, at, all) => at === request % all.length) ?? any;
  if (kind === "tell") return one(untold.keys());
  if (kind === "settle" && stream) return one(from.keys());
  if (kind !== "admit") return any;
  const all = Array.from({ length: REQUESTS }, (_, at) => `req_${(request + at) % REQUESTS}`);
  return all.find((id) => !truth.held.has(id) && !truth.ended.has(id) && !truth.isolates.some((each) => each.untold.has(id))) ?? any;
}

function perform(ledger: Ledger, each: Step, scene: Scene): void {
  const id = requestOf(each, scene);
  switch (each.kind) {
    case "reserve":
    case "draw":
      return reserve(ledger, each, id, scene);
    case "lease":
      return lease(ledger, each, scene);
    case "close":
      return close(ledger, each, scene);
    case "extend":
      return extend(ledger, each, id, scene);
    case "settle":
      return settle(ledger, each, id, scene);
    case "release":
      ledger.release(id, scene.now);
      release(scene.truth, id);
      return;
    case "admit":
      return admit(each, id, scene);
    case "tell":
      return tell(ledger, each, id, scene);
    case "return":
      return giveBack(ledger, each, scene);
    case "die":
      return die(each, scene);
    case "expire": {
      // One of each at a time, so that a crash in the middle leaves a state that the truth can follow.
      ledger.expire(scene.now, 1);
      const [overdue] = [...scene.truth.lent.values()]
        .filter(({ expiresAt }) => expiresAt <= scene.now)
        .toSorted((a, b) => a.expiresAt - b.expiresAt || (a.id < b.id ? -1 : 1));
      if (overdue) scene.truth.lapse(overdue.id);
      const [stale] = [...scene.truth.leases]
        .filter(([, each]) => !each.ended && each.expiresAt <= scene.now)
        .toSorted(([a, one], [b, other]) => one.expiresAt - other.expiresAt || (a < b ? -1 : 1));
      if (stale) stale[1].ended = true;
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

/** A task takes its money; taking it again changes nothing. */
function lease(ledger: Ledger, { key, task, cap, crashAt }: Step, scene: Scene): void {
  const { truth, now, sql, before } = scene;
  const id = `task_${task}`;
  const asked = { id, key: `k${key}`, epoch: 1, cap, ttlMs: LEASE_MS };
  const payer = payerOf(scene, key);
  const answer = ledger.lease(asked, payer, now);
  const known = truth.leases.get(id);
  if (known || answer.kind !== "leased") {
    must(sql.dump(...TABLES) === before, "I4: a lease that is refused, or taken again, takes nothing");
    const same = known?.key === key && known.cap === cap;
    if (known) must(answer.kind === (known.ended ? "lease_ended" : same ? "leased" : "mismatch"), "I4: an id has one lease");
    return;
  }
  const legs = payer.budgets
    .filter(({ unit }) => unit === "usd")
    .map((budget) => ({ budget, start: windowAt(budget.window, budget.timeZone, now).start ?? 0 }));
  truth.leases.set(id, { key, cap, legs, expiresAt: now + LEASE_MS, spent: 0, ended: false, refused: null });
  if (cap > 0) within(truth, legs);
  if (crashAt !== null) return;
  const once = sql.dump(...TABLES);
  must(ledger.lease(asked, payer, now).kind === "leased" && sql.dump(...TABLES) === once, "I4: a lease is taken once");
}

/** A task ends; ending it again changes nothing. One that was ended before it began never begins. */
function close(ledger: Ledger, { task, crashAt }: Step, { truth, now, sql }: Scene): void {
  const id = `task_${task}`;
  const status = ledger.endLeases([id], now)[0]!;
  const known = truth.leases.get(id);
  if (known) known.ended = true;
  else truth.leases.set(id, { key: -1, cap: 0, legs: [], expiresAt: now, spent: 0, ended: true, refused: null });
  must(status.ended && status.reserved === truth.drawnFrom(id), "L2: of a task that has ended only its calls in flight hold anything");
  if (crashAt !== null) return;
  const once = sql.dump(...TABLES);
  ledger.endLeases([id], now);
  must(sql.dump(...TABLES) === once, "I4: a lease ends once");
}

/** A task's call was admitted: its money was there, and its cap is not passed. */
function drew(id: string, request: string, granted: Amount, { truth, now }: Scene): void {
  const lease = truth.leases.get(id);
  must(lease !== undefined && !lease.ended && lease.expiresAt > now, "L2: a task that has ended draws nothing");
  must(granted.nano === 0 || lease!.spent + truth.drawnFrom(id) <= lease!.cap, "L1: no draw passes its task's cap");
  if (lease!.refused === request) lease!.refused = null;
}

/** A task's call was refused: where it was for its task's money, there is too little of it. */
function undrawn(id: string, request: string, refusal: Refusal, { truth }: Scene): void {
  if (refusal.kind !== "budget_exceeded") return;
  must(refusal.scope.kind === "task" || refusal.unit !== "usd", "L3: what was leased once is not refused by a budget");
  if (refusal.scope.kind !== "task") return;
  must(refusal.scope.id === id && refusal.requested > truth.restOf(id), "L3: what is left of a lease is refused to nobody");
  truth.leases.get(id)!.refused ??= request;
}

function reserve(ledger: Ledger, asked: Step, id: string, scene: Scene): void {
  const { truth, now, sql, before } = scene;
  // An id is one request's: what an isolate admitted is asked of nobody else.
  if (truth.isolates.some(({ untold }) => untold.has(id))) return;
  const named = asked.kind === "draw" ? `task_${asked.task}` : null;
  const from = truth.leases.get(named ?? "");
  // Now and then another key draws, which must not.
  const each = from && from.key >= 0 && asked.actual % 8 > 0 ? { ...asked, key: from.key } : asked;
  const payer = payerOf(scene, each.key);
  const wanted = { nano: 20 * (each.floor + each.more), tokens: 200 * (each.floor + each.more), requests: 20 };
  const float = { id: `flt_${id}`, wanted, slots: 2 + (each.actual % 5) };
  const admission = { ...admissionOf(each, id), ...(named === null ? { float } : { lease: named }) };
  const answer = ledger.reserve(admission, payer, now);
  if (truth.held.has(id) || truth.ended.has(id)) {
    must(sql.dump(...TABLES) === before, "I4: a repeat changes nothing");
    must(truth.held.has(id) || answer.kind === "mismatch", "I4: an id that has ended admits nothing");
    return;
  }
  if (answer.kind !== "granted") {
    must(sql.dump(...TABLES) === before, "I4: a refusal takes nothing");
    if (named !== null) undrawn(named, id, answer, scene);
    return;
  }
  const { granted } = answer;
  for (const unit of ["nano", "tokens", "requests"] as const) {
    must(granted[unit] >= admission.floor[unit] && granted[unit] <= admission.ceiling[unit], "a grant lies between floor and ceiling");
  }
  const own = payer.budgets
    .filter(({ unit }) => named === null || unit !== "usd")
    .map((budget) => ({ budget, start: windowAt(budget.window, budget.timeZone, now).start ?? 0 }));
  const legs = [...(from?.legs ?? []), ...own];
  truth.held.set(id, { lease: named, key: each.key, legs, expiresAt: now + TTL_MS, amount: granted });
  if (named !== null) {
    must(from?.key === each.key, "L2: another key draws nothing");
    drew(named, id, granted, scene);
  }
  if (answer.float) lent(answer.float, each, legs, scene);
  const tokens = admission.likely.tokens;
  truth.admissions.set(id, { key: each.key, at: now, tokens, float: null });
  if (scene.limits.rpm !== null || scene.limits.tpm !== null) truth.counted.set(id, each.key);
  paced(scene, each.key, { known: true });
  // What costs nothing passes a budget that an answer beyond its hold has overspent.
  within(
    truth,
    own.filter(({ budget }) => measured(granted, budget.unit) > 0),
  );
}

/** An isolate was lent a float: it is reserved on the same windows as the hold that came with it. */
function lent(float: Float, { isolate, key }: Step, legs: Legs, { truth, now }: Scene): void {
  must(float.amount !== null && float.usableMs > 0 && float.usableMs <= 2_000, "a float has an amount, and two seconds at most");
  const part = (amount: number) => (amount === PLENTY ? 0 : amount);
  const pace = float.pace && { requests: part(float.pace.requests), tokens: part(float.pace.tokens) };
  truth.lent.set(float.id, { id: float.id, key, legs, expiresAt: now + float.usableMs + GRACE_MS, left: float.amount!, pace });
  const unlimited = { requests: PLENTY, tokens: PLENTY, slots: PLENTY };
  truth.isolates[isolate]!.inHand = { float, until: now + float.usableMs, key, left: float.amount!, pace: float.pace ?? unlimited };
}

/** What an isolate had not told dies with it: the ledger's memory of what it lent is all that is left of it. */
function die({ isolate: at }: Step, { truth }: Scene): void {
  const isolate = truth.isolates[at]!;
  for (const id of isolate.untold.keys()) truth.admissions.delete(id);
  isolate.inHand = null;
  isolate.untold.clear();
  isolate.from.clear();
}

/** An isolate admits from its memory: nothing that the ledger could see. */
function admit(each: Step, id: string, scene: Scene): void {
  const { truth, now } = scene;
  const isolate = truth.isolates[each.isolate]!;
  const { inHand } = isolate;
  if (!inHand || now >= inHand.until || truth.held.has(id) || truth.ended.has(id)) return;
  if (truth.isolates.some(({ untold }) => untold.has(id))) return;
  const granted = { nano: each.floor, tokens: 10 * each.floor, requests: 1 };
  const { left } = inHand;
  if (left.nano < granted.nano || left.tokens < granted.tokens || left.requests < granted.requests) return;
  const counted = granted.tokens;
  const { pace } = inHand;
  if (pace.requests < 1 || pace.tokens < counted || pace.slots < 1) return;
  inHand.pace = { requests: pace.requests - 1, tokens: pace.tokens - counted, slots: pace.slots - 1 };
  inHand.left = { nano: left.nano - granted.nano, tokens: left.tokens - granted.tokens, requests: left.requests - granted.requests };
  const admission = { ...admissionOf({ ...each, key: inHand.key }, id) };
  const { id: float, legs } = inHand.float;
  const where = inHand.float.pace && { second: inHand.float.pace.second, counted };
  isolate.untold.set(id, { admission, event: admission.event, granted, float, legs, paced: where, at: now });
  isolate.from.set(id, float);
  truth.admissions.set(id, { key: inHand.key, at: now, tokens: counted, float });
  paced(scene, inHand.key, { known: false });
}

/** An isolate tells of a request that goes on; telling it again changes nothing. */
function tell(ledger: Ledger, each: Step, id: string, { truth, budgets, sql }: Scene): void {
  const floated = truth.isolates[each.isolate]!.untold.get(id);
  if (!floated) return;
  ledger.report({ began: [floated], ended: [], returned: [] }, floated.at);
  if (each.crashAt === null) {
    const once = sql.dump(...TABLES);
    ledger.report({ began: [floated], ended: [], returned: [] }, floated.at);
    must(sql.dump(...TABLES) === once, "I4: a beginning that is told again changes nothing");
  }
  truth.isolates[each.isolate]!.untold.delete(id);
  // It was given back before its beginning arrived.
  if (truth.ended.has(id)) return;
  truth.hear(floated);
  const { granted, float, at } = floated;
  const legs = floated.legs.map(({ budget, start }) => ({ budget: budgets.find((one) => one.id === budget)!, start: start ?? 0 }));
  truth.draw(float, granted);
  truth.held.set(id, { lease: null, key: Number(floated.admission.key.slice(1)), legs, expiresAt: at + TTL_MS, amount: granted });
}

/** An isolate gives up what it has not admitted from its float; giving it up again changes nothing. */
function giveBack(ledger: Ledger, each: Step, { truth, now, sql }: Scene): void {
  const isolate = truth.isolates[each.isolate]!;
  if (!isolate.inHand) return;
  const { float, left, pace } = isolate.inHand;
  const report = { began: [], ended: [], returned: [{ float: float.id, rest: left, pace: float.pace && pace }] };
  ledger.report(report, now);
  if (each.crashAt === null) {
    const once = sql.dump(...TABLES);
    ledger.report(report, now);
    must(sql.dump(...TABLES) === once, "I4: what is given back again changes nothing");
  }
  isolate.inHand = null;
  truth.draw(float.id, left);
  truth.drawPace(float.id, pace);
}

/**
 * Whatever admitted them, no more requests than the limits allow: in any minute, and at once. Of tokens, what answers used beyond
 * what was counted for them is only known to the ledger.
 */
function paced({ truth, limits, now }: Scene, key: number, { known }: { readonly known: boolean }): void {
  const all = [...truth.admissions].filter(([, each]) => each.key === key);
  const lately = all.filter(([, { at }]) => at > now - 60_000);
  must(limits.rpm === null || lately.length <= limits.rpm, "P1: no more requests in any minute than the limit");
  must(limits.concurrency === null || truth.live(key) <= limits.concurrency, "P2: no more requests in flight than the limit");
  const tokens = lately.reduce((sum, [, each]) => sum + each.tokens, 0);
  must(!known || limits.tpm === null || tokens <= limits.tpm, "P3: no more tokens in any minute than the limit, as far as is known");
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

function extend(ledger: Ledger, each: Step, id: string, scene: Scene): void {
  const { truth, now, sql, before } = scene;
  const held = truth.held.get(id);
  const to = { nano: each.floor + each.more, tokens: 10 * (each.floor + each.more), requests: 1 };
  const answer = ledger.extend(id, to, payerOf(scene, held?.key ?? each.key), now);
  if (answer.kind !== "granted") {
    must(sql.dump(...TABLES) === before, "I4: a refused extension takes nothing");
    if (held && held.lease !== null) undrawn(held.lease, id, answer, scene);
    return;
  }
  must(held !== undefined, "only a living hold grows");
  const { amount } = held!;
  const { lease } = held!;
  const grew = held!.legs.filter(
    ({ budget }) => (lease === null || budget.unit !== "usd") && measured(to, budget.unit) > measured(amount, budget.unit),
  );
  const same = to.nano <= amount.nano && to.tokens <= amount.tokens;
  held!.amount = { nano: Math.max(held!.amount.nano, to.nano), tokens: Math.max(held!.amount.tokens, to.tokens), requests: 1 };
  within(truth, grew);
  if (lease !== null && !same) drew(lease, id, to.nano > amount.nano ? to : { ...to, nano: 0 }, scene);
  if (same) must(sql.dump(...TABLES) === before, "I4: a repeated extension changes nothing");
}

function settle(ledger: Ledger, each: Step, id: string, { truth, budgets, now, sql, before }: Scene): void {
  const actual = { nano: each.actual, tokens: 10 * each.actual, requests: 1 };
  const event = JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] });
  const isolate = truth.isolates.find(({ untold }) => untold.has(id));
  const floated = isolate?.untold.get(id) ?? null;
  const settlement = { id, actual, usage: { input: 1, output: 1 }, event };
  const home = truth.isolates.find(({ from }) => from.has(id));
  const slot = home?.inHand && home.inHand.float.id === home.from.get(id) ? home.inHand.float.id : null;
  const answer = ledger.report({ began: [], ended: [{ settlement, floated, slot }], returned: [] }, now)[0]!;
  isolate?.untold.delete(id);
  home?.from.delete(id);
  if (slot !== null) home!.inHand!.pace = { ...home!.inHand!.pace, slots: home!.inHand!.pace.slots + 1 };
  const ended = truth.ended.get(id);
  const held = truth.held.get(id) ?? (floated && !ended ? heldOf(floated, budgets) : undefined);
  if (floated && !ended) {
    truth.draw(floated.float, floated.granted);
    truth.hear(floated);
  }
  must(answer.kind === expected(held, ended), `I3: at most one settle of an id (answered ${answer.kind})`);
  if (answer.kind === "settled") {
    truth.held.delete(id);
    truth.book(held!, actual);
    truth.ended.set(id, { how: "settled", held: held!, charged: actual });
    const admitted = truth.admissions.get(id);
    if (admitted) admitted.tokens = actual.tokens;
    truth.delivered.add(`cost_${id}`);
    toldTruly(sql, truth, `cost_${id}`);
  } else if (answer.kind === "late") {
    truth.book(ended!.held, ended!.charged, -1);
    truth.book(ended!.held, actual);
    truth.ended.set(id, { how: "settled", held: ended!.held, charged: actual });
    truth.delivered.add(`cost_${id}_late`);
    toldTruly(sql, truth, `cost_${id}_late`);
  } else must(sql.dump(...TABLES) === before, "I4: a repeated settle changes nothing");
}

/** What an event tells of each window that it was charged to is all that has been spent there. */
function toldTruly(sql: NodeSql, truth: Truth, id: string): void {
  const row = sql.rows<{ ids: string; events: string }>("SELECT ids, events FROM outbox_events").find(({ ids }) => ids === id);
  const { charges } = JSON.parse(row?.events ?? '{"charges":[]}') as { charges: readonly Told[] };
  for (const { budget, windowStart, spent } of charges) {
    const leg = `${budget}@${windowStart ?? 0}`;
    must(spent === (truth.spent.get(leg) ?? 0), `I7: the event tells what ${leg} has come to`);
  }
}

/** A request that the ledger first hears of when it is over, as if it had been told. */
function heldOf({ admission, legs, granted, at }: Begun, budgets: readonly Budget[]): Held {
  const found = legs.map(({ budget, start }) => ({ budget: budgets.find((one) => one.id === budget)!, start: start ?? 0 }));
  return { lease: null, key: Number(admission.key.slice(1)), legs: found, expiresAt: at + TTL_MS, amount: granted };
}

function expected(held: Held | undefined, ended: { how: string } | undefined): Settled["kind"] {
  if (held) return "settled";
  if (!ended || ended.how === "released") return "unknown";
  return ended.how === "settled" ? "repeated" : "late";
}

/** What is given back before the ledger has heard of it begins no more. */
function release(truth: Truth, id: string): void {
  const charged = { nano: 0, tokens: 0, requests: 0 };
  const held = truth.held.get(id);
  if (!held) {
    if (!truth.ended.has(id))
      truth.ended.set(id, { how: "released", held: { lease: null, key: 0, legs: [], expiresAt: 0, amount: charged }, charged });
    return;
  }
  truth.held.delete(id);
  truth.ended.set(id, { how: "released", held, charged });
  truth.admissions.delete(id);
  truth.counted.delete(id);
}

function expire(truth: Truth, id: string, held: Held): void {
  truth.held.delete(id);
  truth.book(held, held.amount);
  truth.ended.set(id, { how: "expired", held, charged: held.amount });
  truth.delivered.add(`cost_${id}`);
}

/** Balances, holds and outbox agree with the truth, to the last unit. */
function balanced(sql: NodeSql, truth: Truth, limits: PaceLimits): void {
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
  countedTruly(sql, truth, limits);
  leasedTruly(sql, truth);
  const outbox = sql.rows<{ ids: string }>("SELECT ids FROM outbox_events JOIN outbox_due USING (seq)").map(({ ids }) => ids);
  must(outbox.length === truth.delivered.size && outbox.every((id) => truth.delivered.has(id)), "I5: every ending is delivered, once");
}

/** What a task has spent and holds is what its calls came to and hold, and nothing but its end ends it. */
function leasedTruly(sql: NodeSql, truth: Truth): void {
  type Row = { id: string; spent: number; drawn: number; refused: string | null; ended: number };
  const rows = sql.rows<Row>("SELECT id, spent, drawn, refused, ended_at IS NOT NULL AS ended FROM leases");
  must(rows.length === truth.leases.size, "L4: every lease is remembered");
  for (const { id, spent, drawn, refused, ended } of rows) {
    const lease = truth.leases.get(id);
    must(spent === lease?.spent, `L4: spent of ${id} equals what its calls came to`);
    must(drawn === truth.drawnFrom(id), `L4: drawn from ${id} is what its calls hold`);
    must((ended === 1) === lease?.ended, `L4: ${id} has ended, or has not`);
    must(refused === lease?.refused, `L4: ${id} knows whether it refused a call`);
  }
}

/**
 * What is counted of a key's pace is what was admitted and told, and what is lent: nothing stays counted that nobody used. Its places
 * are no fewer than are taken.
 */
function countedTruly(sql: NodeSql, truth: Truth, { concurrency }: PaceLimits): void {
  const rows = sql.rows<{ key: string; requests: number }>("SELECT key, sum(requests) AS requests FROM pace GROUP BY key");
  for (const { key, requests } of rows) {
    const lent = [...truth.lent.values()]
      .filter((each) => `k${each.key}` === key)
      .reduce((sum, { pace }) => sum + (pace?.requests ?? 0), 0);
    const counted = [...truth.counted.values()].filter((each) => `k${each}` === key).length;
    must(requests === counted + lent, `I2: what is counted of the pace of ${key} was used or is lent`);
  }
  if (concurrency === null) return;
  for (const key of [0, 1, 2]) {
    const [{ places } = { places: 0 }] = sql.rows<{ places: number }>(
      `SELECT (SELECT count(*) FROM holds WHERE key = 'k${key}') + (SELECT coalesce(sum(slots), 0) FROM slices WHERE key = 'k${key}') AS places`,
    );
    must(places >= truth.live(key), `I2: of k${key} no more is in flight than places are taken`);
  }
}

/** Without traffic every hold becomes a record, and nothing stays reserved. */
function quiet(ledger: Ledger, { sql, truth, limits, now }: Pick<Scene, "sql" | "truth" | "limits" | "now">): void {
  const later = now + TTL_MS + 1;
  let rounds = 0;
  while (ledger.expire(later, 3) > 0) must(++rounds < 100, "I6: what has expired is gone");
  for (const id of truth.lent.keys()) truth.lapse(id);
  for (const lease of truth.leases.values()) lease.ended = true;
  for (const [id, held] of truth.held) expire(truth, id, held);
  balanced(sql, truth, limits);
  const [left] = sql.rows<{ reserved: number | null }>("SELECT sum(reserved) AS reserved FROM balances");
  must((left?.reserved ?? 0) === 0, "I6: without traffic reserved returns to 0");
  must(sql.rows("SELECT * FROM slices").length === 0, "I6: without traffic no pace is lent");
}
