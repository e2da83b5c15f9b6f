import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { auditEntry, type AuditFacts } from "#audit";
import { TollgateError } from "#core";
import { type Action, may, type Resource } from "#keys";
import { REFUSAL } from "../openapi.ts";
import type { Http } from "../platform.ts";
import type { Actor } from "./actor.ts";
import { type Answered, once } from "./idempotency.ts";

/** Hono's environment on the admin plane: every operation knows who acts. */
export interface AdminHttp extends Http {
  Variables: Http["Variables"] & { actor: Actor };
}

export type AdminApp = OpenAPIHono<AdminHttp>;
export type AdminContext = Context<AdminHttp>;

type Shape = z.ZodObject;

/** One operation: its place, who may call it, and what goes in and out. */
export interface Operation<Params extends Shape, Query extends Shape, Body extends Shape> {
  readonly method: "get" | "post" | "patch" | "delete" | "put";
  readonly path: string;
  readonly resource: Resource;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** The answer's schema; absent for 204. */
  readonly answer?: z.ZodType;
  readonly status?: 200 | 201 | 204;
}

/** What an operation is given, parsed. */
export interface Input<Params extends Shape, Query extends Shape, Body extends Shape> {
  readonly params: z.output<Params>;
  readonly query: z.output<Query>;
  readonly body: z.output<Body>;
  readonly actor: Actor;
}

/** What a write did: its answer, and what the audit says of it. */
export interface Written {
  readonly answer: unknown;
  readonly audit: Pick<AuditFacts, "type" | "subject"> & Partial<AuditFacts>;
}

/** What an operation without a query takes: a misspelt wish must not pass unheard. */
const EMPTY = z.strictObject({});

/** Registers an operation that changes nothing; it may answer with a response of its own, such as an export. */
export function read<Params extends Shape, Query extends Shape, Body extends Shape>(
  app: AdminApp,
  operation: Operation<Params, Query, Body>,
  run: (input: Input<Params, Query, Body>, context: AdminContext) => Promise<unknown>,
): void {
  register(app, operation, "read", async (context) => {
    const answer = await run(inputOf(context), context);
    return answer instanceof Response ? answer : context.json(answer as object);
  });
}

/** Registers an operation that changes something. It leaves an audit entry, and may be repeated under an `Idempotency-Key`. */
export function write<Params extends Shape, Query extends Shape, Body extends Shape>(
  app: AdminApp,
  operation: Operation<Params, Query, Body>,
  run: (input: Input<Params, Query, Body>, context: AdminContext) => Promise<Written>,
): void {
  register(app, operation, "write", async (context) => {
    const perform = async (): Promise<Answered> => {
      const { answer, audit } = await run(inputOf(context), context);
      await leaveEntry(context, audit);
      return { status: operation.status ?? 200, body: answer };
    };
    const { status, body } = await repeatable(context, perform);
    return status === 204 ? context.body(null, 204) : context.json(body as object, status as 200 | 201);
  });
}

function register(
  app: AdminApp,
  operation: Operation<Shape, Shape, Shape>,
  action: Action,
  serve: (context: AdminContext) => Promise<Response>,
): void {
  const { method, path, resource, summary, params, query = EMPTY, body, answer, status = 200 } = operation;
  const route = createRoute({
    method,
    path,
    summary,
    tags: [resource],
    "x-tollgate-guard": { resource, action },
    request: {
      ...(params ? { params } : {}),
      query,
      ...(body ? { body: { required: true, content: { "application/json": { schema: body } } } } : {}),
    },
    responses: {
      [status]: answer ? { description: summary, content: { "application/json": { schema: answer } } } : { description: summary },
      default: REFUSAL,
    },
    middleware: [
      async (context: AdminContext, next: () => Promise<void>) => {
        allow(context.get("actor"), action, resource);
        await next();
      },
    ],
  });
  // The route's own types are narrower than what one function can serve; what goes in is parsed by them all the same.
  app.openapi(route, serve as never);
}

/** The one gate of the plane: a role that is not granted the resource gets no further, whatever the route. */
function allow(actor: Actor, action: Action, resource: Resource): void {
  if (may(actor.role, action, resource)) return;
  throw new TollgateError("permission_denied", `The role ${actor.role} may not ${action} ${resource}`);
}

function inputOf<Params extends Shape, Query extends Shape, Body extends Shape>(context: AdminContext): Input<Params, Query, Body> {
  const valid = (part: "param" | "query" | "json") =>
    (context.req as unknown as { valid(part: string): unknown }).valid(part) ?? EMPTY.parse({});
  return {
    params: valid("param") as z.output<Params>,
    query: valid("query") as z.output<Query>,
    body: valid("json") as z.output<Body>,
    actor: context.get("actor"),
  };
}

async function repeatable(context: AdminContext, perform: () => Promise<Answered>): Promise<Answered> {
  const key = context.req.header("idempotency-key");
  if (key === undefined) return perform();
  const { kind, id } = context.get("actor");
  const attempt = { actor: `${kind}:${id}`, route: `${context.req.method} ${context.req.path}`, key, body: await context.req.text() };
  return once(context.env.db, attempt, context.env.now(), perform);
}

/** Leaves an audit entry of the actor's; every write does, and a read of what is sensitive, before it answers. */
export async function leaveEntry(context: AdminContext, audit: Pick<AuditFacts, "type"> & Partial<AuditFacts>): Promise<void> {
  const { kind, id } = context.get("actor");
  const entry = auditEntry({ ...audit, actor: { kind, id }, request: context.get("requestId") }, context.env.now());
  await context.env.events.send(entry);
}
