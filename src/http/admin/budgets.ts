import { z } from "@hono/zod-openapi";
import { and, desc, eq, inArray, sql } from "drizzle-orm";
import { type BudgetRow, type BudgetStatus, BudgetStore, type NewBudget } from "#budget";
import { found, type Scope, TollgateError, usdFromNano } from "#core";
import { type Db, tables } from "#db";
import { budgetStatusShape, scopeShape } from "../budget-shape.ts";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, nanoOf, page, paging, usd } from "./shapes.ts";

const amount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const limits = { limit_usd: usd.optional(), limit_tokens: amount.optional(), limit_requests: amount.optional() };
const mode = z.enum(["strict", "tight"]);

/** Judged with the body, before anything is written: the store would refuse it only after a new key stands. */
function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** What a budget is, without its scope: also the form in which a new key carries its own. */
export const budgetFields = {
  window: z.enum(["hour", "day", "week", "month", "total"]),
  time_zone: z.string().min(1).max(64).refine(isTimeZone, "names no time zone").default("UTC"),
  ...limits,
  mode: mode.default("strict"),
};

const scope = z.strictObject({
  kind: z.enum(["deployment", "team", "user", "key", "tag", "end_user"]),
  id: z.string().max(128).default(""),
});
/** As it is shown: the deployment has no id. */
const shownScope = scope.extend({ id: z.string().optional() });
const status = z.object({
  unit: z.enum(["usd", "tokens", "requests"]),
  limit: z.string(),
  spent: z.string(),
  reserved: z.string(),
  over: z.string(),
  remaining: z.string(),
  window_start: z.string().nullable(),
  resets_at: z.string().nullable(),
  forecast: z.string().nullable(),
});

export const budget = z
  .object({
    id,
    object: z.literal("budget"),
    scope: shownScope,
    window: budgetFields.window,
    time_zone: z.string(),
    mode,
    limit_usd: z.string().optional(),
    limit_tokens: amount.optional(),
    limit_requests: amount.optional(),
    status: status.nullable(),
    created_at: z.string(),
  })
  .openapi("Budget");

type Limits = {
  readonly limit_usd?: string | number | undefined;
  readonly limit_tokens?: number | undefined;
  readonly limit_requests?: number | undefined;
};

/** The one limit that was given, in its unit. @throws TollgateError `invalid_request` for none or several. */
function limitOf(fields: Limits, path: string): Pick<NewBudget, "unit" | "limit"> {
  const named = (["limit_usd", "limit_tokens", "limit_requests"] as const).filter((each) => fields[each] !== undefined);
  const [only] = named;
  if (named.length !== 1 || !only) {
    const param = `${path}${named[1] ?? "limit_usd"}`;
    throw new TollgateError("invalid_request", `${param}: give exactly one of limit_usd, limit_tokens and limit_requests`, { param });
  }
  const value = fields[only]!;
  if (only === "limit_usd") return { unit: "usd", limit: nanoOf(value, `${path}${only}`) };
  return { unit: only === "limit_tokens" ? "tokens" : "requests", limit: Number(value) };
}

/** A budget as given for a scope; `path` stands before the names of its fields in errors. */
export function newBudget(fields: z.output<z.ZodObject<typeof budgetFields>>, of: Scope, path = ""): NewBudget {
  return { scope: of, window: fields.window, timeZone: fields.time_zone, mode: fields.mode, ...limitOf(fields, path) };
}

/** A budget and where it stands. */
export function budgetShape(row: BudgetRow, standing: BudgetStatus | undefined) {
  const { unit, limit } = row;
  return {
    id: row.id,
    object: "budget",
    scope: scopeShape({ kind: row.scopeKind, id: row.scopeId }),
    window: row.window,
    time_zone: row.timeZone,
    mode: row.mode,
    ...(unit === "usd" ? { limit_usd: usdFromNano(limit) } : { [`limit_${unit}`]: limit }),
    status: standing ? budgetStatusShape(standing) : null,
    created_at: iso(row.createdAt),
  };
}

/** Budgets with their standings, read from the ledgers of their teams. */
export async function budgetShapes(context: AdminContext, rows: readonly BudgetRow[]) {
  const byTeam = Map.groupBy(rows, ({ team }) => team);
  const standings = await Promise.all([...byTeam].map(([team, its]) => context.env.ledger(team).budgetStatus(its.map((row) => row.id))));
  const known = new Map(standings.flat().map((standing) => [standing.budget.id, standing]));
  return rows.map((row) => budgetShape(row, known.get(row.id)));
}

/** The budgets of many keys in one statement, newest first: a list of keys must not cost a query for each. */
export async function budgetsOfKeys(db: Db, keys: readonly string[]): Promise<ReadonlyMap<string, readonly BudgetRow[]>> {
  const { budgets: table } = tables;
  const named = sql`(select value from json_each(${JSON.stringify(keys)}))`;
  const rows = await db
    .select()
    .from(table)
    .where(and(eq(table.scopeKind, "key"), inArray(table.scopeId, named)))
    .orderBy(desc(table.createdAt), desc(table.id));
  return Map.groupBy(rows, ({ scopeId }) => scopeId);
}

/** Removes what bound a team or a user that is gone, so that nobody who gets its id later inherits it; answers the ids. */
export async function removeBudgetsOf(context: AdminContext, team: string, user?: string): Promise<readonly string[]> {
  const { budgets: table } = tables;
  const of = user === undefined ? undefined : and(eq(table.scopeKind, "user"), eq(table.scopeId, user));
  const gone = await context.env.db
    .delete(table)
    .where(and(eq(table.team, team), of))
    .returning({ id: table.id });
  await context.env.ledger(team).refresh();
  return gone.map((row) => row.id);
}

const store = ({ env }: AdminContext) => new BudgetStore(env.db, () => env.now());

async function refreshed(context: AdminContext, row: BudgetRow) {
  await told(context, row);
  const [shape] = await budgetShapes(context, [row]);
  return shape;
}

/** Makes a budget's ledger see its change, and this isolate that there is such a ledger. */
async function told({ env }: AdminContext, { team }: BudgetRow): Promise<void> {
  await env.ledger(team).refresh();
  env.directory.invalidate();
}

/** `/budgets`: limits on what a team, a user or a key may spend, and across teams the deployment, a tag or an end user. */
export function budgets(app: AdminApp): void {
  const resource = "budgets";
  const create = z.strictObject({ scope, ...budgetFields });
  write(
    app,
    { method: "post", path: "/budgets", resource, summary: "Create a budget", body: create, answer: budget, status: 201 },
    async ({ body }, context) => {
      const row = await store(context).create(newBudget(body, body.scope));
      const answer = await refreshed(context, row);
      return {
        answer,
        audit: { type: "budget.create", subject: { kind: "budget", id: row.id }, team: row.team, after: budgetShape(row, undefined) },
      };
    },
  );
  const query = z.strictObject({
    ...paging,
    team: id.optional(),
    scope_kind: scope.shape.kind.optional(),
    scope_id: z.string().max(128).optional(),
  });
  read(
    app,
    { method: "get", path: "/budgets", resource, summary: "List budgets", query, answer: listOf(budget) },
    async ({ query: asked }, context) => {
      const of = asked.scope_kind === undefined ? undefined : { kind: asked.scope_kind, id: asked.scope_id ?? "" };
      const { rows, next } = await store(context).list({
        limit: asked.limit,
        ...given({ cursor: asked.cursor, team: asked.team, scope: of }),
      });
      const shapes = await budgetShapes(context, rows);
      return page({ rows: shapes, next }, (shape) => shape);
    },
  );
  read(
    app,
    { method: "get", path: "/budgets/{id}", resource, summary: "Read a budget", params: byId, answer: budget },
    async ({ params }, context) => {
      const [shape] = await budgetShapes(context, [found(await store(context).get(params.id), "budget")]);
      return shape;
    },
  );
  budgetChanges(app);
}

function budgetChanges(app: AdminApp): void {
  const resource = "budgets";
  const patch = z.strictObject({ ...limits, mode: mode.optional() });
  write(
    app,
    {
      method: "patch",
      path: "/budgets/{id}",
      resource,
      summary: "Change a budget's limit or mode",
      params: byId,
      body: patch,
      answer: budget,
    },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "budget");
      const row = await store(context).patch(params.id, { ...changedLimit(before, body), ...given({ mode: body.mode }) });
      const answer = await refreshed(context, row);
      const audit = { before: budgetShape(before, undefined), after: budgetShape(row, undefined) };
      return { answer, audit: { type: "budget.update", subject: { kind: "budget", id: row.id }, team: row.team, ...audit } };
    },
  );
  write(
    app,
    { method: "delete", path: "/budgets/{id}", resource, summary: "Delete a budget", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      await told(context, row);
      return {
        answer: null,
        audit: { type: "budget.delete", subject: { kind: "budget", id: row.id }, team: row.team, before: budgetShape(row, undefined) },
      };
    },
  );
}

/** A new limit in the budget's own unit: what was spent was counted in it. */
function changedLimit(before: BudgetRow, fields: Limits): { limit?: number } {
  if (fields.limit_usd === undefined && fields.limit_tokens === undefined && fields.limit_requests === undefined) return {};
  const { unit, limit } = limitOf(fields, "");
  if (unit === before.unit) return { limit };
  throw new TollgateError("invalid_request", `The budget counts ${before.unit}; make another one for ${unit}`, { param: `limit_${unit}` });
}
