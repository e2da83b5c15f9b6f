import type { Context } from "hono";
import type { Capability } from "#core";
import { quote, serve } from "#gateway";
import { readAsk } from "#wire";
import type { Http } from "../platform.ts";
import { arrive } from "./arrive.ts";
import { quoteShape } from "./estimate.ts";

/** Serves one inference route; with `x-tollgate-dry-run` it says what the answer would cost, and asks nobody for one. */
export function infer(capability: Capability) {
  return async (context: Context<Http>): Promise<Response> => {
    const { arrival, directions, bytes, gateway } = await arrive(context);
    const ask = readAsk(capability, bytes, context.req.raw.headers.get("content-type"));
    if (directions.dryRun) return context.json(quoteShape(await quote(ask, arrival, gateway)));
    const served = serve(ask, arrival, gateway);
    // A client that leaves must not take the request's own ending with it: whoever holds money in flight gets to end it.
    gateway.background(served.catch(() => undefined));
    return served;
  };
}
