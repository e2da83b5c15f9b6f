import type { Context } from "hono";
import { TollgateError } from "#core";
import type { Http } from "../platform.ts";
import { checkOrigin, chosenProtocol, isUpgrade, upgraded } from "../upgrade.ts";
import { forCaller, idOf } from "./for-caller.ts";

/** `GET /v1/task/{id}/events`: from after `Last-Event-ID`, or `after`, on; as server-sent events, or over a WebSocket. */
export const taskEvents = forCaller(async (context, caller) => {
  const { tasks } = context.env;
  const after = readAfter(context);
  const id = idOf(context);
  if (!isUpgrade(context.req.raw)) {
    const { body } = await tasks.events(caller, id, after);
    return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
  }
  checkOrigin(context.req.raw, context.env);
  const protocol = chosenProtocol(context.req.raw.headers);
  const socket = await tasks.eventSocket(caller, id, after);
  if (socket) return upgraded(socket, protocol);
  throw new TollgateError("rate_limited", "All sockets that a task may have are open; close one", {
    retryAfterMs: 60_000,
    details: { limit: "concurrency", scope: { kind: "task", id } },
  });
});

function readAfter({ req }: Context<Http>): number {
  const named = req.header("last-event-id") ?? req.query("after") ?? "0";
  if (/^\d{1,15}$/.test(named)) return Number(named);
  throw new TollgateError("invalid_request", "after must be the number of an event", { param: "after" });
}
