import { z } from "@hono/zod-openapi";
import { DIMENSIONS, type Tally, taskReport } from "#tasks";
import { TollgateError } from "#core";
import { iso } from "../time.ts";
import { type AdminApp, read } from "./operation.ts";
import { id, moment } from "./shapes.ts";

const WEEK_MS = 7 * 86_400_000;
const tally = z.object({
  tasks: z.number(),
  ended: z.number(),
  succeeded: z.number(),
  success_rate: z.number().nullable(),
  seconds: z.object({ median: z.number().nullable(), p90: z.number().nullable() }),
  cost_usd: z.string(),
  feedback: z.object({ count: z.number(), mean: z.number().nullable() }),
});
const comment = z.object({ task: id, key: id, score: z.number(), comment: z.string(), at: z.string() });
const report = z
  .object({
    from: z.string(),
    to: z.string(),
    group_by: z.array(z.enum(DIMENSIONS)),
    data: z.array(tally.extend({ group: z.record(z.string(), z.string().nullable()) })),
    total: tally,
    comments: z.array(comment),
  })
  .openapi("TaskReport");
const query = z.strictObject({
  from: moment.optional(),
  to: moment.optional(),
  group_by: z
    .string()
    .default("engine")
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(DIMENSIONS, `must be of ${DIMENSIONS.join(", ")}, by commas`))),
});

function tallyShape({ tasks, ended, succeeded, medianMs, p90Ms, costUsd, scores, meanScore }: Tally) {
  const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);
  return {
    tasks,
    ended,
    succeeded,
    success_rate: ended === 0 ? null : succeeded / ended,
    seconds: { median: seconds(medianMs), p90: seconds(p90Ms) },
    cost_usd: costUsd,
    feedback: { count: scores, mean: meanScore },
  };
}

/** `/tasks/report`: how tasks went, what they cost and what their owners thought of them. */
export function taskReports(app: AdminApp): void {
  read(
    app,
    {
      method: "get",
      path: "/tasks/report",
      resource: "tasks",
      summary: "Report on tasks by engine, model, key and day",
      query,
      answer: report,
    },
    async ({ query: asked }, { env }) => {
      const to = asked.to ?? env.now();
      const from = asked.from ?? to - WEEK_MS;
      if (from >= to) throw new TollgateError("invalid_request", "from: must be before to", { param: "from" });
      const { groups, total, comments } = await taskReport(env.db, { from, to, groupBy: asked.group_by });
      return {
        from: iso(from),
        to: iso(to),
        group_by: asked.group_by,
        data: groups.map(({ group, ...each }) => ({ group, ...tallyShape(each) })),
        total: tallyShape(total),
        comments: comments.map(({ at, ...each }) => ({ ...each, at: iso(at) })),
      };
    },
  );
}
