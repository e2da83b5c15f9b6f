import { z } from "@hono/zod-openapi";
import { ALERTS, alertShape, type DeliveryRow, listAlerts, listDeliveries, sendOne, type WebhookRow, WebhookStore } from "#alerts";
import { found } from "#core";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, moment, page, paging, pagingOnly } from "./shapes.ts";

const type = z.enum(ALERTS);
const alert = z
  .object({
    id,
    object: z.literal("alert"),
    type,
    severity: z.enum(["info", "warning", "critical"]),
    created_at: z.string(),
    team: z.string().nullable(),
    key: z.string().nullable(),
    subject: z.object({ kind: z.enum(["budget", "model", "key", "policy", "task", "actor", "audit"]), id: z.string() }),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi("Alert");

/** `/alerts`: what somebody should know of, each once. */
export function alerts(app: AdminApp): void {
  const query = z.strictObject({
    ...paging,
    type: type.optional(),
    severity: alert.shape.severity.optional(),
    team: id.optional(),
    key: id.optional(),
    subject: z.string().max(1100).optional(),
    from: moment.optional(),
    to: moment.optional(),
  });
  read(
    app,
    { method: "get", path: "/alerts", resource: "alerts", summary: "List alerts", query, answer: listOf(alert) },
    async ({ query: { limit, cursor, ...filter } }, context) =>
      page(await listAlerts(context.env.db, given(filter), { limit, ...given({ cursor }) }), alertShape),
  );
}

const resource = "webhooks";
const url = z.string().max(2048);
const events = z.array(type).max(ALERTS.length);
const status = z.enum(["active", "disabled"]);
/** Long enough that nobody guesses it from a delivery that was seen. */
const secret = z
  .string()
  .regex(/^[\x21-\x7e]+$/, "must be visible ASCII without spaces")
  .min(24)
  .max(256);
const webhook = z.object({ id, object: z.literal("webhook"), url, events, status, created_at: z.string() }).openapi("Webhook");
const created = webhook.extend({ secret: z.string() }).openapi("NewWebhook");
const delivery = z
  .object({
    id,
    object: z.literal("delivery"),
    webhook: id,
    alert: id.nullable(),
    status: z.enum(["pending", "delivered", "failed"]),
    attempts: z.number(),
    http_status: z.number().nullable(),
    error: z.string().nullable(),
    next_attempt_at: z.string().nullable(),
    created_at: z.string(),
    ended_at: z.string().nullable(),
  })
  .openapi("Delivery");

function webhookShape(row: WebhookRow) {
  return { id: row.id, object: "webhook", url: row.url, events: row.events, status: row.status, created_at: iso(row.createdAt) };
}

function deliveryShape(row: DeliveryRow) {
  return {
    id: row.id,
    object: "delivery",
    webhook: row.webhook,
    alert: row.alert,
    status: row.status,
    attempts: row.attempts,
    http_status: row.httpStatus,
    error: row.error,
    next_attempt_at: row.status === "pending" ? iso(row.nextAt) : null,
    created_at: iso(row.createdAt),
    ended_at: iso(row.endedAt),
  };
}

/** For the audit: many a receiver takes whoever knows its path for a friend. */
function auditShape(row: WebhookRow) {
  return { ...webhookShape(row), url: new URL(row.url).origin };
}

const store = ({ env }: AdminContext) => new WebhookStore(env.db, env.config, env.now);

/** `/webhooks`: who is told of alerts. A signing secret is shown by the answer that made it and never again. */
export function webhooks(app: AdminApp): void {
  const create = z.strictObject({ url, events: events.default([]) });
  write(
    app,
    { method: "post", path: "/webhooks", resource, summary: "Register a webhook", body: create, answer: created, status: 201 },
    async ({ body }, context) => {
      const { row, secret: made } = await store(context).create(body);
      const audit = { type: "webhook.create", subject: { kind: "webhook", id: row.id }, after: auditShape(row) };
      return { answer: { ...webhookShape(row), secret: made }, audit };
    },
  );
  read(
    app,
    { method: "get", path: "/webhooks", resource, summary: "List webhooks", query: pagingOnly, answer: listOf(webhook) },
    async ({ query: { limit, cursor } }, context) => page(await store(context).list({ limit, ...given({ cursor }) }), webhookShape),
  );
  read(
    app,
    { method: "get", path: "/webhooks/{id}", resource, summary: "Read a webhook", params: byId, answer: webhook },
    async ({ params }, context) => webhookShape(found(await store(context).get(params.id), "webhook")),
  );
  webhookChanges(app);
  deliveries(app);
}

function webhookChanges(app: AdminApp): void {
  const patch = z.strictObject({ url: url.optional(), events: events.optional(), status: status.optional(), secret: secret.optional() });
  write(
    app,
    { method: "patch", path: "/webhooks/{id}", resource, summary: "Change a webhook", params: byId, body: patch, answer: webhook },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "webhook");
      const row = await store(context).patch(params.id, given(body));
      const facts = { before: auditShape(before), after: auditShape(row), details: { new_secret: body.secret !== undefined } };
      return { answer: webhookShape(row), audit: { type: "webhook.update", subject: { kind: "webhook", id: row.id }, ...facts } };
    },
  );
  write(
    app,
    { method: "delete", path: "/webhooks/{id}", resource, summary: "Remove a webhook", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      return { answer: null, audit: { type: "webhook.delete", subject: { kind: "webhook", id: row.id }, before: auditShape(row) } };
    },
  );
}

function deliveries(app: AdminApp): void {
  write(
    app,
    { method: "post", path: "/webhooks/{id}/test", resource, summary: "Send a test to a webhook", params: byId, answer: delivery },
    async ({ params }, context) => {
      const made = await store(context).test(params.id);
      const { db, config, now } = context.env;
      const answer = deliveryShape((await sendOne({ db, config, now }, made)) ?? made);
      const details = { delivery: made.id, http_status: answer.http_status };
      return { answer, audit: { type: "webhook.test", subject: { kind: "webhook", id: params.id }, details } };
    },
  );
  read(
    app,
    {
      method: "get",
      path: "/webhooks/{id}/deliveries",
      resource,
      summary: "List what was sent to a webhook",
      params: byId,
      query: pagingOnly,
      answer: listOf(delivery),
    },
    async ({ params, query: { limit, cursor } }, context) => {
      const { id: of } = found(await store(context).get(params.id), "webhook");
      return page(await listDeliveries(context.env.db, of, { limit, ...given({ cursor }) }), deliveryShape);
    },
  );
}
