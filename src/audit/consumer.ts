import { getTableColumns, sql } from "drizzle-orm";
import { femtoFromUsd, inputTokens, NANO_MAX, outputTokens, usdFromFemto } from "#core";
import { type Db, tables } from "#db";
import { type AuditEvent, type Event, event, type RequestEvent } from "./contract.ts";
import { countedTogether } from "./roll-ups.ts";

const FEMTO_PER_NANO = 1_000_000n;
const NOTHING = "0";

type CostInsert = typeof tables.costRecords.$inferInsert;
type RequestInsert = typeof tables.requests.$inferInsert;
type DecisionInsert = typeof tables.policyDecisions.$inferInsert;
type AuditInsert = typeof tables.auditEntries.$inferInsert;

/** The rows that events become. */
interface Rows {
  readonly costs: CostInsert[];
  readonly requests: RequestInsert[];
  readonly decisions: DecisionInsert[];
  readonly entries: AuditInsert[];
}

/** Looks at events once they are written; a batch that it fails on comes again. */
type Look = (events: readonly Event[]) => Promise<void>;

/**
 * Writes one batch of the queue into D1: a statement per table, however many events, and the sums of cost once for all of them. Each row
 * is inserted by its id at most once, so a redelivery changes nothing. What does not parse, or cannot be written, is retried alone and
 * ends in the dead letters; its neighbours pass. `look` sees every event that was written, at least once.
 */
export async function consume(batch: MessageBatch, db: Db, look: Look = async () => undefined): Promise<void> {
  const read = batch.messages.map((message) => ({ message, ...eventsOf(message.body) }));
  const taken = async (events: readonly Event[]) => (await written(db, events)) && looked(events, look);
  const whole = await taken(read.flatMap(({ events }) => events));
  for (const { message, events, sound } of read) {
    if ((whole || (await taken(events)) || (await oneByOne(events, taken))) && sound) message.ack();
    else message.retry();
  }
}

/** A message holds one event, or the text of a list of them. What is no event of ours makes it unsound; the others count. */
function eventsOf(body: unknown): { readonly events: Event[]; readonly sound: boolean } {
  let list: unknown = body;
  try {
    if (typeof body === "string") list = JSON.parse(body);
  } catch {
    return { events: [], sound: false };
  }
  const parsed = (Array.isArray(list) ? list : [list]).map((each) => event.safeParse(each));
  const events = parsed.flatMap(({ data }) => (data && amountsHold(data) ? [data] : []));
  return { events, sound: events.length === parsed.length };
}

function amountsHold(each: Event): boolean {
  if (each.kind === "audit" || !each.cost) return true;
  const costs = [each.cost, ...(each.lost ?? []).map(({ cost }) => cost)];
  return costs.every(({ actualUsd, estimatedUsd, receipt: { savedUsd = NOTHING } }) =>
    [actualUsd, estimatedUsd, savedUsd].every((usd) => split(usd) !== null),
  );
}

/** The last resort: what can be written is, so that one bad row keeps no other from its place. */
async function oneByOne(events: readonly Event[], taken: (events: readonly Event[]) => Promise<boolean>): Promise<boolean> {
  let all = true;
  for (const each of events) all = (await taken([each])) && all;
  return all;
}

async function looked(events: readonly Event[], look: Look): Promise<boolean> {
  return look(events).then(
    () => true,
    () => false,
  );
}

/** One transaction: all of it or nothing. */
async function written(db: Db, events: readonly Event[]): Promise<boolean> {
  const { costs, requests, decisions, entries } = rowsOf(events);
  const statements = [
    ...(requests.length > 0 ? [insertAll(db, tables.requests, requests)] : []),
    ...(costs.length > 0 ? recorded(db, costs) : []),
    ...(decisions.length > 0 ? [insertAll(db, tables.policyDecisions, decisions)] : []),
    ...(entries.length > 0 ? [insertAll(db, tables.auditEntries, entries)] : []),
  ];
  const [first, ...rest] = statements;
  if (!first) return true;
  return db.batch([first, ...rest]).then(
    () => true,
    () => false,
  );
}

/** Opening a batch and closing it writes two rows more, which one record alone does not make up for. */
function recorded(db: Db, costs: readonly CostInsert[]) {
  const insert = insertAll(db, tables.costRecords, costs);
  return costs.length === 1 ? [insert] : countedTogether(db, insert);
}

type Table =
  | typeof tables.costRecords
  | typeof tables.requests
  | typeof tables.policyDecisions
  | typeof tables.auditEntries
  | typeof tables.auditSeals;

/**
 * One statement for any number of rows, none of which is inserted twice; they travel as one parameter: D1 takes at most a hundred.
 * Each row is a list in the order of the columns, and is parsed once: the element of a `json_each` is written out anew wherever it
 * is named. What a column holds as JSON stands in the list as it is.
 */
export function insertAll(db: Db, table: Table, rows: readonly Readonly<Record<string, unknown>>[]) {
  const columns = Object.entries(getTableColumns(table));
  const lists = rows.map((row) => columns.map(([property]) => row[property] ?? null));
  const values = columns.map(([, { dataType }], at) => {
    const place = sql.raw(String(at));
    return dataType === "json" ? sql`nullif(list -> ${place}, 'null')` : sql`list ->> ${place}`;
  });
  const parsed = sql`with parsed (list) as materialized (select jsonb(value) from json_each(${JSON.stringify(lists)}))`;
  return db
    .insert(table)
    .select(sql`${parsed} select ${sql.join(values, sql`, `)} from parsed where true`)
    .onConflictDoNothing();
}

function rowsOf(events: readonly Event[]): Rows {
  const rows: Rows = { costs: [], requests: [], decisions: [], entries: [] };
  for (const each of events) {
    if (each.kind === "audit") {
      rows.entries.push(auditRow(each));
      continue;
    }
    rows.requests.push(requestRow(each));
    rows.decisions.push(...decisionRows(each));
    rows.costs.push(...costRows(each));
  }
  return rows;
}

/** An exact amount as two integers, whose sums SQL keeps exact; null for text that is no amount or too large to count. */
export function split(usd: string): { readonly nanoFloor: number; readonly femtoRest: number } | null {
  let femto: bigint;
  try {
    femto = femtoFromUsd(usd);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
  const nano = femto / FEMTO_PER_NANO;
  return nano > BigInt(NANO_MAX) ? null : { nanoFloor: Number(nano), femtoRest: Number(femto % FEMTO_PER_NANO) };
}

/** Puts the two integers of summed amounts together again, as exact USD text. */
export function joined(nanoFloor: string, femtoRest: string): string {
  return usdFromFemto(BigInt(nanoFloor) * FEMTO_PER_NANO + BigInt(femtoRest));
}

/** Whose a row is, in the one form that sums and filters know: nothing is null, never empty, and no tag stands twice. */
function attributed(invocation: RequestEvent["invocation"]) {
  const { endUser, session, tags } = invocation;
  const named = tags.filter((tag) => tag !== "");
  return { ...invocation, endUser: endUser || null, session: session || null, tags: [...new Set(named)] };
}

function requestRow({ invocation, cost, lost = [], log, policies, auto, refusal }: RequestEvent): RequestInsert {
  const { request: id, ...facts } = attributed(invocation);
  return {
    ...facts,
    id,
    httpStatus: log.httpStatus,
    code: log.code,
    latencyMs: Math.round(log.latencyMs),
    firstByteMs: log.firstByteMs === null ? null : Math.round(log.firstByteMs),
    overheadMs: log.overheadMs === null ? null : Math.round(log.overheadMs),
    inputTokens: cost ? inputTokens(cost.usage) : 0,
    outputTokens: cost ? outputTokens(cost.usage) : 0,
    usd: usdOf([cost, ...lost.map((each) => each.cost)]),
    upstreamRequestId: log.upstreamRequestId,
    policies: policies?.map(({ policy, version, mode, stage, outcome }) => ({ policy, version, mode, stage, outcome })) ?? null,
    auto: auto ?? null,
    refusal: refusal ?? null,
  };
}

function decisionRows({ invocation: { request, at, team, key }, policies = [] }: RequestEvent): DecisionInsert[] {
  return policies.map(({ scope, ...decision }) => ({ ...decision, request, at, team, key, scopeKind: scope.kind, scopeId: scope.id }));
}

/** What a request cost with all its attempts. */
function usdOf(costs: readonly RequestEvent["cost"][]): string {
  return usdFromFemto(costs.reduce((sum, cost) => sum + (cost ? femtoFromUsd(cost.actualUsd) : 0n), 0n));
}

/** The record of a request, and one of each attempt that was lost before; each bears its own part of what was charged. */
function costRows({ invocation, cost, lost = [], charges }: RequestEvent): CostInsert[] {
  if (!cost) return [];
  const parts = lost.map((each) => charges.map((charge) => ({ ...charge, amount: partOf(charge.unit, each) })));
  const rest = charges.map((charge, at) => ({ ...charge, amount: parts.reduce((left, part) => left - part[at]!.amount, charge.amount) }));
  const others = lost.map(({ cost, provider, model }, at) =>
    costRow({ ...invocation, provider, model, outcome: "error" }, cost, parts[at]!),
  );
  return [costRow(invocation, cost, rest), ...others];
}

/** A request is counted once, by its own record. */
function partOf(unit: Charges[number]["unit"], { cost, tokens }: NonNullable<RequestEvent["lost"]>[number]): number {
  return unit === "usd" ? cost.nanoUsd : unit === "tokens" ? tokens : 0;
}

type Charges = RequestEvent["charges"];

function costRow(invocation: RequestEvent["invocation"], cost: NonNullable<RequestEvent["cost"]>, charges: Charges): CostInsert {
  const { usage, ...paid } = cost;
  const [amount, saved] = [split(cost.actualUsd), split(cost.receipt.savedUsd ?? NOTHING)];
  if (!amount || !saved) throw new RangeError("an amount that was judged before is none");
  return {
    ...attributed(invocation),
    ...paid,
    ...usage,
    ...amount,
    savedNano: saved.nanoFloor,
    savedFemto: saved.femtoRest,
    receipt: {
      ...cost.receipt,
      charges: charges.map(({ budget, windowStart, unit, amount: charged }) => ({ budget, windowStart, unit, amount: charged })),
    },
    resourceKind: "model",
    provider: invocation.provider ?? "",
    model: invocation.model ?? "",
    attempts: invocation.attempts.length,
  };
}

function auditRow(entry: AuditEvent): AuditInsert {
  const { id, at, type, severity, outcome, team, key, request, task, details, actor, subject } = entry;
  return {
    id,
    at,
    type,
    severity,
    outcome,
    team,
    key,
    request,
    task,
    details,
    actorKind: actor.kind,
    actorId: actor.id,
    subjectKind: subject?.kind ?? null,
    subjectId: subject?.id ?? null,
    before: entry.before ?? null,
    after: entry.after ?? null,
  };
}
