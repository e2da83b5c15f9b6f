import { type Handler, Hono } from "hono";
import { newId, TollgateError } from "#core";
import { adminApp } from "./admin/index.ts";
import { bearId, onError } from "./envelope.ts";
import { health } from "./health.ts";
import { estimate } from "./inference/estimate.ts";
import { explainRequest } from "./inference/explain-request.ts";
import { explainRoute } from "./inference/explain-route.ts";
import { infer } from "./inference/infer.ts";
import { key } from "./inference/key.ts";
import { listModels, oneModel } from "./inference/models.ts";
import { refuse } from "./inference/refuse.ts";
import { storedResponse } from "./inference/responses.ts";
import { INFERENCE, ROWS } from "./inference/surfaces.ts";
import { metrics } from "./metrics.ts";
import { noRoute } from "./no-route.ts";
import { canonicalPath } from "./paths.ts";
import type { Http } from "./platform.ts";
import { socket } from "./socket.ts";
import { approveTask, taskHook } from "./tasks/approvals.ts";
import { taskEvents } from "./tasks/events.ts";
import { taskFeedback } from "./tasks/feedback.ts";
import {
  cancelTask,
  createTask,
  listTasks,
  readOneTask,
  taskArtifact,
  taskArtifacts,
  taskCallbackSecret,
  taskInput,
  validateTask,
} from "./tasks/tasks.ts";

/** Everything the gateway serves. A route that is not named here does not exist; each one authenticates but the two probes. */
export function createApp(): Hono<Http> {
  const app = new Hono<Http>({ getPath: canonicalPath });
  app.use(async (context, next) => {
    context.set("requestId", newId("req", context.env.now()));
    await next();
  });
  app.onError(onError);
  app.notFound((context) => {
    throw noRoute(context.req.method, context.req.path);
  });
  for (const row of ROWS) if ("refused" in row && row.method !== "any") app.on(row.method, row.path, refuse(row));
  for (const [path, capability] of Object.entries(INFERENCE)) offer(app, "POST", path, infer(capability));
  offer(app, "GET", "/v1/responses/:id/input_items", storedResponse("inputItems"));
  offer(app, "POST", "/v1/responses/:id/cancel", storedResponse("cancel"));
  app.delete("/v1/responses/:id", storedResponse("delete"));
  offer(app, "GET", "/v1/responses/:id", storedResponse("retrieve"));
  offer(app, "POST", "/v1/estimate", estimate);
  offer(app, "POST", "/v1/route/explain", explainRoute);
  offer(app, "GET", "/v1/requests/:id/explain", explainRequest);
  for (const path of ["/v1/models/*", "/v1/key"]) app.use(path, bearId);
  offer(app, "GET", "/v1/models", listModels);
  offer(app, "GET", "/v1/models/:id{.+}", oneModel);
  for (const row of ROWS) if ("refused" in row && row.method === "any") app.all(row.path, refuse(row));
  offer(app, "GET", "/v1/key", key);
  for (const base of ["/v1/task", "/v1/tasks"]) offerTasks(app, base);
  offer(app, "GET", "/v1/ws", socket);
  offer(app, "GET", "/healthz", health);
  offer(app, "GET", "/metrics", metrics);
  offer(app, "GET", "/", (context) =>
    context.json({ name: "tollgate", health: "/healthz", openai: "/v1", anthropic: "/", admin: "/admin/v1" }),
  );
  app.route("/admin/v1", adminApp());
  return app;
}

/** The routes of tasks; their name in the plural is the same. */
function offerTasks(app: Hono<Http>, base: string): void {
  app.post(base, createTask);
  offer(app, "GET", base, listTasks);
  offer(app, "POST", `${base}/validate`, validateTask);
  offer(app, "GET", `${base}/callback_secret`, taskCallbackSecret);
  offer(app, "POST", `${base}/hook`, taskHook);
  app.delete(`${base}/:id`, cancelTask);
  offer(app, "GET", `${base}/:id`, readOneTask);
  offer(app, "GET", `${base}/:id/events`, taskEvents);
  offer(app, "POST", `${base}/:id/input`, taskInput);
  offer(app, "POST", `${base}/:id/approve`, approveTask);
  offer(app, "POST", `${base}/:id/feedback`, taskFeedback);
  offer(app, "GET", `${base}/:id/artifacts`, taskArtifacts);
  offer(app, "GET", `${base}/:id/artifacts/:path{.+}`, taskArtifact);
}

/** One method of a path; every other that it has not been given is refused by name. */
function offer(app: Hono<Http>, method: "GET" | "POST", path: string, serve: Handler<Http>): void {
  app.on(method, path, serve);
  const taken = app.routes.filter((route) => route.path === path && route.method !== "ALL").map((route) => route.method);
  app.all(path, (context) => {
    throw new TollgateError("method_not_allowed", `${context.req.path} takes ${taken.join(" or ")}`);
  });
}
