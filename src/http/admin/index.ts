import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { TollgateError } from "#core";
import { ownRowsOnly } from "#keys";
import { bearId } from "../envelope.ts";
import { headOf, nameKeys } from "../openapi.ts";
import { describeTasks } from "../tasks/document.ts";
import { identify } from "./actor.ts";
import { auto } from "./auto.ts";
import { auditChain } from "./audit-chain.ts";
import { alerts, webhooks } from "./alerts.ts";
import { budgets } from "./budgets.ts";
import { cache } from "./cache.ts";
import { contents } from "./contents.ts";
import { costs } from "./costs.ts";
import { keys } from "./keys.ts";
import { audit, requests } from "./log.ts";
import { models } from "./models.ts";
import type { AdminApp, AdminHttp } from "./operation.ts";
import { policies } from "./policies.ts";
import { policyDecisions } from "./policy-decisions.ts";
import { priceProposals } from "./price-proposals.ts";
import { prices } from "./prices.ts";
import { profiles } from "./profiles.ts";
import { providerCredentials } from "./provider-credentials.ts";
import { providers } from "./providers.ts";
import { reconciliations } from "./reconcile.ts";
import { reprice } from "./reprice.ts";
import { routes } from "./routes.ts";
import { taskReports } from "./task-report.ts";
import { tasks } from "./tasks.ts";
import { teams, users } from "./tenants.ts";

const BODY_BYTES_MAX = 1_000_000;

/** The admin plane. Whoever is not known gets no further than the first step, on any path and with any method. */
export function adminApp(): AdminApp {
  const app = new OpenAPIHono<AdminHttp>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error.issues[0]);
    },
  });
  app.use(bearId);
  app.use(async (context, next) => {
    // A preflight carries no credential: it is refused as what it is, and not counted as a guess against its address.
    if (context.req.method === "OPTIONS") throw new TollgateError("method_not_allowed", "The admin plane answers no preflight");
    context.set("actor", await identify(context.env, context.req.raw));
    await next();
    context.header("cache-control", "no-store");
  });
  app.use(
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: () => {
        throw new TollgateError("payload_too_large", `The body is larger than the ${BODY_BYTES_MAX} bytes the admin plane accepts`);
      },
    }),
  );
  const resources = [
    teams,
    users,
    keys,
    cache,
    budgets,
    providers,
    providerCredentials,
    models,
    auto,
    routes,
    priceProposals,
    prices,
    costs,
    reprice,
    reconciliations,
    requests,
    contents,
    audit,
    auditChain,
    alerts,
    webhooks,
    policyDecisions,
    policies,
    profiles,
    taskReports,
    tasks,
  ];
  for (const resource of resources) resource(app);
  nameKeys(app);
  app.get("/openapi.json", (context) => {
    // It stands for no resource, so it has a gate of its own: whoever holds a role of the plane.
    if (ownRowsOnly(context.get("actor").role)) throw new TollgateError("permission_denied", "An ordinary key may not read the document");
    return context.json(app.getOpenAPI31Document(headOf("Tollgate admin API")));
  });
  refuseOtherMethods(app);
  return app;
}

/** Every other method of a path that exists is refused by name; it comes last, so that it meets only what nothing took. */
function refuseOtherMethods(app: AdminApp): void {
  const served = app.routes.filter(({ method }) => method !== "ALL");
  for (const [path, routes] of Map.groupBy(served, (route) => route.path)) {
    const methods = [...new Set(routes.map(({ method }) => method))].join(", ");
    app.all(path, (context) => {
      throw new TollgateError("method_not_allowed", `${context.req.path} takes ${methods}`);
    });
  }
}

/** The OpenAPI document of the admin plane and of tasks, as clients are generated from it. */
export function openApiDocument(): object {
  const app = adminApp();
  describeTasks(app);
  return app.getOpenAPI31Document(headOf("Tollgate API"));
}

/** The first fault of a request, by the path of its field. */
function invalid(
  issue:
    | { readonly path: readonly PropertyKey[]; readonly message: string; readonly code?: string; readonly keys?: readonly string[] }
    | undefined,
): TollgateError {
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys?.[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].map(String).join(".");
  const message = unknown === undefined ? (issue?.message ?? "is wrong") : "is not a known field";
  return new TollgateError("invalid_request", `${path || "The request"}: ${message}`, path ? { param: path } : {});
}
