import { z } from "@hono/zod-openapi";
import { absent, found, TollgateError } from "#core";
import { KeyStore, TenantStore } from "#keys";
import { EXIT_REASONS, STATUSES, type TaskFilter, taskShape, type TaskView } from "#tasks";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { byId, given, id, listOf, page, paging } from "./shapes.ts";

const resource = "tasks";
const task = z
  .looseObject({
    id,
    object: z.literal("task"),
    status: z.enum(STATUSES),
    exit_reason: z.enum(EXIT_REASONS).nullable(),
    key: z.string(),
    created_at: z.string(),
  })
  .openapi("TaskOverview");
const listing = z.strictObject({
  ...paging,
  key: id.optional(),
  team: id.optional(),
  status: z.enum(STATUSES).optional(),
});
const whose = z.strictObject({ key: id.optional(), team: id.optional(), all: z.literal(true).optional() });
const cancelled = z.object({ cancelled: z.number() }).openapi("TasksCancelled");

/** A task as operators see it: what it said, and what it left, is its key's. */
function shapeOf(told: TaskView) {
  const { result: _, ...shape } = taskShape(told);
  return shape;
}

/** `/tasks`: everybody's, and the switch that ends them. None of their calls is admitted once the answer is there. */
export function tasks(app: AdminApp): void {
  read(
    app,
    { method: "get", path: "/tasks", resource, summary: "List tasks", query: listing, answer: listOf(task) },
    async ({ query: { limit, cursor, ...filter } }, { env }) =>
      page(await env.tasks.oversight.list(given(filter), { limit, ...given({ cursor }) }), shapeOf),
  );
  read(
    app,
    { method: "get", path: "/tasks/{id}", resource, summary: "Read a task", params: byId, answer: task },
    async ({ params }, { env }) => shapeOf(found(await env.tasks.oversight.get(params.id), "task")),
  );
  write(
    app,
    { method: "delete", path: "/tasks/{id}", resource, summary: "Cancel a task", params: byId, answer: task },
    async ({ params }, { env }) => {
      const { oversight } = env.tasks;
      const before = found(await oversight.get(params.id), "task");
      if (!before.end) await oversight.end([before]);
      const { team, key } = before;
      const audit = { type: "task.cancel", subject: { kind: "task", id: before.id }, team, key, task: before.id };
      return { answer: shapeOf(found(await oversight.get(params.id), "task")), audit };
    },
  );
  write(
    app,
    {
      method: "post",
      path: "/tasks/cancel",
      resource,
      summary: "Cancel tasks of a key, of a team, or all",
      body: whose,
      answer: cancelled,
    },
    async ({ body }, context) => {
      const filter = filterOf(body);
      const count = await context.env.tasks.oversight.cancel(filter);
      if (count === 0) await checkNamed(filter, context);
      const { key = null, team = null } = filter;
      const audit = { type: "task.cancel", severity: "warning", subject: null, team, key, details: { cancelled: count, ...body } } as const;
      return { answer: { cancelled: count }, audit };
    },
  );
}

/** Whose tasks are meant: named once, since all of them is nothing to ask for by leaving a word out. */
function filterOf({ key, team, all }: z.output<typeof whose>): Omit<TaskFilter, "status"> {
  if ([key, team, all].filter((each) => each !== undefined).length !== 1)
    throw new TollgateError("invalid_request", "name one of key, team and all", { param: "key" });
  return given({ key, team });
}

/** That nothing was ended is no answer to a name that nobody has. @throws TollgateError `not_found` naming the field. */
async function checkNamed({ key, team }: TaskFilter, { env }: AdminContext): Promise<void> {
  const now = () => env.now();
  if (key !== undefined && !(await new KeyStore(env.db, env.config.TOLLGATE_PEPPER, now).get(key))) throw absent("key", { param: "key" });
  if (team !== undefined && !(await new TenantStore(env.db, now).getTeam(team))) throw absent("team", { param: "team" });
}
