import { z } from "@hono/zod-openapi";
import { asTollgateError, found } from "#core";
import { KeyStore, TenantStore } from "#keys";
import { type ActivationRow, factsOfContext, type PolicyRow, PolicyStore, PRIORITY_MAX, trialOf, tryOut } from "#policy";
import { type AdminApp, type AdminContext, leaveEntry, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, name, page, paging } from "./shapes.ts";

const resource = "policies";
const SOURCE_CHARACTERS_MAX = 256 * 1024;

/** Settings of a policy, or a context for it: whatever its own schema says. */
export const anything = z.record(z.string(), z.unknown());
const mode = z.enum(["off", "inherit", "shadow", "canary", "enforce"]);
const scope = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("deployment") }),
  z.strictObject({ kind: z.literal("team"), id }),
  z.strictObject({ kind: z.literal("key"), id }),
]);
const shownScope = z.object({ kind: z.enum(["deployment", "team", "key"]), id: z.string().optional() });
const policy = z
  .object({
    id,
    object: z.literal("policy"),
    name,
    version: z.string(),
    hash: z.string(),
    priority: z.number(),
    compose: z.enum(["all", "any"]),
    needs: z.array(z.string()),
    stages: z.array(z.string()),
    config_schema: anything,
    load_fuel: z.number(),
    tests: z.object({ passed: z.number(), failed: z.number() }),
    signed_by: z.string().nullable(),
    created_at: z.string(),
  })
  .openapi("Policy");
const activation = z
  .object({
    object: z.literal("policy_activation"),
    policy: id,
    name,
    scope: shownScope,
    mode,
    canary_percent: z.number().nullable(),
    on_error: z.enum(["deny", "allow"]),
    compose: z.enum(["all", "any"]),
    config: anything,
    priority: z.number().nullable(),
    generation: z.number(),
    activated_at: z.string(),
  })
  .openapi("PolicyActivation");
const finding = z.object({
  outcome: z.enum(["allowed", "denied", "failed"]),
  failure: z.string().nullable(),
  decision: anything,
  fuel: z.number(),
  logs: z.array(z.string()),
});

/** A version as it is shown; its source is not. */
export function policyShape({ described, ...row }: PolicyRow) {
  return {
    id: row.id,
    object: "policy",
    name: row.name,
    version: row.version,
    hash: row.hash,
    priority: described.priority,
    compose: described.compose,
    needs: described.needs,
    stages: described.stages,
    config_schema: described.config,
    load_fuel: described.loadFuel,
    tests: described.tests,
    signed_by: row.signedBy,
    created_at: iso(row.createdAt),
  };
}

/** Where a version stands, as it is shown. */
export function activationShape(row: ActivationRow) {
  return {
    object: "policy_activation",
    policy: row.policy,
    name: row.name,
    scope: row.scopeKind === "deployment" ? { kind: row.scopeKind } : { kind: row.scopeKind, id: row.scopeId },
    mode: row.mode,
    canary_percent: row.canaryPercent,
    on_error: row.onError,
    compose: row.compose,
    config: row.config,
    priority: row.priority,
    generation: row.generation,
    activated_at: iso(row.activatedAt),
  };
}

/** The store, as an operation uses it. */
export const policyStore = ({ env }: AdminContext) => new PolicyStore(env.db, env.config, () => env.now());
/** Who acts, as stored with what was done. */
export const byOf = ({ kind, id: actor }: { readonly kind: string; readonly id: string }) => `${kind}:${actor}`;

/** `/policies`: versions of policies and where they stand. A bundle that is refused leaves an audit entry that says why. */
export function policies(app: AdminApp): void {
  auditRefusals(app);
  const signature = z.strictObject({ key_id: z.string().min(1).max(64), ed25519: z.string().min(1).max(128) });
  const create = z.strictObject({
    name,
    version: z.string().max(32),
    source: z.string().min(1).max(SOURCE_CHARACTERS_MAX),
    signature: signature.nullable().default(null),
  });
  write(
    app,
    { method: "post", path: "/policies", resource, summary: "Upload a version of a policy", body: create, answer: policy, status: 201 },
    async ({ body: { signature: signed, ...bundle }, actor }, context) => {
      const upload = { ...bundle, signature: signed && { keyId: signed.key_id, ed25519: signed.ed25519 } };
      const store = policyStore(context);
      await store.check(upload);
      const before = await store.same(upload);
      const row = before ?? (await store.add(upload, await context.env.register(bundle.source), byOf(actor)));
      const { id: made, version, hash, signedBy } = row;
      const after = { name: row.name, version, hash, signed_by: signedBy };
      const audit = {
        type: "policy.create",
        subject: { kind: "policy", id: made },
        after,
        before: before === null ? null : after,
      } as const;
      return { answer: policyShape(row), audit };
    },
  );
  const query = z.strictObject({ ...paging, name: name.optional() });
  read(
    app,
    { method: "get", path: "/policies", resource, summary: "List versions of policies", query, answer: listOf(policy) },
    async ({ query: { limit, cursor, name: of } }, context) =>
      page(await policyStore(context).list({ limit, ...given({ cursor }) }, of), policyShape),
  );
  standings(app);
  read(
    app,
    { method: "get", path: "/policies/{id}", resource, summary: "Read a version of a policy", params: byId, answer: policy },
    async ({ params }, context) => policyShape(found(await policyStore(context).get(params.id), "policy")),
  );
  sources(app);
  trial(app);
}

/** What a version runs is for those who may write policies: it may hold what its author would not show everybody. Reading it is in the audit. */
function sources(app: AdminApp): void {
  const signed = z.object({ key_id: z.string(), ed25519: z.string() });
  const answer = z
    .object({
      id,
      object: z.literal("policy_source"),
      name,
      version: z.string(),
      hash: z.string(),
      source: z.string(),
      signature: signed.nullable(),
    })
    .openapi("PolicySource");
  read(
    app,
    {
      method: "get",
      path: "/policies/{id}/source",
      resource: "policy_sources",
      summary: "Read the source of a version of a policy",
      params: byId,
      answer,
    },
    async ({ params }, context) => {
      const row = found(await policyStore(context).get(params.id), "policy");
      const { source, signature } = await policyStore(context).bundleOf(row.id);
      const { name: of, version, hash } = row;
      await leaveEntry(context, {
        type: "policy.read_source",
        subject: { kind: "policy", id: row.id },
        details: { name: of, version, hash },
      });
      const shown = signature && { key_id: signature.keyId, ed25519: signature.ed25519 };
      return { id: row.id, object: "policy_source", name: of, version, hash, source, signature: shown };
    },
  );
}

function standings(app: AdminApp): void {
  const query = z.strictObject({ name: name.optional() });
  const answer = z.object({ data: z.array(activation) });
  read(
    app,
    { method: "get", path: "/policies/activations", resource, summary: "List where policies stand", query, answer },
    async ({ query: { name: of } }, context) => ({ data: (await policyStore(context).activations(of)).map(activationShape) }),
  );
  const put = z.strictObject({
    scope,
    mode,
    canary_percent: z.number().min(0).max(100).nullable().default(null),
    on_error: z.enum(["deny", "allow"]).default("deny"),
    compose: z.enum(["all", "any"]).nullable().default(null),
    config: anything.default({}),
    priority: z.number().int().min(0).max(PRIORITY_MAX).nullable().default(null),
  });
  write(
    app,
    {
      method: "put",
      path: "/policies/{id}/activation",
      resource,
      summary: "Put a version of a policy where it shall stand",
      params: byId,
      body: put,
      answer: activation,
    },
    async ({ params, body, actor }, context) => {
      const before = await standingBefore(params.id, body.scope, context);
      const wanted = {
        scopeKind: body.scope.kind,
        scopeId: await existing(body.scope, context),
        mode: body.mode,
        canaryPercent: body.canary_percent,
        onError: body.on_error,
        compose: body.compose,
        priority: body.priority,
        config: body.config,
      };
      const row = await policyStore(context).activate(params.id, wanted, byOf(actor));
      context.env.directory.invalidate();
      const answer = activationShape(row);
      return { answer, audit: { type: "policy.activate", subject: { kind: "policy", id: params.id }, before, after: answer } };
    },
  );
}

/** The scope's id, once it is known to be there: a policy that stands where nobody is would seem to be in force. */
async function existing(where: z.output<typeof scope>, { env }: AdminContext): Promise<string> {
  if (where.kind === "deployment") return "";
  const there =
    where.kind === "team"
      ? await new TenantStore(env.db, () => env.now()).getTeam(where.id)
      : await new KeyStore(env.db, env.config.TOLLGATE_PEPPER, () => env.now()).get(where.id);
  return found(there, where.kind).id;
}

/** What stood in a scope before, lane by lane. */
async function standingBefore(policyId: string, where: z.output<typeof scope>, context: AdminContext) {
  const { name: of } = found(await policyStore(context).get(policyId), "policy");
  const here = "id" in where ? where.id : "";
  const rows = await policyStore(context).activations(of);
  return rows
    .filter(({ scopeKind, scopeId, mode: is }) => scopeKind === where.kind && scopeId === here && is !== "off")
    .map(activationShape);
}

const STAGES = { request: "evaluate", response: "onResponse", chunk: "onChunk" } as const;

function trial(app: AdminApp): void {
  const body = z.strictObject({
    stage: z.enum(["request", "response", "chunk"]).default("request"),
    context: anything.default({}),
    config: anything.default({}),
  });
  write(
    app,
    { method: "post", path: "/policies/{id}/test", resource, summary: "Ask a policy about a context", params: byId, body, answer: finding },
    async ({ params, body: { stage, context: about, config } }, context) => {
      const row = found(await policyStore(context).get(params.id), "policy");
      const trial = trialOf(row, (await policyStore(context).bundleOf(row.id)).source, config);
      const said = await tryOut(context.env.judge, trial, { stage: STAGES[stage], facts: factsOfContext(about) });
      const { outcome, failure, reason, metadata, obligations, fuel, logs } = said;
      const decision = failure === null ? { allowed: outcome === "allowed", reason, metadata, obligations } : { reason };
      const answer = { outcome, failure, decision, fuel, logs: logs === "" ? [] : logs.split("\n") };
      return { answer, audit: { type: "policy.test", subject: { kind: "policy", id: row.id }, details: { stage, outcome, fuel } } };
    },
  );
}

/** What of a bundle is not right is in the audit, whoever finds it: its form, its signature, its version, its code. */
function auditRefusals(app: AdminApp): void {
  const audited = async (context: AdminContext, next: () => Promise<void>) => {
    await next();
    if (context.error === undefined || context.req.method === "GET") return;
    await leaveRefusal(context, context.req.method === "PUT" ? "policy.activate" : "policy.create", context.error);
  };
  app.use("/policies", audited);
  app.use("/policies/:id/activation", audited);
}

/** Says in the audit why a version did not get in, or not in force. */
export async function leaveRefusal(context: AdminContext, type: "policy.create" | "policy.activate", thrown: unknown): Promise<void> {
  const { code, message, facts } = asTollgateError(thrown);
  const details = { code, message, param: facts.param ?? null, path: context.req.path };
  await leaveEntry(context, { type, severity: "warning", outcome: "refused", details });
}
