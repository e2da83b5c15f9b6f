import { and, countDistinct, desc, eq, gte, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";

const { policyDecisions } = tables;

/** What a policy said of a request, as stored. */
export type DecisionRow = typeof policyDecisions.$inferSelect;

/** Which decisions are looked for. */
export interface DecisionFilter {
  readonly policy?: string;
  readonly request?: string;
  readonly key?: string;
  readonly outcome?: DecisionRow["outcome"];
  readonly from?: number;
  readonly to?: number;
}

function matching({ policy, request, key, outcome, from, to }: DecisionFilter): SQL[] {
  return [
    ...(policy === undefined ? [] : [eq(policyDecisions.policy, policy)]),
    ...(request === undefined ? [] : [eq(policyDecisions.request, request)]),
    ...(key === undefined ? [] : [eq(policyDecisions.key, key)]),
    ...(outcome === undefined ? [] : [eq(policyDecisions.outcome, outcome)]),
    ...(from === undefined ? [] : [gte(policyDecisions.at, from)]),
    ...(to === undefined ? [] : [lt(policyDecisions.at, to)]),
  ];
}

/** The decision log, newest first. */
export async function listDecisions(db: Db, filter: DecisionFilter, { limit, cursor }: Paging): Promise<Page<DecisionRow>> {
  const place = { createdAt: policyDecisions.at, id: policyDecisions.id };
  const rows = await db
    .select()
    .from(policyDecisions)
    .where(and(after(place, cursor), ...matching(filter)))
    .orderBy(desc(policyDecisions.at), desc(policyDecisions.id))
    .limit(limit + 1);
  const { rows: shown, next } = paged(
    rows.map((row) => ({ ...row, createdAt: row.at })),
    limit,
  );
  return { rows: shown, next };
}

/** How often each policy said what, from a time (inclusive) to another (exclusive); the most talkative first. */
export async function countDecisions(
  db: Db,
  span: { readonly from: number; readonly to: number },
  limit: number,
): Promise<DecisionCount[]> {
  const { policy, mode, outcome } = policyDecisions;
  const count = sql<number>`count(*)`;
  return db
    .select({ policy, mode, outcome, count })
    .from(policyDecisions)
    .where(and(...matching(span)))
    .groupBy(policy, mode, outcome)
    .orderBy(desc(count), policy)
    .limit(limit);
}

/** How often one policy came to one outcome. */
export type DecisionCount = Pick<DecisionRow, "policy" | "mode" | "outcome"> & { readonly count: number };

/** How often each policy failed and of what, from a time (inclusive) to another (exclusive); the most frequent first. */
export async function countFailures(
  db: Db,
  span: { readonly from: number; readonly to: number },
  limit: number,
): Promise<(Pick<DecisionRow, "policy" | "mode" | "failure"> & { readonly count: number })[]> {
  const { policy, mode, failure } = policyDecisions;
  const count = sql<number>`count(*)`;
  return db
    .select({ policy, mode, failure, count })
    .from(policyDecisions)
    .where(and(isNotNull(failure), ...matching(span)))
    .groupBy(policy, mode, failure)
    .orderBy(desc(count), policy)
    .limit(limit);
}

/** About how many requests one policy decided before their call in a span of time. */
export async function countRequests(db: Db, filter: DecisionFilter): Promise<number> {
  const { request, stage } = policyDecisions;
  const [row] = await db
    .select({ requests: countDistinct(request) })
    .from(policyDecisions)
    .where(and(eq(stage, "evaluate"), ...matching(filter)));
  return row?.requests ?? 0;
}

/** The newest decisions before a call that one policy made in a span of time, at most `limit`. */
export async function newestDecisions(db: Db, filter: DecisionFilter, limit: number): Promise<DecisionRow[]> {
  return db
    .select()
    .from(policyDecisions)
    .where(and(eq(policyDecisions.stage, "evaluate"), ...matching(filter)))
    .orderBy(desc(policyDecisions.at), desc(policyDecisions.id))
    .limit(limit);
}
