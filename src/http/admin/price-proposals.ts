import { z } from "@hono/zod-openapi";
import { found } from "#core";
import { changesOf, type ProposalRow, ProposalStore, type Terms } from "#models";
import { checkPrices } from "../price-check.ts";
import { iso } from "../time.ts";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { priceShape } from "./prices.ts";
import { byId, given, id, listOf, moment, page, paging } from "./shapes.ts";

const status = z.enum(["pending", "approved", "rejected", "withdrawn"]);
const proposal = z
  .looseObject({
    id,
    object: z.literal("price_proposal"),
    status,
    provider: z.string(),
    model: z.string(),
    changes: z.array(z.object({ field: z.string(), from: z.string().nullable(), to: z.string().nullable() })),
    source: z.string(),
    price: z.string().nullable(),
  })
  .openapi("PriceProposal");
const checked = z.object({
  object: z.literal("price_check"),
  proposed: z.number(),
  standing: z.number(),
  rejected: z.number(),
  withdrawn: z.number(),
});

function termsShape({ rates, tiers, serviceTiers }: Terms) {
  return {
    rates,
    tiers: tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, rates: tier.rates })),
    service_tiers: serviceTiers,
  };
}

function shape(row: ProposalRow) {
  const { current, proposed } = row;
  return {
    id: row.id,
    object: "price_proposal",
    status: row.status,
    provider: row.provider,
    model: row.model,
    changes: changesOf(row),
    current: current && { price: current.price, ...termsShape(current) },
    proposed: termsShape(proposed),
    source: row.source,
    created_at: iso(row.createdAt),
    decided_at: iso(row.decidedAt),
    decided_by: row.decidedBy,
    price: row.price,
  };
}

const store = ({ env }: AdminContext) => new ProposalStore(env.db, () => env.now());
const resource = "prices";
const subject = (of: string) => ({ kind: "price_proposal", id: of });

/** `/prices/proposals`: what the price source has otherwise than this deployment, for an operator to approve or reject. */
export function priceProposals(app: AdminApp): void {
  write(
    app,
    { method: "post", path: "/prices/proposals", resource, summary: "Read the price source now", answer: checked },
    async (_, context) => {
      const details = { ...(await checkPrices(context.env)) };
      return { answer: { object: "price_check", ...details }, audit: { type: "price_proposal.create", subject: null, details } };
    },
  );
  const query = z.strictObject({ ...paging, status: status.optional() });
  read(
    app,
    { method: "get", path: "/prices/proposals", resource, summary: "List proposed changes of prices", query, answer: listOf(proposal) },
    async ({ query: { limit, ...filter } }, context) => page(await store(context).list({ limit, ...given(filter) }), shape),
  );
  read(
    app,
    { method: "get", path: "/prices/proposals/{id}", resource, summary: "Read a proposed price", params: byId, answer: proposal },
    async ({ params }, context) => shape(found(await store(context).get(params.id), "price proposal")),
  );
  decisions(app);
}

function decisions(app: AdminApp): void {
  const approval = z.strictObject({ effective_from: moment.optional() });
  const path = (what: string) => `/prices/proposals/{id}/${what}`;
  write(
    app,
    {
      method: "post",
      path: path("approve"),
      resource,
      summary: "Make a proposed price the deployment's own",
      params: byId,
      body: approval,
      answer: proposal,
    },
    async ({ params, body, actor }, context) => {
      const by = actor.id === "bootstrap" ? "admin" : actor.id;
      const effectiveFrom = body.effective_from ?? context.env.now();
      const { proposal: row, price } = await store(context).approve(params.id, { by, effectiveFrom });
      context.env.directory.invalidate();
      const audit = { type: "price_proposal.approve", subject: subject(row.id), before: row.current, after: priceShape(price) };
      return { answer: shape(row), audit };
    },
  );
  write(
    app,
    { method: "post", path: path("reject"), resource, summary: "Reject a proposed price for good", params: byId, answer: proposal },
    async ({ params, actor }, context) => {
      const row = await store(context).reject(params.id, actor.id === "bootstrap" ? "admin" : actor.id);
      return { answer: shape(row), audit: { type: "price_proposal.reject", subject: subject(row.id), before: row.proposed } };
    },
  );
}
