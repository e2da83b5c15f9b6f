import { consume } from "#audit";
import { connect } from "#db";
import { createApp, errorResponse } from "#http";
import { platformOf } from "./compose.ts";
import { housekeeping } from "./housekeeping.ts";

export { LedgerObject } from "./budget/ledger.do.ts";

const app = createApp();

export default {
  fetch(request, env, context) {
    try {
      return app.fetch(request, platformOf(env), context);
    } catch (error) {
      return errorResponse(error, request);
    }
  },
  queue: (batch, env) => consume(batch, connect(env.DB)),
  scheduled: (_event, env) => housekeeping(platformOf(env)),
} satisfies ExportedHandler<Env>;
