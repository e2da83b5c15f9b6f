import { z } from "@hono/zod-openapi";
import { BudgetStore } from "#budget";
import { found, ROLES, TollgateError } from "#core";
import { type KeyFields, type KeyRow, KeyStore, mayGrant } from "#keys";
import { ProfileStore } from "#tasks";
import type { Actor } from "./actor.ts";
import { budget, budgetFields, budgetShape, budgetShapes, budgetsOfKeys, newBudget } from "./budgets.ts";
import { type AdminApp, type AdminContext, read, write, type Written } from "./operation.ts";
import { keyPolicies, placed, planned, policyIds } from "./key-policies.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, metadata, moment, name, page, paging } from "./shapes.ts";

const resource = "keys";
const pattern = z.string().min(1).max(256);
const pace = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).nullable();
const models = z.strictObject({ allow: z.array(pattern).max(200).optional(), deny: z.array(pattern).max(200).optional() });
const limits = z.strictObject({ rpm: pace.optional(), tpm: pace.optional(), concurrency: pace.optional() });

const changeable = {
  user: id.nullable().optional(),
  role: z.enum(ROLES).optional(),
  tags: z.array(z.string().min(1).max(64)).max(32).optional(),
  metadata: metadata.optional(),
  models: models.optional(),
  expires_at: moment.nullable().optional(),
  limits: limits.optional(),
  unknown_price: z.enum(["charge_dearest", "refuse"]).optional(),
  content_logging: z.enum(["off", "redacted", "full"]).optional(),
  cache: z.enum(["off", "key", "team"]).optional(),
  responses: z.enum(["kept", "off"]).optional(),
  policies: policyIds.optional(),
  profile: z.string().min(1).max(64).nullable().optional(),
};
const create = z.strictObject({
  name,
  team: id.optional(),
  ...changeable,
  budgets: z.array(z.strictObject(budgetFields)).max(16).default([]),
});
const patch = z.strictObject({ name: name.optional(), ...changeable });

const key = z
  .looseObject({
    id,
    object: z.literal("key"),
    name,
    status: z.enum(["active", "disabled", "expired", "revoked"]),
    last4: z.string().nullable(),
    budgets: z.array(budget),
  })
  .openapi("Key");

const stores = ({ env }: AdminContext) => ({
  keys: new KeyStore(env.db, env.config.TOLLGATE_PEPPER, () => env.now()),
  budgets: new BudgetStore(env.db, () => env.now()),
});

/** What was named, as the store calls it. */
function fieldsOf(body: z.output<typeof patch>): Partial<KeyFields> {
  const { user, role, tags, metadata: facts, unknown_price, content_logging, cache, responses, profile } = body;
  return given({
    name: body.name,
    user,
    role,
    tags,
    metadata: facts,
    modelsAllow: body.models?.allow,
    modelsDeny: body.models?.deny,
    expiresAt: body.expires_at,
    rpm: body.limits?.rpm,
    tpm: body.limits?.tpm,
    concurrency: body.limits?.concurrency,
    unknownPrice: unknown_price,
    contentLogging: content_logging,
    cache,
    responses,
    profile,
  });
}

/** A key and the policies of its own. */
type Shown = KeyRow & { readonly policies: readonly string[] };

/** The key without its budgets: what the audit keeps. */
function fieldsShape(row: Shown, now: number) {
  const expired = row.status === "active" && row.expiresAt !== null && row.expiresAt <= now;
  return {
    id: row.id,
    object: "key",
    name: row.name,
    team: row.team,
    user: row.user,
    role: row.role,
    tags: row.tags,
    metadata: row.metadata,
    models: { allow: row.modelsAllow, deny: row.modelsDeny },
    expires_at: iso(row.expiresAt),
    limits: { rpm: row.rpm, tpm: row.tpm, concurrency: row.concurrency },
    unknown_price: row.unknownPrice,
    content_logging: row.contentLogging,
    cache: row.cache,
    responses: row.responses,
    policies: row.policies,
    profile: row.profile,
    last4: row.last4,
    status: expired ? "expired" : row.status,
    created_at: iso(row.createdAt),
  };
}

async function shapesOf(context: AdminContext, rows: readonly KeyRow[]) {
  const ids = rows.map(({ id: key }) => key);
  const [owned, policies] = await Promise.all([budgetsOfKeys(context.env.db, ids), keyPolicies(context).of(ids)]);
  const shapes = await budgetShapes(
    context,
    ids.flatMap((key) => owned.get(key) ?? []),
  );
  const byKey = Map.groupBy(shapes, ({ scope }) => scope.id);
  return rows.map((row) => ({
    ...fieldsShape({ ...row, policies: policies.get(row.id) ?? [] }, context.env.now()),
    budgets: byKey.get(row.id) ?? [],
  }));
}

async function shapeOf(context: AdminContext, row: KeyRow) {
  const [shape] = await shapesOf(context, [row]);
  return shape;
}

/** A key never holds more than its maker: neither at birth nor by a later change of one that already does. */
function requireGrant(actor: Actor, ...roles: readonly KeyFields["role"][]): void {
  for (const role of roles) {
    if (!mayGrant(actor.role, role)) {
      throw new TollgateError("permission_denied", `The role ${actor.role} may not make or change a key of role ${role}`, {
        param: "role",
      });
    }
  }
}

/** A key may name a profile that is there. @throws TollgateError `invalid_request` naming `profile`. */
async function requireProfile({ env }: AdminContext, name: string | null | undefined): Promise<void> {
  if (!name || (await new ProfileStore(env.db, () => env.now()).named(name))) return;
  throw new TollgateError("invalid_request", `profile: there is no profile ${JSON.stringify(name)}`, { param: "profile" });
}

/** Makes the ledger see the change before it is acknowledged: from then on no isolate can act on the old facts. */
async function changed(context: AdminContext, row: KeyRow): Promise<void> {
  context.env.keys.forget(row.id);
  await context.env.ledger(row.team).refresh();
}

/** Revokes a key. One whose ledger could not be told is told again by the next try, which finds the key gone. */
async function revoked(context: AdminContext, before: KeyRow): Promise<KeyRow> {
  if (before.status === "revoked") await changed(context, before);
  const row = await stores(context).keys.delete(before.id);
  await changed(context, row);
  return row;
}

/** The key as it stands, with the policies of its own. */
async function shown(context: AdminContext, row: KeyRow): Promise<Shown> {
  return { ...row, policies: (await keyPolicies(context).of([row.id])).get(row.id) ?? [] };
}

async function knownKey(context: AdminContext, key: string): Promise<Shown> {
  return shown(context, found(await stores(context).keys.get(key), "key"));
}

function auditOf(type: string, row: Shown, now: number, before?: Shown): Written["audit"] {
  const after = fieldsShape(row, now);
  return {
    type,
    subject: { kind: "key", id: row.id },
    team: row.team,
    key: row.id,
    after,
    ...(before ? { before: fieldsShape(before, now) } : {}),
  };
}

/** `/keys`: who may call, with what limits. A secret is shown by the answer that made it and never again. */
export function keys(app: AdminApp): void {
  creation(app);
  changes(app);
  lifecycle(app);
}

function creation(app: AdminApp): void {
  write(
    app,
    { method: "post", path: "/keys", resource, summary: "Create a key", body: create, answer: key, status: 201 },
    async ({ body, actor }, context) => {
      requireGrant(actor, body.role ?? "key_holder");
      await requireProfile(context, body.profile);
      const { keys: store, budgets } = stores(context);
      // Judged before anything is written, so that a wrong budget leaves no key behind.
      body.budgets.forEach((each, at) => newBudget(each, { kind: "key", id: "" }, `budgets.${at}.`));
      const placings = await planned(context, { actor, key: null, policies: body.policies });
      const { row: made, secret } = await store.create({ ...fieldsOf(body), ...given({ team: body.team }), name: body.name });
      const own: unknown[] = [];
      for (const [at, each] of body.budgets.entries()) {
        own.push(budgetShape(await budgets.create(newBudget(each, { kind: "key", id: made.id }, `budgets.${at}.`)), undefined));
      }
      await placed(context, { actor, key: made.id, placings });
      await changed(context, made);
      const row = await shown(context, made);
      const now = context.env.now();
      const audit = { ...auditOf("key.create", row, now), after: { ...fieldsShape(row, now), budgets: own } };
      return { answer: { ...(await shapeOf(context, row)), secret }, audit };
    },
  );
}

function changes(app: AdminApp): void {
  const query = z.strictObject({
    ...paging,
    team: id.optional(),
    user: id.optional(),
    status: z.enum(["active", "disabled", "revoked"]).optional(),
  });
  read(
    app,
    { method: "get", path: "/keys", resource, summary: "List keys", query, answer: listOf(key) },
    async ({ query: asked }, context) => {
      const { limit, ...filter } = asked;
      const listed = await stores(context).keys.list({ limit, ...given(filter) });
      return page({ rows: await shapesOf(context, listed.rows), next: listed.next }, (shape) => shape);
    },
  );
  read(
    app,
    { method: "get", path: "/keys/{id}", resource, summary: "Read a key", params: byId, answer: key },
    async ({ params }, context) => shapeOf(context, found(await stores(context).keys.get(params.id), "key")),
  );
  write(
    app,
    { method: "patch", path: "/keys/{id}", resource, summary: "Change a key", params: byId, body: patch, answer: key },
    async ({ params, body, actor }, context) => {
      const before = await knownKey(context, params.id);
      requireGrant(actor, before.role, body.role ?? before.role);
      await requireProfile(context, body.profile);
      const placings = await planned(context, { actor, key: params.id, policies: body.policies });
      const patched = await stores(context).keys.patch(params.id, fieldsOf(body));
      await placed(context, { actor, key: params.id, placings });
      await changed(context, patched);
      const row = await shown(context, patched);
      return { answer: await shapeOf(context, row), audit: auditOf("key.update", row, context.env.now(), before) };
    },
  );
  write(
    app,
    { method: "delete", path: "/keys/{id}", resource, summary: "Revoke a key for ever", params: byId, status: 204 },
    async ({ params, actor }, context) => {
      const before = await knownKey(context, params.id);
      requireGrant(actor, before.role);
      const row = await revoked(context, before);
      return { answer: null, audit: auditOf("key.delete", { ...before, ...row }, context.env.now(), before) };
    },
  );
}

/** Rotation, and being switched off and on. */
function lifecycle(app: AdminApp): void {
  const rotate = z.strictObject({
    grace_s: z
      .number()
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(3_600),
  });
  const rotated = z.object({ id, secret: z.string(), previous_valid_until: z.string() });
  write(
    app,
    {
      method: "post",
      path: "/keys/{id}/rotate",
      resource,
      summary: "Give a key a new secret",
      params: byId,
      body: rotate,
      answer: rotated,
    },
    async ({ params, body, actor }, context) => {
      const before = await knownKey(context, params.id);
      requireGrant(actor, before.role);
      const { row, secret, previousValidUntil } = await stores(context).keys.rotate(params.id, body.grace_s * 1000);
      await changed(context, row);
      const answer = { id: row.id, secret, previous_valid_until: iso(previousValidUntil) };
      return { answer, audit: auditOf("key.rotate", { ...before, ...row }, context.env.now(), before) };
    },
  );
  for (const verb of ["disable", "enable"] as const) {
    write(
      app,
      {
        method: "post",
        path: `/keys/{id}/${verb}`,
        resource,
        summary: `${verb === "disable" ? "Disable" : "Enable"} a key`,
        params: byId,
        answer: key,
      },
      async ({ params, actor }, context) => {
        const before = await knownKey(context, params.id);
        requireGrant(actor, before.role);
        const row = await stores(context).keys[verb](params.id);
        await changed(context, row);
        return { answer: await shapeOf(context, row), audit: auditOf(`key.${verb}`, { ...before, ...row }, context.env.now(), before) };
      },
    );
  }
}
