import { z } from "@hono/zod-openapi";
import { type PriceRow, PriceStore, RATE_CLASSES } from "#models";
import { found, nanoFromUsd, TollgateError, usdFromNano } from "#core";
import { TenantStore } from "#keys";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, moment, name, page, paging, usd } from "./shapes.ts";

/** USD as text or number, kept in its shortest form: a rate reads the same however it was written. */
const rate = usd
  .transform((value, context) => {
    try {
      return usdFromNano(nanoFromUsd(value, "it"));
    } catch (error) {
      if (!(error instanceof TollgateError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  })
  .nullable();
const rates = z.strictObject(
  Object.fromEntries(RATE_CLASSES.map((each) => [each, rate.optional()])) as Record<
    (typeof RATE_CLASSES)[number],
    z.ZodOptional<typeof rate>
  >,
);
const scope = z.strictObject({ kind: z.enum(["deployment", "team"]), id: z.string().max(128).default("") });
const tiers = z.array(z.strictObject({ above_input_tokens: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER), rates })).max(8);
const serviceTiers = z.record(z.string().min(1).max(32), z.strictObject({ rates }));
const modelName = z.string().min(1).max(256);

const create = z.strictObject({
  provider: name,
  model: modelName,
  aliases: z.array(modelName).max(50).default([]),
  state: z.enum(["priced", "free"]).default("priced"),
  scope: scope.default({ kind: "deployment", id: "" }),
  effective_from: moment.optional(),
  effective_to: moment.nullable().default(null),
  rates: rates.default({}),
  tiers: tiers.default([]),
  service_tiers: serviceTiers.default({}),
  source: z.string().min(1).max(512).default("operator"),
});
const price = z
  .looseObject({ id, object: z.literal("price"), provider: name, model: modelName, checked_at: z.string(), created_by: z.string() })
  .openapi("Price");

/** Every class stands in the answer, so that a reader sees which have no rate. */
function ratesShape(of: PriceRow["rates"]) {
  return Object.fromEntries(RATE_CLASSES.map((each) => [each, of[each] ?? null]));
}

/** A price row as the contract has it; also stands in receipts. */
export function priceShape(row: PriceRow) {
  return {
    id: row.id,
    object: "price",
    provider: row.provider,
    model: row.model,
    aliases: row.aliases,
    state: row.state,
    scope: row.scope.kind === "deployment" ? { kind: "deployment" } : row.scope,
    effective_from: iso(row.effectiveFrom),
    effective_to: iso(row.effectiveTo),
    rates: ratesShape(row.rates),
    tiers: row.tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, rates: tier.rates })),
    service_tiers: row.serviceTiers,
    source: row.source,
    checked_at: iso(row.checkedAt),
  };
}

const store = ({ env }: AdminContext) => new PriceStore(env.db, () => env.now());
/** A price of a team that does not exist would hold for nobody, and for whoever takes the id later. */
async function requireTeam({ env }: AdminContext, { kind, id: team }: z.output<typeof scope>): Promise<void> {
  if (kind !== "team" || team === "") return;
  if (await new TenantStore(env.db, () => env.now()).getTeam(team)) return;
  throw new TollgateError("invalid_request", "scope.id names no team", { param: "scope.id" });
}

const stored = (row: PriceRow & { readonly createdBy: string }) => ({ ...priceShape(row), created_by: row.createdBy });

/** `/prices`: the deployment's own prices over the bundled table. A price is corrected by a newer row, never in place. */
export function prices(app: AdminApp): void {
  const resource = "prices";
  write(
    app,
    { method: "post", path: "/prices", resource, summary: "Set a price", body: create, answer: price, status: 201 },
    async ({ body, actor }, context) => {
      await requireTeam(context, body.scope);
      const row = await store(context).create({
        provider: body.provider,
        model: body.model,
        aliases: body.aliases,
        state: body.state,
        scope: body.scope,
        effectiveFrom: body.effective_from ?? context.env.now(),
        effectiveTo: body.effective_to,
        rates: given(body.rates),
        tiers: body.tiers.map((tier) => ({ aboveInputTokens: tier.above_input_tokens, rates: given(tier.rates) })),
        serviceTiers: Object.fromEntries(Object.entries(body.service_tiers).map(([tier, its]) => [tier, { rates: given(its.rates) }])),
        source: body.source,
        createdBy: actor.id === "bootstrap" ? "admin" : actor.id,
      });
      context.env.directory.invalidate();
      return { answer: stored(row), audit: { type: "price.create", subject: { kind: "price", id: row.id }, after: stored(row) } };
    },
  );
  const query = z.strictObject({ ...paging, provider: name.optional(), model: modelName.optional() });
  read(
    app,
    { method: "get", path: "/prices", resource, summary: "List the deployment's own prices", query, answer: listOf(price) },
    async ({ query: asked }, context) => {
      const { limit, ...filter } = asked;
      return page(await store(context).list({ limit, ...given(filter) }), stored);
    },
  );
  read(
    app,
    { method: "get", path: "/prices/{id}", resource, summary: "Read a price", params: byId, answer: price },
    async ({ params }, context) => stored(found(await store(context).get(params.id), "price")),
  );
  priceChanges(app);
}

function priceChanges(app: AdminApp): void {
  const resource = "prices";
  const patch = z.strictObject({ effective_to: moment.nullable() });
  write(
    app,
    { method: "patch", path: "/prices/{id}", resource, summary: "Set when a price ends", params: byId, body: patch, answer: price },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "price");
      const row = await store(context).end(params.id, body.effective_to);
      context.env.directory.invalidate();
      return {
        answer: stored(row),
        audit: { type: "price.update", subject: { kind: "price", id: row.id }, before: stored(before), after: stored(row) },
      };
    },
  );
  write(
    app,
    { method: "delete", path: "/prices/{id}", resource, summary: "Remove a price", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      context.env.directory.invalidate();
      return { answer: null, audit: { type: "price.delete", subject: { kind: "price", id: row.id }, before: stored(row) } };
    },
  );
}
