import { z } from "@hono/zod-openapi";
import { found, TollgateError } from "#core";
import { BREAKER, type Route, type RouteRow, RouteStore, STRATEGIES } from "#routes";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, metadata, name, page, pagingOnly } from "./shapes.ts";

const when = z.strictObject({
  models: z.array(z.string().min(1).max(128)).max(16).default([]),
  tags: z.array(z.string().min(1).max(64)).max(16).default([]),
  metadata: metadata.default({}),
});
const standing = {
  priority: z.number().int().min(0).max(1000).default(0),
  weight: z.number().min(0).max(1000).default(1),
  when: when.prefault({}),
};
const target = z
  .strictObject({ provider: name.optional(), model: z.string().min(1).max(256).optional(), route: name.optional(), ...standing })
  .refine(({ provider, model, route }) => (route === undefined ? provider !== undefined && model !== undefined : !provider && !model), {
    message: "must name either a provider and a model, or a route",
  });
const seconds = z.number().min(0.1).max(3600);
const breaker = z.strictObject({
  calls_min: z.number().int().min(1).max(1000).default(BREAKER.callsMin),
  failure_percent: z.number().min(1).max(100).default(BREAKER.failurePercent),
  window_s: seconds.default(BREAKER.windowS),
  open_s: seconds.default(BREAKER.openS),
});
const timeout = z.number().int().min(1).max(3_600_000).nullable();
/** Every field but the name, as it may be given. */
const fields = {
  strategy: z.enum(STRATEGIES),
  sticky: z.boolean(),
  targets: z.array(target).min(1).max(16),
  retries: z.number().int().min(0).max(5),
  backoff_ms: z.number().int().min(1).max(60_000),
  timeout_ms: timeout,
  first_byte_timeout_ms: timeout,
  fall_back_on: z.array(z.number().int().min(400).max(599)).max(32),
  breaker,
};
const route = z.object({ id, object: z.literal("route"), name, ...fields, created_at: z.string() }).openapi("Route");

const create = z.strictObject({
  name,
  ...fields,
  strategy: fields.strategy.default("priority"),
  sticky: fields.sticky.default(true),
  retries: fields.retries.default(1),
  backoff_ms: fields.backoff_ms.default(250),
  timeout_ms: timeout.default(null),
  first_byte_timeout_ms: timeout.default(null),
  fall_back_on: fields.fall_back_on.default([]),
  breaker: breaker.prefault({}),
});
const patch = z.strictObject(fields).partial();

function shapeOf(row: RouteRow) {
  return {
    id: row.id,
    object: "route",
    name: row.name,
    strategy: row.strategy,
    sticky: row.sticky,
    targets: row.targets,
    retries: row.retries,
    backoff_ms: row.backoffMs,
    timeout_ms: row.timeoutMs,
    first_byte_timeout_ms: row.firstByteTimeoutMs,
    fall_back_on: row.fallBackOn,
    breaker: {
      calls_min: row.breaker.callsMin,
      failure_percent: row.breaker.failurePercent,
      window_s: row.breaker.windowS,
      open_s: row.breaker.openS,
    },
    created_at: iso(row.createdAt),
  };
}

type Targets = z.output<typeof target>[];

function targetsOf(targets: Targets): Route["targets"] {
  return targets.map(({ provider, model, route, ...rest }) =>
    route === undefined ? { provider: provider!, model: model!, ...rest } : { route, ...rest },
  );
}

/** The settings that a body names, in the store's words. */
function settingsOf(body: z.output<typeof patch>) {
  const { breaker } = body;
  return given({
    strategy: body.strategy,
    sticky: body.sticky,
    targets: body.targets && targetsOf(body.targets),
    retries: body.retries,
    backoffMs: body.backoff_ms,
    timeoutMs: body.timeout_ms,
    firstByteTimeoutMs: body.first_byte_timeout_ms,
    fallBackOn: body.fall_back_on,
    breaker: breaker && {
      callsMin: breaker.calls_min,
      failurePercent: breaker.failure_percent,
      windowS: breaker.window_s,
      openS: breaker.open_s,
    },
  });
}

/** A misspelt provider would be found out by callers; one that is removed later is skipped by its routes. */
async function refuseUnknown(context: AdminContext, targets: Targets, own: string | null): Promise<void> {
  const { directory } = context.env;
  directory.invalidate();
  const { upstreams, aliases } = await directory.get((work) => context.executionCtx.waitUntil(work));
  for (const [index, { provider }] of targets.entries()) {
    if (provider === undefined || upstreams.has(provider)) continue;
    const param = `targets.${index}.provider`;
    throw new TollgateError("invalid_request", `${param}: there is no provider ${JSON.stringify(provider)}`, { param });
  }
  if (own !== null && aliases.has(own)) throw new TollgateError("invalid_request", "name is taken by an alias", { param: "name" });
}

const store = ({ env }: AdminContext) => new RouteStore(env.db, () => env.now());

/** `/routes`: names of the operator's choice for several models, one of which answers. */
export function routes(app: AdminApp): void {
  const resource = "routes";
  write(
    app,
    { method: "post", path: "/routes", resource, summary: "Create a route", body: create, answer: route, status: 201 },
    async ({ body }, context) => {
      await refuseUnknown(context, body.targets, body.name);
      const row = await store(context).create({ name: body.name, ...settingsOf(body) } as Route);
      context.env.directory.invalidate();
      return { answer: shapeOf(row), audit: { type: "route.create", subject: { kind: "route", id: row.id }, after: shapeOf(row) } };
    },
  );
  read(
    app,
    { method: "get", path: "/routes", resource, summary: "List routes", query: pagingOnly, answer: listOf(route) },
    async ({ query }, context) => page(await store(context).list({ limit: query.limit, ...given({ cursor: query.cursor }) }), shapeOf),
  );
  read(
    app,
    { method: "get", path: "/routes/{id}", resource, summary: "Read a route", params: byId, answer: route },
    async ({ params }, context) => shapeOf(found(await store(context).get(params.id), "route")),
  );
  routeChanges(app);
}

function routeChanges(app: AdminApp): void {
  const resource = "routes";
  write(
    app,
    { method: "patch", path: "/routes/{id}", resource, summary: "Change a route", params: byId, body: patch, answer: route },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "route");
      await refuseUnknown(context, body.targets ?? [], null);
      const row = await store(context).patch(params.id, settingsOf(body));
      context.env.directory.invalidate();
      const audit = { type: "route.update", subject: { kind: "route", id: row.id }, before: shapeOf(before), after: shapeOf(row) };
      return { answer: shapeOf(row), audit };
    },
  );
  write(
    app,
    { method: "delete", path: "/routes/{id}", resource, summary: "Remove a route", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      context.env.directory.invalidate();
      return { answer: null, audit: { type: "route.delete", subject: { kind: "route", id: row.id }, before: shapeOf(row) } };
    },
  );
}
