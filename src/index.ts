import { consume } from "#audit";
import { createApp, errorResponse } from "#http";
import { platformOf } from "./compose.ts";
import { housekeeping } from "./housekeeping.ts";
import { EVERY_MINUTE, watch, watchTheClock } from "./watch.ts";

export { LedgerObject } from "./budget/ledger.do.ts";
export { CounterObject } from "./policy/counters.do.ts";
export { TaskObject } from "./tasks/task.do.ts";
export { ResponseObject } from "./responses/responses.do.ts";

const app = createApp();

export default {
  fetch(request, env, context) {
    try {
      return app.fetch(request, platformOf(env), context);
    } catch (error) {
      return errorResponse(error, request);
    }
  },
  async queue(batch, env, context) {
    const platform = platformOf(env);
    await consume(batch, platform.db, (events) => watch(platform, events, (work) => context.waitUntil(work)));
  },
  scheduled: ({ cron }, env) => (cron === EVERY_MINUTE ? watchTheClock(platformOf(env)) : housekeeping(platformOf(env))),
} satisfies ExportedHandler<Env>;
