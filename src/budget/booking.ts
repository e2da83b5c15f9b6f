import { minus } from "./amount.ts";
import type { Amount, Charge, Counted, Elsewhere, Floated, Leg, Notice, Report, Settled, Settlement } from "./contract.ts";
import { Draws } from "./floats.ts";
import { type EndedRow, endedOf, type HoldRow, holdsOf, insertHold, isKnown } from "./holds.ts";
import { freedBy, rebook } from "./leases.ts";
import { change, chargesOf, measured, reserve, told } from "./legs.ts";
import { notify } from "./notices.ts";
import { deliver, finished, late } from "./outbox.ts";
import { count } from "./pace.ts";
import { drawPace, keepSlot } from "./slices.ts";
import type { Sql } from "./sql.ts";

/** A reservation that ends: what is freed, and what it came to. */
export interface Ending {
  readonly id: string;
  readonly key: string;
  readonly how: EndedRow["how"];
  readonly legs: readonly Leg[];
  readonly elsewhere: readonly Elsewhere[];
  readonly held: Amount;
  readonly actual: Amount;
  /** Where its pace was counted; null where it was not. */
  readonly paced: Counted | null;
  /** The lease that its money was drawn from, to which what it did not use goes back. */
  readonly lease: string | null;
}

/** The ending of a hold. */
export function endingOf(hold: HoldRow, how: EndedRow["how"], actual: Amount): Ending {
  const { id, key, legs, elsewhere, second, counted, paced, lease } = hold;
  return { id, key, how, legs, elsewhere, held: hold, actual, paced: paced ? { second, counted } : null, lease };
}

/** Frees what was held, books what it came to and remembers it: so many statements, however many reservations end. */
export function end(sql: Sql, endings: readonly Ending[], now: number): void {
  if (endings.length === 0) return;
  change(
    sql,
    endings.flatMap(({ legs, held, actual, lease }) => {
      const freed = lease === null ? held : { ...held, nano: freedBy(sql, lease, { held: held.nano, actual: actual.nano }) };
      return legs.map((leg) => {
        const [spent, reserved] = [measured(actual, leg.unit), measured(freed, leg.unit)];
        return { leg, spent, reserved: -reserved, over: Math.max(0, spent - reserved) };
      });
    }),
  );
  sql.exec("DELETE FROM holds WHERE id IN (SELECT value FROM json_each(?))", JSON.stringify(endings.map(({ id }) => id)));
  const rows = endings.map(({ id, key, how, legs, elsewhere, actual, lease }) => {
    const { nano, tokens, requests } = actual;
    const charged = JSON.stringify(chargesOf([...legs, ...everyLeg(elsewhere)], actual));
    return { id, key, how, nano, tokens, requests, legs: JSON.stringify(legs), elsewhere: JSON.stringify(elsewhere), charged, lease };
  });
  sql.exec(
    `INSERT INTO ended (id, key, how, nano, tokens, requests, legs, charged, elsewhere, lease, at)
     SELECT value->>'id', value->>'key', value->>'how', value->>'nano', value->>'tokens', value->>'requests', value->>'legs',
       value->>'charged', value->>'elsewhere', value->>'lease', ?
     FROM json_each(?)`,
    now,
    JSON.stringify(rows),
  );
  notify(sql, endings, now);
  for (const { key, actual, paced } of endings)
    if (paced) count(sql, key, paced.second, { requests: 0, tokens: actual.tokens - paced.counted });
}

/** The windows of wider budgets that a request is charged to as well. */
export function everyLeg(elsewhere: readonly Elsewhere[]): Leg[] {
  return elsewhere.flatMap(({ legs }) => legs);
}

/** What a key's totals grow by. */
export interface Total {
  readonly key: string;
  readonly nano: number;
  readonly requests: number;
  readonly input: number;
  readonly output: number;
}

/** Adds to the totals of keys. */
export function total(sql: Sql, totals: readonly Total[]): void {
  const sums = new Map<string, Total>();
  for (const each of totals) {
    const sum = sums.get(each.key) ?? { nano: 0, requests: 0, input: 0, output: 0 };
    const { key } = each;
    sums.set(key, {
      key,
      nano: sum.nano + each.nano,
      requests: sum.requests + each.requests,
      input: sum.input + each.input,
      output: sum.output + each.output,
    });
  }
  for (const { key, nano, requests, input, output } of sums.values()) {
    sql.exec(
      `INSERT INTO totals (key, nano, requests, input, output) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET nano = nano + excluded.nano, requests = requests + excluded.requests,
         input = input + excluded.input, output = output + excluded.output`,
      key,
      nano,
      requests,
      input,
      output,
    );
  }
}

/** Makes holds of requests that an isolate has admitted and not ended. */
export function begin(sql: Sql, began: Report["began"]): void {
  const draws = new Draws(sql);
  for (const { admission, granted, float, legs, paced, at, event } of began) {
    const { id, key, ttlMs } = admission;
    if (isKnown(sql, id)) continue;
    drawPace(sql, { key, float, paced });
    reserve(sql, legs, minus(granted, draws.take(float, granted)));
    const pace = { ...(paced ?? { second: 0, counted: 0 }), paced: paced !== null };
    insertHold(sql, { id, key, body: "", ...granted, legs, ...pace, bound: false, event, elsewhere: [], lease: null }, at + ttlMs);
  }
  draws.write();
}

/** Books what requests used, each exactly once; after expiry it replaces the estimate. Answers in the order asked. */
export function settle(sql: Sql, ended: Report["ended"], now: number): Settled[] {
  const ids = ended.map(({ settlement }) => settlement.id);
  const holds = holdsOf(sql, ids);
  const over = endedOf(sql, ids);
  const draws = new Draws(sql);
  const endings: Ending[] = [];
  const totals: Total[] = [];
  const events: string[] = [];
  const charges: (readonly Charge[])[] = [];
  const answers = ended.map(({ settlement, floated, slot }): Settled => {
    const { id, actual, usage, event } = settlement;
    const before = over.get(id);
    if (endings.some((each) => each.id === id)) return { kind: "repeated", charged: [] };
    if (before) return again(sql, settlement, before, now);
    const hold = holds.get(id);
    if (!hold && !floated) return { kind: "unknown" };
    const ending = hold ? endingOf(hold, "settled", actual) : floatedEnding(sql, floated!, { draws, actual });
    if (slot !== null) keepSlot(sql, ending.key, slot);
    const charged = chargesOf([...ending.legs, ...everyLeg(ending.elsewhere)], actual);
    endings.push(ending);
    totals.push({ key: ending.key, nano: actual.nano, requests: actual.requests, ...usage });
    if (event !== "") {
      events.push(event);
      charges.push(charged);
    }
    return { kind: "settled", charged };
  });
  draws.write();
  end(sql, endings, now);
  total(sql, totals);
  const deliveries = told(sql, charges).map((charged, at) => finished(events[at]!, charged));
  deliver(sql, deliveries, now);
  return answers;
}

/** A request that ended before its beginning was told. */
function floatedEnding(
  sql: Sql,
  { admission: { id, key }, granted, float, legs, paced }: Floated,
  { draws, actual }: { readonly draws: Draws; readonly actual: Amount },
): Ending {
  drawPace(sql, { key, float, paced });
  return { id, key, how: "settled", legs, elsewhere: [], held: draws.take(float, granted), actual, paced, lease: null };
}

/** An ending of what has ended already: a repeat, or better news of what had expired. */
function again(
  sql: Sql,
  { id, actual, usage, event, how = "settled" }: Settlement & { how?: "settled" | "expired" },
  before: EndedRow,
  now: number,
): Settled {
  if (before.how === "released") return { kind: "unknown" };
  if (before.how === "settled") return { kind: "repeated", charged: before.charged };
  const charged: readonly Charge[] = chargesOf([...before.legs, ...everyLeg(before.elsewhere)], actual);
  const fromLease = before.lease === null ? 0 : rebook(sql, before.lease, actual.nano - before.nano);
  change(
    sql,
    before.legs.map((leg) => {
      const more = measured(actual, leg.unit) - measured(before, leg.unit);
      const freed = leg.unit === "usd" ? fromLease : 0;
      return { leg, spent: more, reserved: -freed, over: Math.max(0, more - freed) };
    }),
  );
  total(sql, [{ key: before.key, nano: actual.nano - before.nano, requests: 0, ...usage }]);
  sql.exec(
    "UPDATE ended SET how = ?, nano = ?, tokens = ?, requests = ?, charged = ? WHERE id = ?",
    how,
    actual.nano,
    actual.tokens,
    actual.requests,
    JSON.stringify(charged),
    id,
  );
  notify(sql, [{ id, how: "settled", actual, elsewhere: before.elsewhere }], now);
  if (event !== "") {
    const [toldOf = []] = told(sql, [charged]);
    deliver(sql, [late(event, toldOf)], now);
  }
  return { kind: "late", charged };
}

const NO_USAGE = { input: 0, output: 0 };

/** Follows the ledger that keeps a request's record: what it came to there it comes to here. */
export function follow(sql: Sql, { id, how, actual }: Notice, now: number): void {
  const hold = holdsOf(sql, [id]).get(id);
  const before = endedOf(sql, [id]).get(id);
  if (hold) end(sql, [endingOf(hold, how, actual)], now);
  else if (before && how !== "released") again(sql, { id, actual, usage: NO_USAGE, event: "", how }, before, now);
}
