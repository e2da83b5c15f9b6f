import { createRoute, z } from "@hono/zod-openapi";
import { ENGINES, EXIT_REASONS, STATUSES } from "#tasks";
import type { AdminApp } from "../admin/operation.ts";
import { id, listOf, metadata, name, paging, usd } from "../admin/shapes.ts";
import { REFUSAL } from "../openapi.ts";

const time = z.iso.datetime().nullable();
const file = z.object({
  path: z.string(),
  change: z.enum(["added", "modified", "deleted"]),
  bytes: z.number().nullable(),
  sha256: z.string().nullable(),
});
const feedback = z.object({ score: z.int().min(1).max(5), comment: z.string().max(4_000).nullish() });
const approval = z
  .object({
    id,
    object: z.literal("approval"),
    tool: z.string(),
    input: z.unknown(),
    asked_at: z.iso.datetime(),
    decision: z.enum(["approve", "deny"]).nullable(),
    reason: z.string().nullable(),
    decided_at: time,
  })
  .openapi("TaskApproval");
const word = z.object({ id: z.string(), decision: z.enum(["approve", "deny"]), reason: z.string().nullish() });
const request = z
  .strictObject({
    engine: z.enum(ENGINES).describe("What works on it"),
    argv: z.array(z.string()).optional().describe("For `command`; no shell reads it"),
    max_turns: z.int().min(1).max(1_000).optional().describe("For the native agent: how often it may ask its model"),
    prompt: z.string().optional().describe("For an agent: what it is to do"),
    model: z.string().optional().describe("For an agent: what it calls"),
    files: z.array(z.object({ path: z.string(), text: z.string().optional(), base64: z.base64().optional() })).optional(),
    working_directory: z.string().optional(),
    timeout_s: z.number().optional(),
    cpu_cores: z.number().optional(),
    memory_mb: z.int().optional(),
    disk_mb: z.int().optional(),
    max_cost_usd: usd.optional(),
    mode: z.enum(["normal", "analysis_only", "dry_run"]).optional(),
    metadata: metadata.optional(),
    allow_tools: z.array(z.string()).optional(),
    allow_agents: z.array(z.string()).optional(),
    allow_skills: z.array(z.string()).optional(),
    approve_tools: z.array(z.string()).optional().describe("What waits for a person's word"),
    network: z
      .object({ hosts: z.array(z.string()) })
      .optional()
      .describe("What it is to reach beyond the gateway, of what its profile allows: example.com, *.example.com, example.com:8443"),
    output_schema: z.looseObject({}).nullish().describe("For an agent: a JSON schema of what it is to come to"),
    callback_url: z.url().nullish().describe("Who is told of its end, and of what waits for a word, by a signed POST"),
  })
  .openapi("TaskRequest");
const task = z
  .object({
    id,
    object: z.literal("task"),
    status: z.enum(STATUSES),
    exit_reason: z.enum(EXIT_REASONS).nullable(),
    engine: z.enum(ENGINES),
    mode: z.string(),
    key: z.string(),
    profile: name,
    model: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    created_at: z.iso.datetime(),
    started_at: time,
    ended_at: time,
    last_seq: z.int(),
    approvals: z.array(approval),
    callback: z
      .object({
        url: z.string(),
        status: z.enum(["waiting", "pending", "delivered", "failed"]),
        attempts: z.int(),
        last_error: z.string().nullable(),
      })
      .nullable(),
    feedback: feedback.extend({ comment: z.string().nullable(), at: z.iso.datetime() }).nullable(),
    cost: z.object({ cap_usd: z.string(), spent_usd: z.string(), reserved_usd: z.string() }),
    resources: z.object({ cpu_ms: z.number().nullable(), memory_peak_bytes: z.number().nullable() }),
    result: z
      .object({
        text: z.string().nullable(),
        structured: z.unknown(),
        exit_code: z.int().nullable(),
        files: z.array(file),
        message: z.string().nullable(),
      })
      .nullable(),
    error: z.object({ code: z.enum(EXIT_REASONS).exclude(["ok"]), message: z.string() }).nullable(),
  })
  .openapi("Task");
const violation = z.object({ kind: z.string(), name: z.string(), field: z.string().nullable(), reason: z.string() });
const verdict = z
  .object({
    valid: z.boolean(),
    effective: z.looseObject({}).nullable(),
    explain: z.array(z.looseObject({})),
    violations: z.array(violation),
  })
  .openapi("TaskVerdict");
const event = z.object({ seq: z.int(), at: z.iso.datetime(), type: z.string(), data: z.looseObject({}) }).openapi("TaskEvent", {
  description: "One thing that happened in a task, as each event of the stream and each message of the socket tells it",
});
const input = z.object({ text: z.string().optional(), end: z.boolean().optional() });

/** A route of tasks as a generator of clients needs it; requests are read elsewhere, which tells more of what is wrong. */
interface Described {
  readonly method: "get" | "post" | "delete";
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly answer?: z.ZodType;
  /** Of its answer, where that is no JSON. */
  readonly type?: string;
  readonly status?: 200 | 202 | 204;
}

const BYTES = z.string().openapi({ format: "binary" });
const ROUTES: readonly Described[] = [
  { method: "post", path: "", summary: "Begin a task", body: request, answer: task, status: 202 },
  { method: "get", path: "", summary: "List the key's own tasks", query: z.object(paging), answer: listOf(task) },
  { method: "post", path: "/validate", summary: "Say what a request would come to", body: request, answer: verdict },
  {
    method: "get",
    path: "/callback_secret",
    summary: "Read what callbacks are signed with",
    answer: z.object({ object: z.string(), secret: z.string() }),
  },
  { method: "get", path: "/{id}", summary: "Read a task", answer: task },
  { method: "delete", path: "/{id}", summary: "Cancel a task", answer: task, status: 202 },
  {
    method: "get",
    path: "/{id}/events",
    summary: "Follow a task's events, or upgrade to a WebSocket of the same",
    query: z.object({ after: z.int().optional() }),
    answer: event,
    type: "text/event-stream",
  },
  { method: "post", path: "/{id}/input", summary: "Give a task's command something to read", body: input, status: 204 },
  { method: "post", path: "/{id}/approve", summary: "Answer what waits for a person's word", body: word, answer: approval },
  { method: "post", path: "/{id}/feedback", summary: "Say what was thought of a task", body: feedback, answer: task },
  { method: "get", path: "/{id}/artifacts", summary: "Read what a task left, as a tar", answer: BYTES, type: "application/x-tar" },
  {
    method: "get",
    path: "/{id}/artifacts/{path}",
    summary: "Read one file that a task left",
    answer: BYTES,
    type: "application/octet-stream",
  },
];

/** Puts the routes of tasks into the deployment's document: they stand beside the admin plane, and take a key. */
export function describeTasks({ openAPIRegistry }: AdminApp): void {
  for (const { method, path, summary, query, body, answer, type = "application/json", status = 200 } of ROUTES) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, each]) => each!);
    const route = createRoute({
      method,
      path: `/v1/task${path}`,
      servers: [{ url: "/" }],
      security: [{ apiKey: [] }],
      summary,
      tags: ["tasks"],
      request: {
        ...(names.length > 0 ? { params: z.object(Object.fromEntries(names.map((each) => [each, z.string()]))) } : {}),
        ...(query ? { query } : {}),
        ...(body ? { body: { required: true, content: { "application/json": { schema: body } } } } : {}),
      },
      responses: {
        [status]: { description: summary, ...(answer ? { content: { [type]: { schema: answer } } } : {}) },
        default: REFUSAL,
      },
    });
    openAPIRegistry.registerPath(route);
  }
}
