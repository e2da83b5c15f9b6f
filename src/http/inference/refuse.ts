import type { Context } from "hono";
import { TollgateError } from "#core";
import { authenticated } from "../authenticate.ts";
import { noRoute, remedyOf } from "../no-route.ts";
import type { Http } from "../platform.ts";
import type { Refused } from "./surfaces.ts";

/** Refuses a vendor's route, and says why, to who has a key: a stranger learns nothing of what is offered. */
export function refuse({ refused }: Refused) {
  return async (context: Context<Http>): Promise<Response> => {
    await authenticated(context.env, context.req.raw);
    const { method, path } = context.req;
    if (remedyOf(path) !== "") throw noRoute(method, path);
    throw new TollgateError("not_found", `${method} ${path.slice(0, 200)} is not offered here: ${refused}`, { reason: "refused surface" });
  };
}
