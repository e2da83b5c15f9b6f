import * as z from "zod";
import { tables } from "#db";

/**
 * The events that reach D1 through the queue. They carry a version and are parsed on receipt: a message that does not parse
 * goes to the dead letters, never into a row. `charges` is added by the ledger when it settles.
 */

const id = z.string().min(1).max(128);
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const text = z.string().max(512);

const usage = z.object({
  input: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
  output: count,
  reasoning: count,
  audioInput: count,
  audioOutput: count,
  images: count,
  webSearches: count,
  fileSearches: count.default(0),
  searchSources: count.default(0),
  extras: count.default(0),
  imageInput: count.default(0),
  imageOutput: count.default(0),
  characters: count.default(0),
  seconds: count.default(0),
  rankings: count.default(0),
});

const outcome = z.enum(tables.requests.outcome.enumValues);

/** Facts that the request log and the cost record share. */
const invocation = z.object({
  request: id,
  at: count,
  key: id,
  team: id,
  user: id.nullable(),
  endUser: text.nullable(),
  session: text.nullable(),
  task: id.nullable(),
  capability: text,
  requested: text,
  provider: text.nullable(),
  model: text.nullable(),
  stream: z.boolean(),
  outcome,
  attempts: z.array(z.object({ provider: text, model: text, status: z.number().int().nullable(), ms: z.number().nonnegative() })),
  tags: z.array(text),
  metadata: z.record(text, text),
});

/** What was paid. Absent for a request that was refused before anything was reserved. */
const cost = z.object({
  id,
  status: z.enum(tables.costRecords.status.enumValues),
  priceState: z.enum(tables.costRecords.priceState.enumValues),
  cache: z.enum(["hit", "miss", "bypass", "coalesced"]),
  /** Exact decimal text. */
  estimatedUsd: z.string(),
  actualUsd: z.string(),
  /** What the counters were charged: `actualUsd` rounded up to nano-USD. */
  nanoUsd: count,
  usage,
  serviceTier: text.nullable(),
  reprices: id.nullable(),
  /** The price row by id, the table's hash and the lines; `basis` says whose count the usage is, also where no price is known. */
  receipt: z.object({
    price: z.record(z.string(), z.unknown()),
    tableHash: z.string(),
    basis: z.enum(["actual", "estimated"]).optional(),
    lines: z.array(z.object({ class: z.string(), quantity: count, rate: z.string(), per: z.number(), usd: z.string() })),
    /** What an answer out of the cache cost when it was made, in USD. */
    savedUsd: z.string().optional(),
    /** Output tokens by the gateway's own count, where it can be held against the provider's. */
    ownOutput: count.optional(),
  }),
});

/** How the request went over HTTP. */
const log = z.object({
  httpStatus: z.number().int(),
  code: text.nullable(),
  latencyMs: z.number().nonnegative(),
  firstByteMs: z.number().nonnegative().nullable(),
  overheadMs: z.number().nonnegative().nullable(),
  upstreamRequestId: text.nullable(),
});

/** What one policy said at one stage of a request; of a stream, what it came to over all of its stretches. */
const policyDecision = z.object({
  id,
  policy: text,
  version: text,
  hash: text,
  mode: z.enum(tables.policyDecisions.mode.enumValues),
  scope: z.object({ kind: z.enum(tables.policyDecisions.scopeKind.enumValues), id: z.string().max(128) }),
  stage: z.enum(tables.policyDecisions.stage.enumValues),
  outcome: z.enum(tables.policyDecisions.outcome.enumValues),
  failure: text.nullable(),
  reason: text,
  metadata: z.record(z.string(), z.unknown()),
  obligations: z.array(z.record(z.string(), z.unknown())),
  fuel: count,
  contextDigest: text,
  /** What it was given, without what anybody said; what a replay gives again. */
  facts: z.record(z.string(), z.unknown()).nullable(),
});

/** Why the auto-router chose the model of a request. */
const auto = z.looseObject({
  features: z.record(z.string(), z.unknown()),
  rules: z.array(z.object({ name: text, matched: z.boolean(), reason: z.string() })),
  rule: text.nullable(),
  tier: text,
  candidates: z.array(z.object({ model: text, tier: text.nullable(), out: text.nullable() })),
});

/** One inference request, finished or refused. */
export const requestEvent = z.object({
  v: z.literal(1),
  kind: z.literal("request"),
  invocation,
  cost: cost.nullable(),
  log,
  /** What attempts before the last may have been billed for; each is a cost record of its own. */
  lost: z.array(z.object({ cost, tokens: count, provider: text, model: text })).optional(),
  /** What was asked of policies; absent where none was. */
  policies: z.array(policyDecision).optional(),
  /** What its caller was told, where it was refused. */
  refusal: z.object({ message: text, details: z.record(z.string(), z.unknown()).nullable() }).optional(),
  /** Absent where the caller named its model. */
  auto: auto.optional(),
  /** The budget that refused it, where one did. */
  refusedBy: z.object({ budget: id, windowStart: count.nullable() }).nullish(),
  /** `spent` is what the window came to with it; events of before it was told have none. */
  charges: z
    .array(
      z.object({
        budget: id,
        windowStart: count.nullable(),
        unit: z.enum(tables.budgets.unit.enumValues),
        amount: count,
        spent: count.optional(),
      }),
    )
    .default([]),
});

/** One audit entry. `before` and `after` never hold secrets. */
export const auditEvent = z.object({
  v: z.literal(1),
  kind: z.literal("audit"),
  id,
  at: count,
  type: text,
  severity: z.enum(tables.auditEntries.severity.enumValues),
  outcome: text,
  actor: z.object({ kind: z.enum(tables.auditEntries.actorKind.enumValues), id: text }),
  subject: z.object({ kind: text, id: text }).nullable(),
  team: id.nullable(),
  key: id.nullable(),
  request: id.nullable(),
  task: id.nullable(),
  before: z.unknown(),
  after: z.unknown(),
  details: z.record(z.string(), z.unknown()),
});

/** Everything that travels on the queue. */
export const event = z.discriminatedUnion("kind", [requestEvent, auditEvent]);

export type RequestEvent = z.infer<typeof requestEvent>;
export type PolicyDecision = z.infer<typeof policyDecision>;
export type AuditEvent = z.infer<typeof auditEvent>;
export type Event = z.infer<typeof event>;
