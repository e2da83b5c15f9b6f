import { z } from "@hono/zod-openapi";
import { type AuditRow, getRequest, listRequests, type RequestRow, searchAudit } from "#audit";
import { found } from "#core";
import { attributed, filterOf } from "./attribution.ts";
import { format } from "./costs.ts";
import { asAsked } from "./export.ts";
import { type AdminApp, read } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, moment, page, paging } from "./shapes.ts";

const request = z.looseObject({ id, object: z.literal("request"), at: z.string(), http_status: z.number() }).openapi("Request");
const entry = z
  .looseObject({ id, object: z.literal("audit_entry"), seq: z.number().nullable(), at: z.string(), type: z.string() })
  .openapi("AuditEntry");

function requestShape(row: RequestRow) {
  return {
    id: row.id,
    object: "request",
    at: iso(row.at),
    key: row.key,
    team: row.team,
    user: row.user,
    end_user: row.endUser,
    session: row.session,
    task: row.task,
    capability: row.capability,
    requested: row.requested,
    provider: row.provider,
    model: row.model,
    stream: row.stream,
    http_status: row.httpStatus,
    outcome: row.outcome,
    code: row.code,
    latency_ms: row.latencyMs,
    first_byte_ms: row.firstByteMs,
    overhead_ms: row.overheadMs,
    tokens: { input: row.inputTokens, output: row.outputTokens },
    usd: row.usd,
    upstream_request_id: row.upstreamRequestId,
    attempts: row.attempts,
    tags: row.tags,
    metadata: row.metadata,
    policies: row.policies,
    auto: row.auto,
    refusal: row.refusal,
  };
}

function entryShape(row: AuditRow) {
  return {
    id: row.id,
    object: "audit_entry",
    seq: row.seal?.seq ?? null,
    at: iso(row.at),
    type: row.type,
    severity: row.severity,
    outcome: row.outcome,
    actor: { kind: row.actorKind, id: row.actorId },
    subject: row.subjectKind === null ? null : { kind: row.subjectKind, id: row.subjectId },
    team: row.team,
    key: row.key,
    request: row.request,
    task: row.task,
    before: row.before ?? null,
    after: row.after ?? null,
    details: row.details,
    prev_hash: row.seal?.previous ?? null,
    hash: row.seal?.hash ?? null,
  };
}

/** `/requests`: every inference request, refused ones included. */
export function requests(app: AdminApp): void {
  const resource = "requests";
  const query = attributed({ ...paging, format });
  read(
    app,
    { method: "get", path: "/requests", resource, summary: "List requests", query, answer: listOf(request) },
    async ({ query: asked, actor }, context) => {
      const listed = await listRequests(context.env.db, filterOf(asked, actor), { limit: asked.limit, ...given({ cursor: asked.cursor }) });
      return asAsked(context, page(listed, requestShape), asked.format);
    },
  );
  read(
    app,
    { method: "get", path: "/requests/{id}", resource, summary: "Read a request", params: byId, answer: request },
    async ({ params, actor }, context) => requestShape(found(await getRequest(context.env.db, params.id, filterOf({}, actor)), "request")),
  );
}

/** `/audit`: who did what, with before and after. */
export function audit(app: AdminApp): void {
  const query = z.strictObject({
    ...paging,
    from: moment.optional(),
    to: moment.optional(),
    type: z.string().max(64).optional(),
    severity: z.enum(["info", "warning", "critical"]).optional(),
    actor: id.optional(),
    subject: z.string().min(1).max(512).optional(),
    key: id.optional(),
    team: id.optional(),
    task: id.optional(),
    q: z.string().max(256).optional(),
    order: z.enum(["asc", "desc"]).optional(),
    format,
  });
  read(
    app,
    { method: "get", path: "/audit", resource: "audit", summary: "Search the audit", query, answer: listOf(entry) },
    async ({ query: asked }, context) => {
      const { limit, cursor, format: wish, q, ...rest } = asked;
      const listed = await searchAudit(context.env.db, given({ ...rest, text: q }), { limit, ...given({ cursor }) });
      return asAsked(context, page(listed, entryShape), wish);
    },
  );
}
