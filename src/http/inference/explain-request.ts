import type { Context } from "hono";
import { type CostRow, getRequest, recordsOf, type RequestRow } from "#audit";
import { TollgateError } from "#core";
import { type DecisionRow, listDecisions } from "#policy";
import { receiptShape } from "../admin/costs.ts";
import { authenticatedKey } from "../authenticate.ts";
import type { Http } from "../platform.ts";
import { iso } from "../time.ts";

/** More than any chain has policies and stages. */
const DECISIONS_MAX = 200;

/**
 * `GET /v1/requests/{id}/explain`: why a request of the caller's own key went the way it did, from what was recorded of it. Another
 * key's request looks like one that never was.
 */
export async function explainRequest(context: Context<Http>): Promise<Response> {
  const { env } = context;
  const { key } = await authenticatedKey(env, context.req.raw);
  const id = context.req.param("id") ?? "";
  const row = await getRequest(env.db, id, { key });
  if (!row) throw new TollgateError("not_found", "There is no such request; one that has just ended can be read within ten seconds");
  const [records, decisions] = await Promise.all([
    recordsOf(env.db, id, { key }),
    listDecisions(env.db, { request: id, key }, { limit: DECISIONS_MAX }),
  ]);
  return context.json(explanationShape(row, records, decisions.rows));
}

function explanationShape(row: RequestRow, records: readonly CostRow[], decisions: readonly DecisionRow[]) {
  const paid = records.at(-1);
  return {
    object: "request_explanation",
    id: row.id,
    at: iso(row.at),
    outcome: { status: row.httpStatus, outcome: row.outcome, code: row.code, refusal: row.refusal },
    authentication: { key: row.key, team: row.team, user: row.user },
    request: askedShape(row),
    limits: limitsShape(row, paid),
    policies: row.policies === null ? [] : decisions.filter(({ mode }) => mode !== "shadow").map(policyShape),
    cache: paid?.cache ?? null,
    routing: { chosen_by: row.auto === null ? "caller" : "auto", auto: row.auto, provider: row.provider, model: row.model },
    attempts: row.attempts,
    cost: paid ? costShape(paid, records.length) : null,
    timings: { latency_ms: row.latencyMs, first_byte_ms: row.firstByteMs, overhead_ms: row.overheadMs },
    not_recorded: notRecorded(row, paid),
  };
}

function askedShape(row: RequestRow) {
  const { capability: operation, requested: model, stream, endUser: end_user, session, tags, metadata } = row;
  return { operation, model, stream, end_user, session, tags, metadata };
}

/** What stood in the way, where something did; else the budgets that the request was charged to. */
function limitsShape({ code, refusal }: RequestRow, paid: CostRow | undefined) {
  const limited = code === "budget_exceeded" || code === "rate_limited";
  return {
    refused_by: limited ? (refusal?.details ?? null) : null,
    reserved_usd: paid?.estimatedUsd ?? null,
    budgets: paid ? receiptShape(paid).budgets : [],
  };
}

/** What a policy in force said. Its words are shown where the caller was told them, which is where it denied. */
function policyShape({ policy, version, mode, stage, outcome, failure, reason, obligations }: DecisionRow) {
  const asked = obligations.map((each) => (each as { readonly type?: unknown }).type);
  return { policy, version, mode, stage, outcome, failure, reason: outcome === "denied" ? reason : null, obligations: asked };
}

function costShape(paid: CostRow, records: number) {
  return {
    record: paid.id,
    status: paid.status,
    price_state: paid.priceState,
    estimated_usd: paid.estimatedUsd,
    actual_usd: paid.actualUsd,
    repriced: records > 1,
    receipt: receiptShape(paid),
  };
}

/** What an explanation could hold and nothing was kept of, each with the reason. */
function notRecorded(row: RequestRow, paid: CostRow | undefined): { readonly what: string; readonly why: string }[] {
  const none = (what: string, why: string) => ({ what, why });
  return [
    none("authentication.credential", "a credential is never kept, nor the header that it came in"),
    none("limits.pace", "how much of the key's pace was left is told in the answer's headers only"),
    ...(row.httpStatus >= 400 && row.refusal === null ? [none("outcome.refusal", "the provider's own errors pass and are not kept")] : []),
    ...(row.auto === null
      ? [none("routing.candidates", "the caller named its model or route; what was asked of a route's targets stands in attempts")]
      : []),
    ...(paid ? [] : [none("cost", "nothing was reserved, so nothing was charged")]),
    ...(row.firstByteMs === null ? [none("timings.first_byte_ms", "no byte of an answer came")] : []),
    none("request.content", "what was said is kept only where its key asks for that, and shown to operators only"),
  ];
}
