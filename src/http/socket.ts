import type { Context, Hono } from "hono";
import { isSurface, TollgateError } from "#core";
import { readCredential } from "#keys";
import { readSeq, type Resume, standingHeaders } from "#socket";
import { authenticatedKey } from "./authenticate.ts";
import { errorResponse } from "./envelope.ts";
import { readDirections } from "./headers.ts";
import { INFERENCE } from "./inference/surfaces.ts";
import { canonicalPath } from "./paths.ts";
import type { Http, Platform } from "./platform.ts";
import { checkOrigin, chosenProtocol, isUpgrade, upgraded } from "./upgrade.ts";

/** `GET /v1/ws`: a socket for many requests. Whoever upgrades is authenticated here, and again with each request. */
export async function socket(context: Context<Http>): Promise<Response> {
  const platform = context.env;
  const request = context.req.raw;
  const caller = await authenticatedKey(platform, request);
  if (!isUpgrade(request))
    throw new TollgateError("invalid_request", `${context.req.path} takes a WebSocket's upgrade`, { param: "upgrade" });
  checkOrigin(request, platform);
  const protocol = chosenProtocol(request.headers);
  readDirections(request.headers, platform.config);
  const visitor = {
    credential: readCredential(request.headers),
    address: request.headers.get("cf-connecting-ip"),
    headers: standingHeaders(request.headers),
  };
  const answer = await platform.sockets.connect(caller.key, visitor, readResume(new URL(request.url).searchParams));
  if (!answer)
    throw new TollgateError("rate_limited", "All sockets that this key may have are open; close one", {
      retryAfterMs: 60_000,
      details: { limit: "concurrency", scope: { kind: "key", id: caller.key } },
    });
  return upgraded(answer.webSocket, protocol);
}

/**
 * Serves a request that came over a socket by the router of those that come over HTTP. Only inference is reached this way, and the key
 * itself: a socket is no way round what stands before the other planes.
 */
export async function throughDoor(app: Hono<Http>, request: Request, platform: Platform, execution: ExecutionContext): Promise<Response> {
  const path = canonicalPath(request);
  const capability = INFERENCE[path];
  // Files and sound are no text that a frame of the protocol could hold.
  const text = capability !== undefined && !isSurface(capability);
  if (text || path === "/v1/key") return app.fetch(request, { ...platform, paced: true }, execution);
  return errorResponse(new TollgateError("not_found", `There is no route ${path.slice(0, 200)} for a socket`, { param: "path" }), request);
}

function readResume(search: URLSearchParams): Resume | null {
  const session = search.get("session");
  if (session === null) return null;
  const after = search.get("after");
  if (after === null || !/^\d{1,15}$/.test(after))
    throw new TollgateError("invalid_request", "after must be the number of the message that was read last", { param: "after" });
  return { session, after: readSeq(Number(after)) };
}
