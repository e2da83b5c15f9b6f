import { and, eq, isNull, lt } from "drizzle-orm";
import { sha256, TollgateError } from "#core";
import { type Db, tables } from "#db";

const { idempotency } = tables;

/** What was answered: a status, and a body without its secret. */
export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

/** One write that its maker may repeat. */
export interface Attempt {
  readonly actor: string;
  readonly route: string;
  readonly key: string;
  readonly body: string;
}

const KEPT_MS = 24 * 3_600_000;
/** After so long a first attempt that never finished is taken for dead. */
const ABANDONED_MS = 60_000;
const KEY_MAX = 255;

/**
 * Runs a write once per actor, route and key: a repeat with the same body gets the first answer, its secret left out.
 * @throws TollgateError `idempotency_mismatch` with another body, `overloaded` while the first is still at work.
 */
export async function once(db: Db, attempt: Attempt, now: number, run: () => Promise<Answered>): Promise<Answered> {
  if (attempt.key === "" || attempt.key.length > KEY_MAX) {
    throw new TollgateError("invalid_request", `Idempotency-Key must hold 1 to ${KEY_MAX} characters`, { param: "idempotency-key" });
  }
  const bodyDigest = await sha256(attempt.body);
  const { actor, route, key } = attempt;
  const row = and(eq(idempotency.actor, actor), eq(idempotency.route, route), eq(idempotency.key, key));
  await db.delete(idempotency).where(and(row, lt(idempotency.createdAt, now - KEPT_MS)));
  const claimed = await db.insert(idempotency).values({ actor, route, key, bodyDigest, createdAt: now }).onConflictDoNothing().returning();
  if (claimed.length === 0) {
    const [known] = await db.select().from(idempotency).where(row);
    if (!known) return once(db, attempt, now, run);
    if (known.bodyDigest !== bodyDigest) throw new TollgateError("idempotency_mismatch", "This Idempotency-Key was used with another body");
    if (known.status !== null) return { status: known.status, body: known.answer };
    if (now - known.createdAt < ABANDONED_MS) throw atWork();
    // Of many that find it abandoned, the one whose update still meets the old moment takes it over.
    const abandoned = and(row, isNull(idempotency.status), eq(idempotency.createdAt, known.createdAt));
    const taken = await db.update(idempotency).set({ createdAt: now }).where(abandoned).returning();
    if (taken.length === 0) throw atWork();
  }
  const answered = await run().catch(async (error: unknown) => {
    await db.delete(idempotency).where(row);
    throw error;
  });
  // Outside that catch: what was done must not become free to be done again because its answer could not be kept.
  await db
    .update(idempotency)
    .set({ status: answered.status, answer: withoutSecret(answered.body) })
    .where(row);
  return answered;
}

function atWork(): TollgateError {
  return new TollgateError("overloaded", "The first request with this Idempotency-Key is still at work", { retryAfterMs: 1_000 });
}

function withoutSecret(body: unknown): unknown {
  return typeof body === "object" && body !== null && "secret" in body ? { ...body, secret: null } : (body ?? null);
}

/** Drops what is older than a day. */
export async function pruneIdempotency(db: Db, now: number): Promise<void> {
  await db.delete(idempotency).where(lt(idempotency.createdAt, now - KEPT_MS));
}
