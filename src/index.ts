import { WorkerEntrypoint } from "cloudflare:workers";
import { consume, sealEntries } from "#audit";
import { createApp, errorResponse, throughDoor } from "#http";
import { platformOf } from "./compose.ts";
import { housekeeping } from "./housekeeping.ts";
import { EVERY_MINUTE, watch, watchTheClock } from "./watch.ts";

export { ChainObject } from "./audit/chain.do.ts";
export { LedgerObject } from "./budget/ledger.do.ts";
export { CacheObject } from "./cache/cache.do.ts";
export { CounterObject } from "./policy/counters.do.ts";
export { TaskObject } from "./tasks/task.do.ts";
export { ResponseObject } from "./responses/responses.do.ts";
export { SocketObject } from "./socket/socket.do.ts";

const app = createApp();

function answer(request: Request, env: Env, context: ExecutionContext): Promise<Response> | Response {
  try {
    return app.fetch(request, platformOf(env), context);
  } catch (error) {
    return errorResponse(error, request);
  }
}

/**
 * What `npm start` opens its socket to. On the local runtime whoever reaches a socket may call every handler of what stands behind it, as a
 * bound Worker may, by a CONNECT of the runtime's own: so nothing stands here but `fetch`, which asks for a credential.
 */
export class Front extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Promise<Response> | Response {
    return answer(request, this.env, this.ctx);
  }
}

/** The door for what is asked over a socket. Only the objects that hold sockets know it: it has no address. */
export class SocketDoor extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Promise<Response> {
    return throughDoor(app, request, platformOf(this.env), this.ctx);
  }
}

export default {
  fetch: answer,
  async queue(batch, env, context) {
    const platform = platformOf(env);
    await consume(batch, platform.db, async (events) => {
      await sealEntries(platform.chain, events);
      await watch(platform, events, (work) => context.waitUntil(work));
    });
  },
  scheduled: ({ cron }, env) => (cron === EVERY_MINUTE ? watchTheClock(platformOf(env)) : housekeeping(platformOf(env))),
} satisfies ExportedHandler<Env>;
