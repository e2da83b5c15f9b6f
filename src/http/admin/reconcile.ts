import { z } from "@hono/zod-openapi";
import { usdFromFemto } from "#core";
import { amountOf, CAUSES, COUNTS, type Difference, type Figures, FORMATS, type Part, reconcile, type Reconciliation } from "#reconcile";
import { iso } from "../time.ts";
import { type AdminApp, read } from "./operation.ts";
import { given, moment, name } from "./shapes.ts";

const modelName = z.string().min(1).max(256);
const asked = z.strictObject({
  providers: z.array(name).min(1).max(10),
  exports: z
    .array(z.strictObject({ format: z.enum(FORMATS), data: z.union([z.string(), z.looseObject({})]) }))
    .min(1)
    .max(100),
  from: moment.optional(),
  to: moment.optional(),
  models: z.record(modelName, modelName).default({}),
  tolerance_usd: z
    .union([z.string(), z.number()])
    .default("0")
    .transform((value, context) => {
      const amount = amountOf(value);
      if (amount !== null && amount >= 0n) return amount;
      context.addIssue({ code: "custom", message: "must be a non-negative amount in USD" });
      return z.NEVER;
    })
    .openapi({ type: "string" }),
});

const figures = z
  .object({ tokens: z.partialRecord(z.enum(COUNTS), z.number().int()), usd: z.string().nullable() })
  .openapi("ReconciliationFigures");
const part = z.object({ records: z.number().int(), figures });
const difference = z
  .object({
    day: z.string(),
    through: z.string().nullable(),
    model: z.string(),
    our_model: z.string().nullable(),
    provider_names: z.array(z.string()),
    causes: z.array(z.enum(CAUSES)),
    theirs: z.object({ requests: z.number().int(), figures }).nullable(),
    ours: z.object({ records: z.number().int(), figures, estimated: part, unknown: part }).nullable(),
    delta: figures,
  })
  .openapi("ReconciliationDifference");
const answer = z
  .object({
    object: z.literal("reconciliation"),
    from: z.string(),
    to: z.string(),
    providers: z.array(z.string()),
    complete: z.boolean(),
    compared: z.array(z.string()),
    cells: z.number().int(),
    agrees: z.boolean(),
    differences: z.array(difference),
    total: z.object({ theirs: figures, ours: figures, delta: figures }),
  })
  .openapi("Reconciliation");

/** Figures as people read them: counts as integers, the amount as exact text; a measure that was not stated is absent. */
function figuresShape({ usd, ...counts }: Figures) {
  return {
    tokens: Object.fromEntries(Object.entries(counts).map(([count, value]) => [count, Number(value)])),
    usd: usd === undefined ? null : usdFromFemto(usd),
  };
}

const partShape = ({ records, figures: its }: Part) => ({ records, figures: figuresShape(its) });
const day = (at: number) => new Date(at).toISOString().slice(0, 10);

function differenceShape({ day: of, through, model, ownModel, theirs, ours, causes, delta }: Difference) {
  return {
    day: day(of),
    through: through === null ? null : day(through),
    model,
    our_model: ownModel,
    provider_names: theirs?.names ?? [],
    causes,
    theirs: theirs && { requests: theirs.requests, figures: figuresShape(theirs.figures) },
    ours: ours && { ...partShape(ours), estimated: partShape(ours.estimated), unknown: partShape(ours.unknown) },
    delta: figuresShape(delta),
  };
}

function shape(found: Reconciliation, providers: readonly string[]) {
  return {
    object: "reconciliation",
    from: iso(found.from),
    to: iso(found.to),
    providers,
    complete: found.complete,
    compared: found.measures,
    cells: found.cells,
    agrees: found.differences.length === 0,
    differences: found.differences.map(differenceShape),
    total: { theirs: figuresShape(found.theirs), ours: figuresShape(found.ours), delta: figuresShape(found.delta) },
  };
}

/** `/reconcile`: a provider's own figures against ours. It changes nothing, though what it is asked with does not fit into a query. */
export function reconciliations(app: AdminApp): void {
  read(
    app,
    {
      method: "post",
      path: "/reconcile",
      resource: "reconcile",
      summary: "Hold a provider's usage or cost export against the cost records",
      body: asked,
      answer,
    },
    async ({ body }, context) => {
      const { providers, exports, from, to, models, tolerance_usd: toleranceFemto } = body;
      const { book } = await context.env.directory.get((work) => context.executionCtx.waitUntil(work));
      const lateMs = context.env.config.TOLLGATE_TIMEOUT_TOTAL_S * 1000;
      const found = await reconcile(context.env.db, book, {
        providers,
        exports,
        ...given({ from, to }),
        models,
        toleranceFemto,
        lateMs,
      });
      return shape(found, providers);
    },
  );
}
