import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/**
 * D1: the control plane's truth and the reporting store. Times are milliseconds UTC. JSON columns hold what the room that
 * owns the table writes and nothing else. Owners and lifetimes are listed in docs/storage.md.
 */

const json = <T>(name: string) => text(name, { mode: "json" }).$type<T>();

/** Owned by keys. A tenant: one budget tree, one ledger object. */
export const teams = sqliteTable("teams", {
  id: text().primaryKey(),
  name: text().notNull(),
  metadata: json<Record<string, string>>("metadata").notNull().default({}),
  createdAt: integer("created_at").notNull(),
});

/** Owned by keys. A person or service inside a team. */
export const users = sqliteTable(
  "users",
  {
    id: text().primaryKey(),
    team: text()
      .notNull()
      .references(() => teams.id),
    name: text().notNull(),
    email: text(),
    metadata: json<Record<string, string>>("metadata").notNull().default({}),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("users_team").on(table.team)],
);

/** Owned by keys. `epoch` grows with every change, so that a ledger can tell an isolate that its copy is stale. */
export const keys = sqliteTable(
  "keys",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    team: text()
      .notNull()
      .references(() => teams.id),
    user: text().references(() => users.id),
    role: text({ enum: ["owner", "operator", "analyst", "auditor", "key_holder"] }).notNull(),
    tags: json<string[]>("tags").notNull(),
    metadata: json<Record<string, string>>("metadata").notNull(),
    modelsAllow: json<string[]>("models_allow").notNull(),
    modelsDeny: json<string[]>("models_deny").notNull(),
    expiresAt: integer("expires_at"),
    rpm: integer(),
    tpm: integer(),
    concurrency: integer(),
    unknownPrice: text("unknown_price", { enum: ["charge_dearest", "refuse"] }).notNull(),
    contentLogging: text("content_logging", { enum: ["off", "redacted", "full"] }).notNull(),
    cache: text({ enum: ["off", "key", "team"] }).notNull(),
    responses: text({ enum: ["kept", "off"] })
      .notNull()
      .default("kept"),
    profile: text(),
    status: text({ enum: ["active", "disabled", "revoked"] }).notNull(),
    epoch: integer().notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("keys_team").on(table.team), index("keys_user").on(table.user)],
);

/** Owned by keys. HMAC digests under the pepper; a rotated secret stays valid until `validUntil`. */
export const keySecrets = sqliteTable(
  "key_secrets",
  {
    key: text()
      .notNull()
      .references(() => keys.id, { onDelete: "cascade" }),
    digest: text().notNull(),
    last4: text().notNull(),
    validUntil: integer("valid_until"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.key, table.digest] })],
);

/** Owned by budget. `limit` counts nano-USD, tokens or requests by `unit`; `team` names the ledger that enforces it. */
export const budgets = sqliteTable(
  "budgets",
  {
    id: text().primaryKey(),
    team: text().notNull(),
    scopeKind: text("scope_kind", { enum: ["deployment", "team", "user", "key", "tag", "end_user"] }).notNull(),
    scopeId: text("scope_id").notNull(),
    window: text({ enum: ["hour", "day", "week", "month", "total"] }).notNull(),
    timeZone: text("time_zone").notNull(),
    unit: text({ enum: ["usd", "tokens", "requests"] }).notNull(),
    limit: integer("limit_value").notNull(),
    mode: text({ enum: ["strict", "tight"] }).notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("budgets_team").on(table.team), index("budgets_scope").on(table.scopeKind, table.scopeId)],
);

/** Owned by providers. `credential` is sealed (AES-256-GCM, AAD binds it to its row) and never read back by the API. */
export const providers = sqliteTable(
  "providers",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    kind: text({ enum: ["openai", "anthropic", "openai-compatible", "ollama"] }).notNull(),
    baseUrl: text("base_url").notNull(),
    apis: json<string[]>("apis").notNull(),
    credential: text(),
    credentialLast4: text("credential_last4"),
    status: text({ enum: ["active", "disabled"] }).notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("providers_name").on(table.name)],
);

/** Owned by models. An alias, or facts about an upstream model that the catalogue does not know. */
export const models = sqliteTable(
  "models",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    contextTokens: integer("context_tokens"),
    maxOutputTokens: integer("max_output_tokens"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("models_name").on(table.name)],
);

/** Owned by auto. The operator's own table of the auto-router, in one row; none where the built-in one holds. */
export const autoTables = sqliteTable("auto_tables", {
  id: text().primaryKey(),
  content: json<unknown>("content").notNull(),
  updatedAt: integer("updated_at").notNull(),
});

/** Owned by providers. Further credentials of a provider, sealed like its own; each goes to the origin that it was given for, and no other. */
export const providerCredentials = sqliteTable(
  "provider_credentials",
  {
    id: text().primaryKey(),
    provider: text()
      .notNull()
      .references(() => providers.id),
    label: text().notNull(),
    origin: text().notNull(),
    credential: text().notNull(),
    credentialLast4: text("credential_last4"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("provider_credentials_provider").on(table.provider)],
);

/** One entry of a route's list, as its JSON column holds it. */
type StoredTarget = ({ readonly provider: string; readonly model: string } | { readonly route: string }) & {
  readonly priority: number;
  readonly weight: number;
  readonly when: {
    readonly models: readonly string[];
    readonly tags: readonly string[];
    readonly metadata: Readonly<Record<string, string>>;
  };
};

/** Owned by routes. A name, the targets that it leads to, and how a request goes on from one that fails. */
export const routes = sqliteTable(
  "routes",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    strategy: text({ enum: ["priority", "weighted", "latency", "cost"] }).notNull(),
    sticky: integer({ mode: "boolean" }).notNull(),
    targets: json<StoredTarget[]>("targets").notNull(),
    retries: integer().notNull(),
    backoffMs: integer("backoff_ms").notNull(),
    timeoutMs: integer("timeout_ms"),
    firstByteTimeoutMs: integer("first_byte_timeout_ms"),
    fallBackOn: json<number[]>("fall_back_on").notNull(),
    breaker: json<{ callsMin: number; failurePercent: number; windowS: number; openS: number }>("breaker").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("routes_name").on(table.name)],
);

/** Owned by models. Overrides over the bundled table; rates are decimal strings, USD per million tokens or per piece. */
export const prices = sqliteTable(
  "prices",
  {
    id: text().primaryKey(),
    provider: text().notNull(),
    model: text().notNull(),
    aliases: json<string[]>("aliases").notNull(),
    state: text({ enum: ["priced", "free"] }).notNull(),
    scopeKind: text("scope_kind", { enum: ["deployment", "team"] }).notNull(),
    scopeId: text("scope_id").notNull(),
    effectiveFrom: integer("effective_from").notNull(),
    effectiveTo: integer("effective_to"),
    rates: json<Record<string, string | null>>("rates").notNull(),
    tiers: json<{ above_input_tokens: number; rates: Record<string, string | null> }[]>("tiers").notNull(),
    serviceTiers: json<Record<string, { rates: Record<string, string | null> }>>("service_tiers").notNull(),
    source: text().notNull(),
    checkedAt: integer("checked_at").notNull(),
    createdBy: text("created_by").notNull(),
  },
  (table) => [index("prices_model").on(table.provider, table.model)],
);

/** The terms of a price, as JSON columns hold them. */
interface StoredTerms {
  readonly rates: Readonly<Record<string, string | null>>;
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rates: Readonly<Record<string, string | null>> }[];
  readonly serviceTiers: Readonly<Record<string, { readonly rates: Readonly<Record<string, string | null>> }>>;
}

/**
 * Owned by models. What a price source has otherwise than this deployment; it does nothing until an operator approves it, and then
 * `price` names the row of `prices` that it became. One proposal of a model is pending at a time; `terms` tells equal ones apart.
 */
export const priceProposals = sqliteTable(
  "price_proposals",
  {
    id: text().primaryKey(),
    provider: text().notNull(),
    model: text().notNull(),
    proposed: json<StoredTerms>("proposed").notNull(),
    current: json<(StoredTerms & { readonly price: string }) | null>("current"),
    terms: text().notNull(),
    source: text().notNull(),
    status: text({ enum: ["pending", "approved", "rejected", "withdrawn"] }).notNull(),
    createdAt: integer("created_at").notNull(),
    decidedAt: integer("decided_at"),
    decidedBy: text("decided_by"),
    price: text(),
  },
  (table) => [
    index("price_proposals_created").on(table.createdAt),
    uniqueIndex("price_proposals_pending")
      .on(table.provider, table.model)
      .where(sql`"status" = 'pending'`),
  ],
);

/**
 * Owned by audit, append-only by trigger. The exact cost is `actualUsd`; `nanoFloor` and `femtoRest` are the same amount in
 * two integers, so that SQL sums stay exact; `nanoUsd` is what the counters were charged (rounded up). `savedNano` and `savedFemto` are
 * what an answer out of the cache had cost when it was made.
 */
export const costRecords = sqliteTable(
  "cost_records",
  {
    id: text().primaryKey(),
    request: text().notNull(),
    at: integer().notNull(),
    key: text().notNull(),
    team: text().notNull(),
    user: text(),
    endUser: text("end_user"),
    session: text(),
    task: text(),
    resourceKind: text("resource_kind").notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    requested: text().notNull(),
    capability: text().notNull(),
    stream: integer({ mode: "boolean" }).notNull(),
    outcome: text({ enum: ["ok", "error", "cancelled", "truncated", "denied"] }).notNull(),
    attempts: integer().notNull(),
    cache: text().notNull(),
    status: text({ enum: ["actual", "estimated", "unknown"] }).notNull(),
    priceState: text("price_state", { enum: ["priced", "free", "unknown"] }).notNull(),
    estimatedUsd: text("estimated_usd").notNull(),
    actualUsd: text("actual_usd").notNull(),
    nanoUsd: integer("nano_usd").notNull(),
    nanoFloor: integer("nano_floor").notNull(),
    femtoRest: integer("femto_rest").notNull(),
    input: integer().notNull(),
    cacheRead: integer("cache_read").notNull(),
    cacheWrite5m: integer("cache_write_5m").notNull(),
    cacheWrite1h: integer("cache_write_1h").notNull(),
    output: integer().notNull(),
    reasoning: integer().notNull(),
    audioInput: integer("audio_input").notNull(),
    audioOutput: integer("audio_output").notNull(),
    images: integer().notNull(),
    webSearches: integer("web_searches").notNull(),
    fileSearches: integer("file_searches").notNull().default(0),
    searchSources: integer("search_sources").notNull().default(0),
    extras: integer().notNull().default(0),
    imageInput: integer("image_input").notNull().default(0),
    imageOutput: integer("image_output").notNull().default(0),
    characters: integer().notNull().default(0),
    seconds: integer().notNull().default(0),
    rankings: integer().notNull().default(0),
    savedNano: integer("saved_nano").notNull().default(0),
    savedFemto: integer("saved_femto").notNull().default(0),
    serviceTier: text("service_tier"),
    tags: json<string[]>("tags").notNull(),
    metadata: json<Record<string, string>>("metadata").notNull(),
    reprices: text(),
    receipt: json<unknown>("receipt").notNull(),
  },
  (table) => [
    index("cost_records_at").on(table.at),
    index("cost_records_team_at").on(table.team, table.at),
    index("cost_records_key_at").on(table.key, table.at),
    index("cost_records_model_at").on(table.model, table.at),
    index("cost_records_provider_at").on(table.provider, table.at),
    index("cost_records_capability_at").on(table.capability, table.at),
    index("cost_records_user_at")
      .on(table.user, table.at)
      .where(sql`"user" is not null`),
    index("cost_records_end_user_at")
      .on(table.endUser, table.at)
      .where(sql`"end_user" is not null`),
    index("cost_records_session_at")
      .on(table.session, table.at)
      .where(sql`"session" is not null`),
    index("cost_records_task_at")
      .on(table.task, table.at)
      .where(sql`"task" is not null`),
    index("cost_records_request").on(table.request),
    uniqueIndex("cost_records_reprices")
      .on(table.reprices)
      .where(sql`"reprices" is not null`),
  ],
);

/**
 * Owned by audit, kept by triggers in the transaction that inserts the records (migrations/0019_batches.sql): the sums of
 * the records that count, by who, what and when. A column that a level does not tell apart is empty. `nano` and `femto` are sums
 * of `nanoFloor` and `femtoRest`, `savedNano` and `savedFemto` of those of the records.
 */
export const costCells = sqliteTable(
  "cost_cells",
  {
    level: text({ enum: ["all", "team", "key", "tag", "end_user"] }).notNull(),
    grain: text({ enum: ["hour", "day", "month"] }).notNull(),
    start: integer().notNull(),
    team: text().notNull(),
    user: text().notNull(),
    key: text().notNull(),
    tag: text().notNull(),
    endUser: text("end_user").notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    capability: text().notNull(),
    requests: integer().notNull(),
    nano: integer().notNull(),
    femto: integer().notNull(),
    input: integer().notNull(),
    cacheRead: integer("cache_read").notNull(),
    cacheWrite: integer("cache_write").notNull(),
    output: integer().notNull(),
    reasoning: integer().notNull(),
    images: integer().notNull().default(0),
    webSearches: integer("web_searches").notNull().default(0),
    fileSearches: integer("file_searches").notNull().default(0),
    searchSources: integer("search_sources").notNull().default(0),
    characters: integer().notNull().default(0),
    seconds: integer().notNull().default(0),
    rankings: integer().notNull().default(0),
    extras: integer().notNull().default(0),
    savedNano: integer("saved_nano").notNull().default(0),
    savedFemto: integer("saved_femto").notNull().default(0),
  },
  (table) => [
    primaryKey({
      columns: [
        table.level,
        table.grain,
        table.start,
        table.team,
        table.user,
        table.key,
        table.tag,
        table.endUser,
        table.provider,
        table.model,
        table.capability,
      ],
    }),
    index("cost_cells_team").on(table.level, table.team, table.grain, table.start),
    index("cost_cells_key").on(table.level, table.key, table.grain, table.start),
  ],
);

/**
 * Owned by audit: the batch of cost records that is being written, by the last row before it. It opens and closes within one transaction,
 * so that nobody ever sees a row here; a trigger counts all of a batch when it closes (docs/rfcs/0030-roll-ups-by-the-batch.md).
 */
export const costBatches = sqliteTable("cost_batches", { after: integer().notNull() });

/** Owned by audit, kept by a trigger: which cost records carry a tag, in the order that they are listed in. */
export const costTags = sqliteTable("cost_tags", { tag: text().notNull(), at: integer().notNull(), id: text().notNull() }, (table) => [
  primaryKey({ columns: [table.tag, table.at, table.id] }),
]);

/** Owned by audit. The request log: one row per inference request, refused ones included. What they said is in `requestContents`. */
export const requests = sqliteTable(
  "requests",
  {
    id: text().primaryKey(),
    at: integer().notNull(),
    key: text().notNull(),
    team: text().notNull(),
    user: text(),
    endUser: text("end_user"),
    session: text(),
    task: text(),
    capability: text().notNull(),
    requested: text().notNull(),
    provider: text(),
    model: text(),
    stream: integer({ mode: "boolean" }).notNull(),
    httpStatus: integer("http_status").notNull(),
    outcome: text({ enum: ["ok", "error", "cancelled", "truncated", "denied"] }).notNull(),
    code: text(),
    latencyMs: integer("latency_ms").notNull(),
    firstByteMs: integer("first_byte_ms"),
    overheadMs: integer("overhead_ms"),
    inputTokens: integer("input_tokens").notNull(),
    outputTokens: integer("output_tokens").notNull(),
    usd: text().notNull(),
    upstreamRequestId: text("upstream_request_id"),
    attempts: json<unknown[]>("attempts").notNull(),
    tags: json<string[]>("tags").notNull(),
    metadata: json<Record<string, string>>("metadata").notNull(),
    /** What each policy that ran came to; null where none was asked. */
    policies: json<unknown[]>("policies"),
    /** Why the auto-router chose its model; null where the caller named one. */
    auto: json<unknown>("auto"),
    /** What a refused caller was told beside its code: the message, and the limits or permissions that stood in the way. */
    refusal: json<{ readonly message: string; readonly details: unknown }>("refusal"),
  },
  (table) => [
    index("requests_at").on(table.at),
    index("requests_team_at").on(table.team, table.at),
    index("requests_key_at").on(table.key, table.at),
    index("requests_model_at").on(table.model, table.at),
    index("requests_provider_at").on(table.provider, table.at),
    index("requests_capability_at").on(table.capability, table.at),
    index("requests_user_at")
      .on(table.user, table.at)
      .where(sql`"user" is not null`),
    index("requests_end_user_at")
      .on(table.endUser, table.at)
      .where(sql`"end_user" is not null`),
    index("requests_session_at")
      .on(table.session, table.at)
      .where(sql`"session" is not null`),
    index("requests_task_at")
      .on(table.task, table.at)
      .where(sql`"task" is not null`),
  ],
);

/** Owned by audit, kept by triggers: which rows of the request log carry a tag, for as long as they are there. */
export const requestTags = sqliteTable(
  "request_tags",
  { tag: text().notNull(), at: integer().notNull(), id: text().notNull() },
  (table) => [primaryKey({ columns: [table.tag, table.at, table.id] })],
);

/**
 * Owned by content. What a request asked and what it was answered, only where its key has that logged. `sealed` (AES-256-GCM, AAD binds it
 * to its row) is JSON of roles and texts; `altered` where some was masked or cut off.
 */
export const requestContents = sqliteTable(
  "request_contents",
  {
    request: text().notNull(),
    side: text({ enum: ["asked", "answered"] }).notNull(),
    at: integer().notNull(),
    key: text().notNull(),
    team: text().notNull(),
    mode: text({ enum: ["redacted", "full"] }).notNull(),
    altered: integer({ mode: "boolean" }).notNull(),
    sealed: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.request, table.side] }),
    index("request_contents_at").on(table.at),
    index("request_contents_key").on(table.key),
  ],
);

/**
 * Owned by audit, append-only by trigger; `seq` is the order of arrival. `prevHash` and `hash` stay null, and stand only because a Worker
 * of before `auditSeals` names them while the next one is deployed. What an entry says is searched through `audit_search`, which a trigger
 * fills (migrations/0014_audit_search.sql).
 */
export const auditEntries = sqliteTable(
  "audit_entries",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    id: text().notNull(),
    at: integer().notNull(),
    type: text().notNull(),
    severity: text({ enum: ["info", "warning", "critical"] }).notNull(),
    outcome: text().notNull(),
    actorKind: text("actor_kind", { enum: ["admin_token", "user", "key", "task", "system"] }).notNull(),
    actorId: text("actor_id").notNull(),
    subjectKind: text("subject_kind"),
    subjectId: text("subject_id"),
    team: text(),
    key: text(),
    request: text(),
    task: text(),
    before: json<unknown>("before"),
    after: json<unknown>("after"),
    details: json<Record<string, unknown>>("details").notNull(),
    prevHash: text("prev_hash"),
    hash: text(),
  },
  (table) => [
    uniqueIndex("audit_entries_id").on(table.id),
    index("audit_entries_at").on(table.at),
    index("audit_entries_type_at").on(table.type, table.at),
    index("audit_entries_task")
      .on(table.task, table.at)
      .where(sql`"task" is not null`),
    index("audit_entries_key")
      .on(table.key, table.at)
      .where(sql`"key" is not null`),
    index("audit_entries_key_type")
      .on(table.key, table.type, table.at)
      .where(sql`"key" is not null`),
    index("audit_entries_team")
      .on(table.team, table.at)
      .where(sql`"team" is not null`),
    index("audit_entries_subject")
      .on(table.subjectId, table.at)
      .where(sql`"subject_id" is not null`),
    index("audit_entries_actor").on(table.actorId, table.at),
    index("audit_entries_severity").on(table.severity, table.at),
  ],
);

/** Owned by audit, append-only by trigger, filled by the chain's object: which place an entry has in which chain, and its hash there. */
export const auditSeals = sqliteTable(
  "audit_seals",
  {
    /** A team, or `@deployment` for what is no team's. */
    chain: text().notNull(),
    seq: integer().notNull(),
    entry: text().notNull(),
    hash: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.chain, table.seq] }), uniqueIndex("audit_seals_entry").on(table.entry)],
);

/**
 * Owned by alerts. What somebody should know of. The unique index decides that each rule speaks once of a subject, threshold and
 * window, whatever is delivered again and wherever it is judged. `audited` turns true once the audit was told.
 */
export const alerts = sqliteTable(
  "alerts",
  {
    id: text().primaryKey(),
    type: text({
      enum: [
        "budget.threshold",
        "budget.exceeded",
        "price.unknown",
        "spend.anomaly",
        "usage.doubtful",
        "policy.failed",
        "security.event",
        "permission.denied",
        "audit.critical",
        "audit.checkpoint",
      ],
    }).notNull(),
    severity: text({ enum: ["info", "warning", "critical"] }).notNull(),
    subjectKind: text("subject_kind", { enum: ["budget", "model", "key", "policy", "task", "actor", "audit"] }).notNull(),
    subjectId: text("subject_id").notNull(),
    threshold: integer().notNull(),
    /** When the window that it is about began; 0 for the one that has no beginning. */
    windowStart: integer("window_start").notNull(),
    team: text(),
    key: text(),
    data: json<Record<string, unknown>>("data").notNull(),
    audited: integer({ mode: "boolean" }).notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("alerts_once").on(table.type, table.subjectKind, table.subjectId, table.threshold, table.windowStart),
    index("alerts_created").on(table.createdAt),
    index("alerts_unaudited")
      .on(table.createdAt)
      .where(sql`"audited" = 0`),
  ],
);

/** Owned by alerts. Who is told. `secret` is sealed (AES-256-GCM, AAD binds it to its row) and never read back by the API. */
export const webhooks = sqliteTable("webhooks", {
  id: text().primaryKey(),
  url: text().notNull(),
  secret: text().notNull(),
  /** Types of alerts; empty means all. */
  events: json<string[]>("events").notNull(),
  status: text({ enum: ["active", "disabled"] }).notNull(),
  createdAt: integer("created_at").notNull(),
});

/** Owned by alerts. One row per alert and webhook, made with the alert; `alert` is null for a test. `nextAt` is also how long an attempt under way has it to itself. */
export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    id: text().primaryKey(),
    webhook: text().notNull(),
    alert: text(),
    status: text({ enum: ["pending", "delivered", "failed"] }).notNull(),
    attempts: integer().notNull(),
    nextAt: integer("next_at").notNull(),
    httpStatus: integer("http_status"),
    error: text(),
    createdAt: integer("created_at").notNull(),
    endedAt: integer("ended_at"),
  },
  (table) => [
    index("webhook_deliveries_due")
      .on(table.webhook, table.nextAt)
      .where(sql`"status" = 'pending'`),
    index("webhook_deliveries_created").on(table.webhook, table.createdAt),
  ],
);

/** Owned by alerts, kept by triggers with the cells of cost: what each key spent in each hour, in nano-USD. */
export const keyHours = sqliteTable(
  "key_hours",
  { key: text().notNull(), hour: integer().notNull(), team: text().notNull(), nano: integer().notNull() },
  (table) => [primaryKey({ columns: [table.key, table.hour] }), index("key_hours_hour").on(table.hour)],
);

/** Owned by alerts, kept by triggers with the cells of cost: output tokens by day as providers said them and as they were counted here, of the answers that can be compared. */
export const usageChecks = sqliteTable(
  "usage_checks",
  {
    day: integer().notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    answers: integer().notNull(),
    reported: integer().notNull(),
    own: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.provider, table.model] })],
);

/**
 * Owned by policy. A version of a policy as it was uploaded, never changed afterwards. `ordinal` is the version as one number, by which
 * none may be uploaded that is not newer than every other of its name. `described` is what the module said of itself.
 */
export const policyVersions = sqliteTable(
  "policy_versions",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    version: text().notNull(),
    ordinal: integer().notNull(),
    hash: text().notNull(),
    source: text().notNull(),
    described: json<{
      readonly name: string;
      readonly version: string;
      readonly priority: number;
      readonly compose: "all" | "any";
      readonly needs: readonly string[];
      readonly stages: readonly ("evaluate" | "onResponse" | "onChunk")[];
      readonly config: Readonly<Record<string, unknown>>;
      readonly loadFuel: number;
      readonly tests: { readonly passed: number; readonly failed: number };
    }>("described").notNull(),
    signedBy: text("signed_by"),
    signature: text(),
    uploadedBy: text("uploaded_by").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("policy_versions_ordinal").on(table.name, table.ordinal), index("policy_versions_created").on(table.createdAt)],
);

/**
 * Owned by policy. Which version of a policy stands where. The `main` lane holds what is enforced or off, or that a wider scope speaks; a canary and a shadow stand
 * beside it and never take its place. A lane is turned off and not removed, so that `generation` only grows.
 */
export const policyActivations = sqliteTable(
  "policy_activations",
  {
    scopeKind: text("scope_kind", { enum: ["deployment", "team", "key"] }).notNull(),
    scopeId: text("scope_id").notNull(),
    name: text().notNull(),
    lane: text({ enum: ["main", "canary", "shadow"] }).notNull(),
    policy: text()
      .notNull()
      .references(() => policyVersions.id),
    mode: text({ enum: ["off", "inherit", "shadow", "canary", "enforce"] }).notNull(),
    canaryPercent: integer("canary_percent"),
    onError: text("on_error", { enum: ["deny", "allow"] }).notNull(),
    compose: text({ enum: ["all", "any"] }).notNull(),
    /** Null means the policy's own. */
    priority: integer(),
    config: json<Record<string, unknown>>("config").notNull(),
    generation: integer().notNull(),
    activatedBy: text("activated_by").notNull(),
    activatedAt: integer("activated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.scopeKind, table.scopeId, table.name, table.lane] })],
);

/** Owned by audit. What each policy said of each request: facts and a digest of what it was given, never the content. */
export const policyDecisions = sqliteTable(
  "policy_decisions",
  {
    id: text().primaryKey(),
    at: integer().notNull(),
    request: text().notNull(),
    team: text().notNull(),
    key: text().notNull(),
    policy: text().notNull(),
    version: text().notNull(),
    hash: text().notNull(),
    mode: text({ enum: ["shadow", "canary", "enforce"] }).notNull(),
    scopeKind: text("scope_kind", { enum: ["deployment", "team", "key"] }).notNull(),
    scopeId: text("scope_id").notNull(),
    stage: text({ enum: ["evaluate", "onResponse", "onChunk"] }).notNull(),
    outcome: text({ enum: ["allowed", "denied", "failed"] }).notNull(),
    failure: text(),
    reason: text().notNull(),
    metadata: json<Record<string, unknown>>("metadata").notNull(),
    obligations: json<unknown[]>("obligations").notNull(),
    fuel: integer().notNull(),
    contextDigest: text("context_digest").notNull(),
    /** What it was given, without what anybody said; what a replay gives again. Null where it is too large. */
    facts: json<Record<string, unknown>>("facts"),
  },
  (table) => [
    index("policy_decisions_at").on(table.at),
    index("policy_decisions_request").on(table.request),
    index("policy_decisions_policy_at").on(table.policy, table.at),
  ],
);

/** Owned by tasks. What the tasks of the keys that name it may do and use. */
export const profiles = sqliteTable(
  "profiles",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    permits: json<{
      readonly engines: readonly ("claude-code" | "codex" | "native" | "command")[];
      readonly tools: readonly string[];
      readonly agents: readonly string[];
      readonly skills: readonly string[];
      /** Patterns; a guard-rail that is audited, never the wall. */
      readonly deniedCommands: readonly string[];
      /** What waits for a person's word; absent in profiles of before there were approvals. */
      readonly approveTools?: readonly string[];
      /** What a task may reach beyond the gateway, where its request names it. */
      readonly hosts: readonly string[];
      readonly filesystem: "none" | "readonly" | "readwrite";
      /** Of each key, at once. */
      readonly maxConcurrentTasks: number;
      readonly cpuCores: number;
      readonly memoryMb: number;
      readonly diskMb: number;
      readonly timeoutS: number;
      readonly maxCostNano: number;
    }>("permits").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("profiles_name").on(table.name)],
);

/** Owned by tasks. Which tasks there are, written when one begins and when it ends; what happened in it stands in its own object. */
export const tasks = sqliteTable(
  "tasks",
  {
    id: text().primaryKey(),
    key: text().notNull(),
    team: text().notNull(),
    profile: text().notNull(),
    engine: text().notNull().default("command"),
    model: text(),
    exitReason: text("exit_reason", { enum: ["ok", "error", "timeout", "cancelled", "oom", "budget", "policy", "runner_lost"] }),
    createdAt: integer("created_at").notNull(),
    /** Null before its command, or its agent, has begun. */
    startedAt: integer("started_at"),
    /** Null while it has its place among those that a key may run at once. */
    endedAt: integer("ended_at"),
    /** What its owner thought of it, from 1 to 5. */
    score: integer(),
    comment: text(),
    scoredAt: integer("scored_at"),
  },
  (table) => [
    index("tasks_created").on(table.createdAt),
    index("tasks_key_created").on(table.key, table.createdAt),
    index("tasks_unended")
      .on(table.key)
      .where(sql`"ended_at" is null`),
  ],
);

/** Owned by http. What an `Idempotency-Key` answered, without secrets, for 24 hours. */
export const idempotency = sqliteTable(
  "idempotency",
  {
    actor: text().notNull(),
    key: text().notNull(),
    route: text().notNull(),
    bodyDigest: text("body_digest").notNull(),
    /** Null while the first request with this key is still at work. */
    status: integer(),
    answer: json<unknown>("answer"),
    createdAt: integer("created_at")
      .notNull()
      .default(sql`(unixepoch() * 1000)`),
  },
  (table) => [primaryKey({ columns: [table.actor, table.route, table.key] })],
);
