import { z } from "@hono/zod-openapi";
import { found } from "#core";
import { countRequests, type DecisionRow, listDecisions, newestDecisions, replay, trialOf } from "#policy";
import { type AdminApp, read, write } from "./operation.ts";
import { anything, policyStore } from "./policies.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, moment, name, page, paging } from "./shapes.ts";

const resource = "policies";
const DAY_MS = 86_400_000;
/** As many as one request may ask about again. */
const REPLAYED_MAX = 2_000;
const outcome = z.enum(["allowed", "denied", "failed"]);
const decision = z
  .object({
    id,
    object: z.literal("policy_decision"),
    request: id,
    policy: name,
    version: z.string(),
    hash: z.string(),
    mode: z.enum(["shadow", "canary", "enforce"]),
    scope: z.object({ kind: z.string(), id: z.string().optional() }),
    stage: z.string(),
    outcome,
    failure: z.string().nullable(),
    reason: z.string(),
    metadata: anything,
    obligations: z.array(anything),
    fuel: z.number(),
    context_digest: z.string(),
    at: z.string(),
  })
  .openapi("PolicyDecision");

function decisionShape(row: DecisionRow) {
  return {
    id: row.id,
    object: "policy_decision",
    request: row.request,
    policy: row.policy,
    version: row.version,
    hash: row.hash,
    mode: row.mode,
    scope: row.scopeKind === "deployment" ? { kind: row.scopeKind } : { kind: row.scopeKind, id: row.scopeId },
    stage: row.stage,
    outcome: row.outcome,
    failure: row.failure,
    reason: row.reason,
    metadata: row.metadata,
    obligations: row.obligations,
    fuel: row.fuel,
    context_digest: row.contextDigest,
    at: iso(row.at),
  };
}

/** `/policies/decisions`, and what a version would have made of them. */
export function policyDecisions(app: AdminApp): void {
  const query = z.strictObject({
    ...paging,
    policy: name.optional(),
    request: id.optional(),
    key: id.optional(),
    outcome: outcome.optional(),
    from: moment.optional(),
    to: moment.optional(),
  });
  read(
    app,
    { method: "get", path: "/policies/decisions", resource, summary: "List what policies said", query, answer: listOf(decision) },
    async ({ query: { limit, cursor, ...filter } }, context) =>
      page(await listDecisions(context.env.db, given(filter), { limit, ...given({ cursor }) }), decisionShape),
  );
  replays(app);
}

function replays(app: AdminApp): void {
  const body = z.strictObject({ from: moment.optional(), to: moment.optional(), config: anything.default({}) });
  const change = z.object({ request: id, before: outcome, after: outcome, reason: z.string() });
  const answer = z.object({
    evaluated: z.number(),
    changed: z.number(),
    not_replayable: z.number(),
    not_replayable_by: z.object({
      facts_missing: z.number(),
      content_not_logged: z.number(),
      content_altered: z.number(),
      over_limit: z.number(),
    }),
    changes: z.array(change),
  });
  write(
    app,
    {
      method: "post",
      path: "/policies/{id}/replay",
      resource,
      summary: "Say what a version would have changed",
      params: byId,
      body,
      answer,
    },
    async ({ params, body: { from, to, config } }, context) => {
      const row = found(await policyStore(context).get(params.id), "policy");
      const span = { from: from ?? context.env.now() - DAY_MS, ...given({ to }) };
      const about = { policy: row.name, ...span };
      const [decisions, recorded] = await Promise.all([
        newestDecisions(context.env.db, about, REPLAYED_MAX),
        countRequests(context.env.db, about),
      ]);
      const trial = trialOf(row, (await policyStore(context).bundleOf(row.id)).source, config);
      const { evaluated, changed, gaps, changes } = await replay(context.env.judge, trial, decisions, (requests) =>
        context.env.contents.asked(requests),
      );
      const asked = new Set(decisions.map(({ request }) => request)).size;
      const lacking = { ...gaps, over_limit: Math.max(0, recorded - asked) };
      const notReplayable = Object.values(lacking).reduce((sum, count) => sum + count, 0);
      const contentRead = row.described.needs.includes("messages") ? evaluated : 0;
      const details = { evaluated, changed, not_replayable: notReplayable, content_read: contentRead };
      const audit = { type: "policy.replay", subject: { kind: "policy", id: row.id }, details };
      return { answer: { evaluated, changed, not_replayable: notReplayable, not_replayable_by: lacking, changes }, audit };
    },
  );
}
