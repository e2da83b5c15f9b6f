import { inputTokens, femtoFromUsd, NANO_MAX, outputTokens, usdFromFemto } from "#core";
import { type Db, tables } from "#db";
import { type AuditEvent, event, type RequestEvent } from "./contract.ts";

const FEMTO_PER_NANO = 1_000_000n;

/**
 * Writes one batch of the queue into D1. Each row is inserted by its id at most once, so a redelivery changes nothing. What does
 * not parse, or cannot be written, is retried alone and ends in the dead letters; its neighbours pass.
 */
export async function consume(batch: MessageBatch, db: Db): Promise<void> {
  const ready: { readonly message: Message; readonly statements: Statement[] }[] = [];
  for (const message of batch.messages) {
    const statements = statementsOf(message.body, db);
    if (statements) ready.push({ message, statements });
    else message.retry();
  }
  if (ready.length === 0) return;
  if (
    await written(
      db,
      ready.flatMap((each) => each.statements),
    )
  ) {
    for (const { message } of ready) message.ack();
    return;
  }
  for (const { message, statements } of ready) {
    if (await written(db, statements)) message.ack();
    else message.retry();
  }
}

type Statement = ReturnType<typeof auditInsert> | ReturnType<typeof costInsert> | ReturnType<typeof requestInsert>;

/** Each statement binds one row, which stays under D1's 100 parameters. The batch is one transaction: all of it or nothing. */
async function written(db: Db, statements: readonly Statement[]): Promise<boolean> {
  const [first, ...rest] = statements;
  if (!first) return true;
  return db.batch([first, ...rest]).then(
    () => true,
    () => false,
  );
}

/** The inserts of one message, or null when it is none of ours or names an amount that is none. */
function statementsOf(body: unknown, db: Db): Statement[] | null {
  const parsed = event.safeParse(body);
  if (!parsed.success) return null;
  if (parsed.data.kind === "audit") return [auditInsert(db, parsed.data)];
  const { cost } = parsed.data;
  if (!cost) return [requestInsert(db, parsed.data)];
  const amount = split(cost.actualUsd);
  if (!amount || !split(cost.estimatedUsd)) return null;
  return [requestInsert(db, parsed.data), costInsert(db, parsed.data, cost, amount)];
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

function requestInsert(db: Db, { invocation, cost, log }: RequestEvent) {
  const { request, endUser, session, capability, requested, provider, model, stream, outcome, attempts, tags, metadata } = invocation;
  const { at, key, team, user } = invocation;
  return db
    .insert(tables.requests)
    .values({
      id: request,
      at,
      key,
      team,
      user,
      endUser,
      session,
      capability,
      requested,
      provider,
      model,
      stream,
      outcome,
      attempts,
      tags,
      metadata,
      httpStatus: log.httpStatus,
      code: log.code,
      latencyMs: Math.round(log.latencyMs),
      firstByteMs: log.firstByteMs === null ? null : Math.round(log.firstByteMs),
      overheadMs: log.overheadMs === null ? null : Math.round(log.overheadMs),
      inputTokens: cost ? inputTokens(cost.usage) : 0,
      outputTokens: cost ? outputTokens(cost.usage) : 0,
      usd: cost?.actualUsd ?? "0",
      upstreamRequestId: log.upstreamRequestId,
      content: log.content ?? null,
    })
    .onConflictDoNothing();
}

function costInsert(
  db: Db,
  { invocation, charges }: RequestEvent,
  cost: NonNullable<RequestEvent["cost"]>,
  amount: { readonly nanoFloor: number; readonly femtoRest: number },
) {
  const { usage, ...paid } = cost;
  return db
    .insert(tables.costRecords)
    .values({
      ...invocation,
      ...paid,
      ...usage,
      ...amount,
      receipt: { ...cost.receipt, charges },
      resourceKind: "model",
      provider: invocation.provider ?? "",
      model: invocation.model ?? "",
      attempts: invocation.attempts.length,
    })
    .onConflictDoNothing();
}

function auditInsert(db: Db, entry: AuditEvent) {
  const { id, at, type, severity, outcome, team, key, request, task, details, actor, subject } = entry;
  return db
    .insert(tables.auditEntries)
    .values({
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
    })
    .onConflictDoNothing();
}
