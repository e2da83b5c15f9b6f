import type { Command } from "../command.ts";
import { alerts } from "./alerts.ts";
import { audit } from "./audit.ts";
import { budgets } from "./budgets.ts";
import { costs } from "./costs.ts";
import { estimate } from "./estimate.ts";
import { imports } from "./import.ts";
import { keys } from "./keys.ts";
import { policy } from "./policy.ts";
import { reconcile } from "./reconcile.ts";
import { routes } from "./routes.ts";
import { status } from "./status.ts";
import { taskRuns } from "./task-run.ts";
import { tasks } from "./tasks.ts";
import { webhooks } from "./webhooks.ts";

/** Every command, in the order that help shows them. */
export const COMMANDS: readonly Command[] = [
  ...status,
  ...keys,
  ...budgets,
  ...costs,
  ...estimate,
  ...reconcile,
  ...routes,
  ...taskRuns,
  ...tasks,
  ...alerts,
  ...webhooks,
  ...audit,
  ...policy,
  ...imports,
];
